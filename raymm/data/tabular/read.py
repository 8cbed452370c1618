"""A table in whatever format a file has, as Arrow columns.

Parquet (`.parquet`, `.pq`), Arrow (`.arrow`, `.feather`: the file and the stream format), JSON lines (`.jsonl`,
`.ndjson`), and CSV for every other suffix; text may be compressed (`.csv.gz`). Suffixes may be in capitals. A file of
1 MB cannot fill the memory: what it expands to is bounded before it is read.
"""

import csv
import gzip
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.ipc
import pyarrow.parquet as pq

from raymm.data.tabular.csv_text import read_csv
from raymm.data.tabular.embedded import Embedded
from raymm.data.tabular.encoding import as_utf8
from raymm.data.tabular.json_lines import read_json_lines
from raymm.data.tabular.names import refuse_repeated
from raymm.data.tabular.overfull import (
    BYTES_A_VALUE,
    LOOKED_AT,
    Part,
    bounded,
    expanded,
    held_by_arrow,
    refuse_overfull,
)
from raymm.errors import DataError

__all__ = ["Table", "read_table"]

EXPANSION = 32
"""How many times larger than the file its content may be, beyond `FREE`."""

FREE = 2**25
"""Bytes that any compressed text may hold."""

FREE_CELLS, FREE_FILES = 2**28, 2**30
"""Bytes that the cells of any Parquet file may take in memory, and, one after the other, the files that it holds."""

PAGE = 4_096
PAGE_OF_FILES = 32
"""Rows of Parquet that are looked through at a time; that are read at a time where they hold whole files."""

START = 16
"""Bytes that tell what a file is."""

ARROW_FILE = b"ARROW1"

GUESSED_FORMATS = {b"PAR1": ".parquet", ARROW_FILE: ".arrow"}
"""First bytes of files that are taken for what they are, whatever their suffix."""

REFUSED_FORMATS = {
    b"PK\x03\x04": "a spreadsheet or an archive",
    b"\xd0\xcf\x11\xe0": "a spreadsheet",
    b"SQLite format 3": "a database",
}


@dataclass(frozen=True)
class Table:
    """The columns of a file, sentences on what was guessed to read them, and what files in them are called."""

    columns: pa.Table
    notes: tuple[str, ...] = ()
    names: Mapping[str, str] = field(default_factory=dict)


def read_table(path: Path, embedded: Embedded | None = None) -> Table:
    """Read a table.

    Parameters
    ----------
    embedded
        Takes files out of columns that hold them; default: all columns stay as they are.

    Raises
    ------
    DataError
        When the file is missing, is of no known format, is damaged, has two columns of one name, or expands to far
        more than its size.
    """
    try:
        suffix = _format(path)
        found = READERS.get(suffix, _read_text)(path, embedded or Embedded((), None))
        refuse_repeated(path, found.columns.column_names)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (pa.ArrowException, OSError, EOFError, ValueError, csv.Error, zlib.error) as cause:
        words = " ".join(str(cause).split())[:300]
        raise DataError(f"{path}: not readable as {path.suffix or 'CSV'} ({words})") from cause
    except DataError as cause:
        raise DataError(str(cause) if str(cause).startswith(str(path)) else f"{path}: {cause}") from cause
    return found


def _format(path: Path) -> str:
    """The suffix that says how to read a file, in lower case; of compressed text, the one before `.gz`."""
    with path.open("rb") as file:
        start = file.read(START)
    if len(start) == START and not any(start):
        raise DataError(
            f"{path}: begins with zero bytes, so it is damaged or was not written to its end; write it anew"
        )
    for magic, suffix in GUESSED_FORMATS.items():
        if start.startswith(magic):
            return suffix
    for magic, what in REFUSED_FORMATS.items():
        if start.startswith(magic):
            raise DataError(f"{path}: is {what}; export it as CSV (UTF-8) or Parquet")
    suffixes = [suffix.lower() for suffix in path.suffixes if suffix.lower() != ".gz"]
    return suffixes[-1] if suffixes else ""


def _read_text(path: Path, embedded: Embedded) -> Table:
    del embedded  # text holds no files
    return Table(*read_csv(path, _content(path)))


def _read_parquet(path: Path, embedded: Embedded) -> Table:
    """Parquet; texts and bytes stay dictionaries while they are read, so that a repeated one takes no room."""
    whole = path.absolute()  # pyarrow takes "run:1.parquet" for an address
    with pq.ParquetFile(whole, page_checksum_verification=True) as file:
        _refuse_many_values(path, file)
        schema = file.schema_arrow
        refuse_repeated(path, schema.names)
        repeated = [column.path for column in _columns_of(file) if column.physical_type == "BYTE_ARRAY"]
    texts = [field.name for field in schema if _is_text(field.type)]
    others = [name for name in schema.names if name not in texts]
    with pq.ParquetFile(whole, read_dictionary=repeated, page_checksum_verification=True) as file:

        def read(rows: int, free: int, columns: list[str] | None = None) -> Table:
            pages = map(_valid, file.iter_batches(rows, columns=columns))
            return _table(bounded(path, pages, free), file.schema_arrow, embedded)

        if embedded.in_schema(schema):
            return read(PAGE_OF_FILES, FREE_FILES)
        if any("." in name for name in schema.names):  # taken for a field within a field
            return read(PAGE, FREE_CELLS)
        words = _valid(file.read(texts, use_threads=False))
        numbers = read(PAGE, FREE_CELLS, others).columns
    return Table(pa.table({name: (words if name in texts else numbers).column(name) for name in [*texts, *others]}))


def _columns_of(file: pq.ParquetFile) -> list[Any]:
    """The columns in which values lie, those within lists and structs each."""
    return [file.schema.column(number) for number in range(len(file.schema))]


def _refuse_many_values(path: Path, file: pq.ParquetFile) -> None:
    meta = file.metadata
    if path.stat().st_size > LOOKED_AT:
        return
    file.scan_contents(batch_size=PAGE)  # damaged metadata of a column would end the process when it is looked at
    groups = [meta.row_group(number) for number in range(meta.num_row_groups)]
    weights = [max(1.0, (column.length or 0) / BYTES_A_VALUE) for column in _columns_of(file)]
    values = sum(
        group.column(number).num_values * weight for group in groups for number, weight in enumerate(weights)
    )
    refuse_overfull(path, meta.num_rows, values)


def _is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def _read_arrow(path: Path, embedded: Embedded) -> Table:
    """The file format, or the stream that Hugging Face datasets write."""
    with pa.memory_map(str(path)) as source:
        is_file = source.read(len(ARROW_FILE)) == ARROW_FILE
        source.seek(0)
        small = source.size() <= LOOKED_AT
        if small:
            refuse_overfull(path, 0, held_by_arrow(source, is_file))
            source.seek(0)
        if is_file:
            file = pa.ipc.open_file(source)
            schema, batches = file.schema, [file.get_batch(number) for number in range(file.num_record_batches)]
        else:
            stream = pa.ipc.open_stream(source)
            schema, batches = stream.schema, list(stream)
        batches = [*map(_valid, batches)]
        if small:
            refuse_overfull(path, sum(batch.num_rows for batch in batches), sum(map(expanded, batches)))
        return _table(batches, schema, embedded)


def _table(parts: Iterable[pa.RecordBatch | pa.Table], schema: pa.Schema, embedded: Embedded) -> Table:
    """Valid parts as one table."""
    kept = []
    for part in parts:
        batches = part.to_batches() if isinstance(part, pa.Table) else [part]
        kept += [embedded.replace(batch) for batch in batches]
    return Table(pa.Table.from_batches(kept, None if kept else schema))


def _valid(part: Part) -> Part:
    """A part that was checked whole: what points outside of its buffers would be read."""
    part.validate(full=True)
    return part


def _read_json_lines(path: Path, embedded: Embedded) -> Table:
    content, notes = as_utf8(path, _content(path))
    return Table(embedded.replace(read_json_lines(content)), tuple(notes))


def _content(path: Path) -> bytes:
    """The bytes of a file, unpacked where they are compressed."""
    content = path.read_bytes()
    if not content.startswith(b"\x1f\x8b"):
        return content
    most = max(FREE, EXPANSION * len(content))
    with gzip.open(path) as file:
        unpacked = file.read(most + 1)
    if len(unpacked) > most:
        raise DataError(f"{path}: unpacks to more than {most} bytes, {EXPANSION} times its size; unpack it first")
    refuse_overfull(path, max(map(unpacked.count, (b"\n", b"\r"))), 0, "unpack it first")
    return unpacked


READERS: dict[str, Callable[[Path, Embedded], Table]] = {
    ".parquet": _read_parquet,
    ".pq": _read_parquet,
    ".arrow": _read_arrow,
    ".feather": _read_arrow,
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
}
