"""JSON lines as Arrow columns. Dates stay the texts that they are, and whole numbers of any length keep all digits.

Arrow takes a column for one of floats where a number has a fraction or more than 64 bits. A float holds whole numbers
to 2**53: where such a column has one that would change, its numbers become texts.
"""

import json
import math
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.json as pa_json
from pyarrow import types

from raymm.data.tabular.columns import is_list

__all__ = ["read_json_lines"]

LARGEST_BLOCK = 2**30
"""Bytes that are parsed together, at most."""

LONG = re.compile(rb"(?<![\d.])\d{16,}(?![\d.eE])")
"""A whole number that a float may not hold; all of 15 digits are below 2**53."""

BLANKS = re.compile(r"\s*")


class _Whole(str):
    """The digits of a whole number."""

    __slots__ = ()


def read_json_lines(content: bytes) -> pa.Table:
    """The columns of JSON lines.

    A list of whole numbers alone is one of texts where a float would change one of them; beside fractions, numbers of
    a list stay floats: these are features.

    Raises
    ------
    UnicodeDecodeError, pyarrow.ArrowInvalid
        When the text cannot be decoded or parsed.

    Examples
    --------
    >>> read_json_lines(b'{"day": ["2020-01-01"], "key": 14159265358979323846}').to_pylist()
    [{'day': ['2020-01-01'], 'key': '14159265358979323846'}]
    """
    text = content.decode()  # column names that are no text come out of Arrow as another error
    options = pa_json.ReadOptions(use_threads=False, block_size=min(max(len(content), 2**20), LARGEST_BLOCK))
    table = pa_json.read_json(pa.BufferReader(content), read_options=options)
    names, kinds = table.column_names, [_undated(kind) for kind in table.schema.types]
    if kinds != table.schema.types or not _is_valid(table):
        schema = pa.schema(zip(names, kinds, strict=True))
        parsing = pa_json.ParseOptions(explicit_schema=schema)
        table = pa_json.read_json(pa.BufferReader(content), read_options=options, parse_options=parsing)
        table.validate(full=True)
    floats = [name for name in names if types.is_floating(_innermost(table.schema.field(name).type))]
    return _with_all_digits(table, floats, text) if floats and LONG.search(content) else table


def _undated(kind: pa.DataType) -> pa.DataType:
    """A type with texts where it has times."""
    if types.is_timestamp(kind):
        return pa.string()
    if types.is_list(kind):
        return pa.list_(_undated(kind.value_type))
    if types.is_struct(kind):
        return pa.struct([(field.name, _undated(field.type)) for field in kind])
    return kind


def _is_valid(table: pa.Table) -> bool:
    """Whether all cells point into the table. Those of `[null, "x"]` do not where Arrow 25 has to guess the type."""
    try:
        table.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _innermost(kind: pa.DataType) -> pa.DataType:
    return _innermost(kind.value_type) if is_list(kind) else kind


def _with_all_digits(table: pa.Table, names: list[str], text: str) -> pa.Table:
    rows = list(_objects(text))
    for name in names:
        cells = [row.get(name) for row in rows]
        numbers = [number for cell in cells for number in _numbers(cell)]
        of_lists = is_list(table.schema.field(name).type)
        if not any(map(_changes, numbers)) or (of_lists and not all(isinstance(one, _Whole) for one in numbers)):
            continue
        texts = pa.array([_as_text(cell) for cell in cells])
        table = table.set_column(table.column_names.index(name), name, texts)
    return table


def _objects(text: str) -> Iterator[dict[str, Any]]:
    """The objects of a text that Arrow has read, one after the other."""
    decoder = json.JSONDecoder(parse_int=_Whole)
    at = BLANKS.match(text, 1 if text.startswith("\ufeff") else 0).end()  # type: ignore[union-attr]
    while at < len(text):
        row, at = decoder.raw_decode(text, at)
        yield row
        at = BLANKS.match(text, at).end()  # type: ignore[union-attr]


def _numbers(cell: Any) -> Iterator[Any]:
    if isinstance(cell, list):
        for one in cell:
            yield from _numbers(one)
    elif cell is not None:
        yield cell


def _changes(number: Any) -> bool:
    """Whether a number is whole and no float.

    >>> _changes(_Whole("9007199254740993")), _changes(_Whole("9007199254740992")), _changes(0.5)
    (True, False, False)
    """
    return isinstance(number, _Whole) and Decimal(number) != Decimal(float(number))


def _as_text(cell: Any) -> Any:
    """A cell of texts for its numbers, floats as other columns of floats have them; NaN is missing."""
    if isinstance(cell, list):
        return [_as_text(one) for one in cell]
    if cell is None or isinstance(cell, _Whole) or not math.isfinite(cell):
        return None if cell is None or cell != cell else str(cell)  # noqa: PLR0124  (NaN)
    return str(int(cell)) if cell == int(cell) else str(cell)
