"""CSV as spreadsheets and programs write it: its encoding and its delimiter are found, all cells stay text.

UTF-8, with a byte order mark or without; UTF-16 and UTF-32 with one; all else is taken for Windows-1252, which is
said. The delimiter is the comma, semicolon or tab that the header was written with. Cells in quotes may hold line
breaks, and be of any size. Rows of another length than the header are refused, all at once.
"""

import codecs
import csv
import io
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pa_csv

from raymm.data.tabular.names import refuse_repeated
from raymm.errors import DataError, Problems

__all__ = ["read_csv"]

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs"}
"""From the usual one on: where two fit as well, the first is taken."""

SEPARATOR_LINE = re.compile(rb'"?sep=[^\r\n]{1,2}"?[\r\n]', re.IGNORECASE)

RARE_IN_TEXT = "\t"
"""Delimiters that cells hardly hold."""

WIDE_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
"""Byte order marks of texts that are not UTF-8; that of UTF-32 begins with that of UTF-16."""

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
        When the encoding is unknown, a quote is not closed, rows have more or fewer cells than the header, or two
        columns have one name.
    UnicodeError, pyarrow.ArrowInvalid, csv.Error
        When the text cannot be decoded or parsed.
    """
    text, notes = _as_utf8(path, content)
    if (named := SEPARATOR_LINE.match(text)) is not None:
        line = named[0].decode().strip("\r\n")
        raise DataError(f"{path}: its first line, {line!r}, is for a spreadsheet program and no header; remove it")
    delimiter = _delimiter(text)
    if delimiter != ",":
        notes.append(f"{path}: its columns are separated by {DELIMITERS[delimiter]}")
    _check_quotes(path, text, delimiter)
    return _columns(path, text, delimiter), tuple(notes)


def _as_utf8(path: Path, content: bytes) -> tuple[bytes, list[str]]:
    """The text as UTF-8 without a byte order mark."""
    for mark, encoding in WIDE_MARKS.items():
        if content.startswith(mark):
            return content.decode(encoding).encode(), []
    text = content.removeprefix(codecs.BOM_UTF8)
    if 0 in text[:200]:
        raise DataError(
            f"{path}: holds zero bytes, as UTF-16 and UTF-32 without a byte order mark do; save it as UTF-8"
        )
    place = _not_utf8(text)
    if place is None:
        return text, []
    line = text.count(b"\n", 0, place) + 1
    where = f"{path}: is not UTF-8 (byte 0x{text[place]:02x} in line {line})"
    try:
        decoded = text.decode("cp1252")
    except UnicodeDecodeError:
        raise DataError(f"{where}, nor Windows-1252; save it as UTF-8") from None
    return decoded.encode(), [f"{where}: read as Windows-1252; save it as UTF-8 if letters look wrong"]


def _not_utf8(text: bytes) -> int | None:
    """Position of the first byte that is no UTF-8; None where all is."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    for start in range(0, len(text), STEP):
        kept = len(decoder.getstate()[0])
        try:
            decoder.decode(text[start : start + STEP], final=start + STEP >= len(text))
        except UnicodeDecodeError as cause:
            return start - kept + cause.start
    return None


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


def _columns(path: Path, text: bytes, delimiter: str) -> pa.Table:
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
    return table.slice(1).select(named).rename_columns([names[number] for number in named])


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
