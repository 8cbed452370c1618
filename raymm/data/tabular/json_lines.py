"""JSON lines as Arrow columns. Dates stay the texts that they are, and whole numbers of any length keep all digits.

Arrow takes a column for one of floats where a number has a fraction or more than 64 bits. A float holds whole numbers
to 2**53: where such a column has one that would change, its numbers become texts.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.json as pa_json
from pyarrow import types

from raymm.data.tabular.columns import is_list
from raymm.errors import DataError

__all__ = ["read_json_lines"]

LARGEST_BLOCK = 2**30
"""Bytes that are parsed together, at most."""

LONG = re.compile(rb"(?<![\d.])\d{16,}(?![\d.eE])")
"""A whole number that a float may not hold; all of 15 digits are below 2**53."""

BLANKS = re.compile(r"\s*")

LOOKED_THROUGH = 2**26
"""Letters whose names are counted before Arrow makes columns of them."""

FREE_CELLS = 2**25
"""Cells of columns, absent ones too, that any text may have; a longer one, `CELLS_A_LETTER` times its letters."""

CELLS_A_LETTER = 32

DEEPEST = 100
"""Lists and objects within each other, at most."""


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
    DataError
        When names differ from row to row, so that their columns would be nearly empty, or nesting has no end.

    Examples
    --------
    >>> read_json_lines(b'{"day": ["2020-01-01"], "key": 14159265358979323846}').to_pylist()
    [{'day': ['2020-01-01'], 'key': '14159265358979323846'}]
    """
    text = content.decode()  # column names that are no text come out of Arrow as another error
    _refuse_scattered(text[:LOOKED_THROUGH])
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


def _refuse_scattered(text: str) -> None:
    """Refuse rows that name columns of their own, each of which has a cell in every row, and endless nesting.

    Text that is no JSON is left to Arrow, which says what is wrong with it.
    """
    names: set[tuple[str, ...]] = set()
    items: Counter[tuple[str, ...]] = Counter()
    with suppress(ValueError):
        for place, row in _objects(text):
            if isinstance(row, dict) and _count(row, names, items) > DEEPEST:
                raise _too_deep(text, place)
    cells = sum(items[_list_above(name)] for name in names)
    if cells > max(FREE_CELLS, CELLS_A_LETTER * len(text)):
        raise DataError(
            f"has {len(names)} names in {items[()]} rows, of which a row has few; names that differ from row to row "
            "are values: write them as values of one name, or leave them out"
        )


ITEM = "[]"
"""Stands in the path of a name for the items of a list."""


def _count(row: dict[str, Any], names: set[tuple[str, ...]], items: Counter[tuple[str, ...]]) -> int:
    """Add the names in a row by their paths, and how many rows, or items of lists, there are at a path.

    Returns how many lists and objects lie within each other in the row, or one more than `DEEPEST`.

    >>> names, items = set(), Counter()
    >>> _count({"a": 1, "b": [{"c": 1}, {}]}, names, items)
    2
    >>> sorted(names), sorted(items.items())
    ([('a',), ('b',), ('b', '[]', 'c')], [((), 1), (('b', '[]'), 2)])
    """
    items[()] += 1
    deepest = 0
    left: list[tuple[tuple[str, ...], Any]] = [((), row)]
    while left and deepest <= DEEPEST:
        path, value = left.pop()
        deepest = max(deepest, len(path))
        if isinstance(value, dict):
            own = [(*path, name) for name in value]
            names.update(own)
            left += [
                (name, one) for name, one in zip(own, value.values(), strict=True) if isinstance(one, dict | list)
            ]
        elif any(isinstance(one, dict | list) for one in value):
            path = (*path, ITEM)
            items[path] += len(value)
            left += [(path, one) for one in value if isinstance(one, dict | list)]
    return deepest


def _list_above(name: tuple[str, ...]) -> tuple[str, ...]:
    """The path of the items that have a name: each has a cell of it.

    >>> _list_above(("a", "[]", "b", "c")), _list_above(("a", "b"))
    (('a', '[]'), ())
    """
    above = name[:-1]
    while above and above[-1] != ITEM:
        above = above[:-1]
    return above


def _with_all_digits(table: pa.Table, names: list[str], text: str) -> pa.Table:
    given: dict[str, dict[int, Any]] = {name: {} for name in names}
    for number, (_, row) in enumerate(_objects(text)):
        for name in row.keys() & given.keys():
            given[name][number] = row[name]
    columns = dict(zip(table.column_names, table.columns, strict=True))
    for name, cells in given.items():
        numbers = [number for cell in cells.values() for number in _numbers(cell)]
        of_lists = is_list(table.schema.field(name).type)
        if not any(map(_changes, numbers)) or (of_lists and not all(isinstance(one, _Whole) for one in numbers)):
            continue
        texts: list[Any] = [None] * len(table)
        for number, cell in cells.items():
            texts[number] = _as_text(cell)
        columns[name] = pa.array(texts)
    return pa.table(columns)


def _objects(text: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a text, one after the other, and where each begins."""
    decoder = json.JSONDecoder(parse_int=_Whole)
    at = BLANKS.match(text, 1 if text.startswith("\ufeff") else 0).end()  # type: ignore[union-attr]
    while at < len(text):
        try:
            row, end = decoder.raw_decode(text, at)
        except RecursionError:
            raise _too_deep(text, at) from None
        yield at, row
        at = BLANKS.match(text, end).end()  # type: ignore[union-attr]


def _too_deep(text: str, place: int) -> DataError:
    """What is wrong with the object that begins at a place: Arrow would end the process at 20,000 lists."""
    line = text.count("\n", 0, place) + 1
    return DataError(f"line {line}: more than {DEEPEST} lists or objects lie within each other; write them flat")


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
