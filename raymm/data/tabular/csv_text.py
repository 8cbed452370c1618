"""CSV as spreadsheets and programs write it: its encoding and its delimiter are found, all cells stay text.

UTF-8, with a byte order mark or without; UTF-16 and UTF-32 with one; all else is taken for Windows-1252, which is
said. The delimiter is the comma, semicolon or tab that the header was written with. Cells in quotes may hold line
breaks, and be of any size. Rows of another length than the header are refused, all at once.
"""

import csv
import io
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from raymm.counts import counted
from raymm.data.tabular.encoding import as_utf8
from raymm.data.tabular.names import refuse_repeated
from raymm.errors import DataError, Problems

__all__ = ["read_csv"]

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs"}
"""From the usual one on: where two fit as well, the first is taken."""

SEPARATOR_LINE = re.compile(rb'"?sep=[^\r\n]{1,2}"?[\r\n]', re.IGNORECASE)

RARE_IN_TEXT = "\t"
"""Delimiters that cells hardly hold."""

STEP = 2**20
LARGEST_BLOCK = 2**30
"""Bytes that are parsed together, at most; a row must lie within one block."""

SHOWN = 60
"""Letters of a row that a message shows."""


def read_csv(path: Path, content: bytes) -> tuple[pa.Table, tuple[str, ...]]:
    """The columns of a CSV file, all of strings, and sentences on what was guessed.

    Raises
    ------
    DataError
        When the encoding is unknown, there are zero bytes, a quote is not closed, rows have more or fewer cells than
        the header, or two columns have one name.
    UnicodeError, pyarrow.ArrowInvalid, csv.Error
        When the text cannot be decoded or parsed.
    """
    text, notes = as_utf8(path, content, windows=True)
    if (named := SEPARATOR_LINE.match(text)) is not None:
        line = named[0].decode().strip("\r\n")
        raise DataError(f"{path}: its first line, {line!r}, is for a spreadsheet program and no header; remove it")
    delimiter = _delimiter(text)
    if delimiter != ",":
        notes.append(f"{path}: its columns are separated by {DELIMITERS[delimiter]}")
    _check_quotes(path, text, delimiter)
    columns, beside = _columns(path, text, delimiter)
    return columns, (*notes, *beside)


def _delimiter(text: bytes) -> str:
    """The delimiter whose header has a column `label`; else the one with most columns."""
    headers = {delimiter: _header(text, delimiter) for delimiter in DELIMITERS}
    return max(headers, key=lambda delimiter: ("label" in headers[delimiter], len(headers[delimiter])))


def _header(text: bytes, delimiter: str) -> list[str]:
    with _any_cell_size():
        rows = csv.reader(_lines(text), delimiter=delimiter)
        return [name.strip() for name in next((row for row in rows if row), [])]


def _check_quotes(path: Path, text: bytes, delimiter: str) -> None:
    """Refuse quotes that make one cell of many rows: one that is not closed, or closed by a later row.

    Tables without quoting have cells that begin with a quote, and a later one may end with one.
    """
    if b'"' not in text:
        return
    problems = Problems(str(path))
    with _any_cell_size():
        lines: list[str] = []
        reader = csv.reader(_kept(_lines(text), lines), delimiter=delimiter, strict=True)
        try:
            for first, last in _swallowed(reader, lines, delimiter):
                problems.add(
                    f"lines {first} to {last} are one row, as a cell of line {first} begins with a quote and one of "
                    f"line {last} ends with one, but each of them has as many cells as the header; if each is a row, "
                    "put cells that begin with a quote in quotes and write the quotes within twice; if they are one, "
                    "save the table as Parquet or JSON lines"
                )
        except csv.Error as cause:
            raise DataError(
                f"{path}: line {reader.line_num}: a cell that begins with a quote does not end with one ({cause}); "
                "write quotes within a cell twice"
            ) from None
    problems.raise_if_any(DataError)


def _swallowed(reader: Any, lines: list[str], delimiter: str) -> list[tuple[int, int]]:
    """First and last line of the rows of several lines that look like several rows; `lines` are those of a row.

    Each line has as many separators as the header. Text of several lines may have as many commas by chance: where the
    separator is one that text often has, the labels of these lines must be those of other rows, in a table of three
    columns or more. Where the header is in quotes, every cell may be.
    """
    header, labels, found = None, set(), []
    for row in reader:
        own, quoted = lines.copy(), any('"' in line for line in lines)
        lines.clear()
        if header is None and row:
            header = [name.strip() for name in row]
            if quoted:
                break
        elif header is not None and len(own) == 1 and "label" in header and len(row) == len(header):
            labels.add(row[header.index("label")].strip())
        elif header is not None and all(line.count(delimiter) == len(header) - 1 > 0 for line in own) and row:
            found.append((reader.line_num - len(own) + 1, reader.line_num, own))
    for _ in reader:  # what is left may hold an open quote
        lines.clear()
    place = header.index("label") if header and len(header) > 2 and "label" in header else None
    return [
        (first, last)
        for first, last, own in found
        if delimiter in RARE_IN_TEXT
        or (place is not None and all(line.split(delimiter)[place].strip(' \r\n"') in labels for line in own))
    ]


def _kept(lines: Iterator[str], kept: list[str]) -> Iterator[str]:
    """Lines, each put to the kept ones before it is given."""
    for line in lines:
        kept.append(line)
        yield line


def _columns(path: Path, text: bytes, delimiter: str) -> tuple[pa.Table, list[str]]:
    """The columns that have a name, and a sentence on cells beside them."""
    header = _header(text, delimiter)
    wrong: list[Any] = []
    table = pa_csv.read_csv(
        pa.BufferReader(text),
        # the header is read as a row: its names may be empty, or hold line breaks
        pa_csv.ReadOptions(use_threads=False, autogenerate_column_names=True, block_size=_block(text)),
        pa_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True, invalid_row_handler=_collect(wrong)),
        pa_csv.ConvertOptions(
            column_types={f"f{number}": pa.string() for number in range(len(header))}, strings_can_be_null=False
        ),
    )
    problems = Problems(str(path))
    for row in wrong:
        shown = " ".join(row.text.split())[:SHOWN]
        problems.add(
            f"row {row.number - 1} has {row.actual_columns} cells, the header {row.expected_columns}: {shown}"
        )
    problems.raise_if_any(DataError)
    names = [column[0].as_py().strip() for column in table.columns]
    refuse_repeated(path, names)
    named = [number for number, name in enumerate(names) if name]
    cells = table.slice(1)
    beside = _beside_note(path, cells.select(range(max(named, default=-1) + 1, len(names))))
    return cells.select(named).rename_columns([names[number] for number in named]), beside


def _beside_note(path: Path, unnamed: pa.Table) -> list[str]:
    """A sentence on rows with cells behind the last column that has a name: a comma may have shifted them."""
    held = (pc.not_equal(pc.utf8_trim_whitespace(column), "") for column in unnamed.columns)
    rows = sorted({row for cells in held for row in pc.indices_nonzero(cells).to_pylist()})
    if not rows:
        return []
    where = f"cells behind the last column with a name (first: row {rows[0] + 1}), which are left out"
    said = f"{counted(len(rows), 'row has', 'rows have')} {where}; put cells that hold a separator in quotes"
    return [f"{path}: {said}"]


def _collect(rows: list[Any]) -> Any:
    """A handler that keeps the rows of another length than the header."""

    def keep(row: Any) -> str:
        rows.append(row)
        return "skip"

    return keep


def _lines(text: bytes) -> Iterator[str]:
    return io.TextIOWrapper(io.BytesIO(text), "utf-8", newline="")


def _block(text: bytes) -> int:
    return min(max(len(text), STEP), LARGEST_BLOCK)


@contextmanager
def _any_cell_size() -> Iterator[None]:
    """Let the csv module read cells of any size, for a while."""
    before = csv.field_size_limit(sys.maxsize)
    try:
        yield
    finally:
        csv.field_size_limit(before)
