"""The valuation table as a Parquet file.

Columns: sample_id, split, label, prediction, one phi_<modality> each (null where the modality is missing),
`outcomes`, the packed bits of all coalitions (1: correct), `source`, the file of the sample, `label_name` and
`prediction_name`, the names of the classes; the last three are absent in tables of 0.1.0. Of several labels a sample,
label and prediction are lists of K booleans, and `probabilities` is a list of K numbers. Where not all coalitions
were evaluated, `outcomes` is null and there are two more: stderr_<modality>, the standard error of each phi (0 where
it is exact after all), and `alone`, whose bit i is 1 where modality i is correct by itself. The metadata key `raymm`
holds in JSON the number of the format and a `TableInfo`. Readers ignore columns and JSON keys that they do not know,
so that both may be added without a new format; a file without a format is of format 1. Pages carry checksums, which
are verified when the file is read.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, replace
from itertools import chain
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field, field_validator

from raymm.errors import DataError, Problems
from raymm.storage import layout
from raymm.storage.atomic import atomic_path
from raymm.storage.local_path import local_path
from raymm.storage.records import JsonRecord, parse_json
from raymm.tasks.registry import read_task
from raymm.valuation.bits import bits_at, pack_bits, unpack_bits
from raymm.valuation.coalitions import MAX_PLAYERS
from raymm.valuation.run_checks import check_of_run
from raymm.valuation.table import TableInfo, ValuationTable, join_tables, regrouped
from raymm.valuation.table_checks import wrong_values
from raymm.valuation.table_columns import (
    as_column,
    bytes_of,
    lists,
    numbers,
    packed_bits,
    rows_of_bytes,
    texts,
)
from raymm.valuation.table_pieces import Pieces

__all__ = [
    "FORMAT",
    "TableWriter",
    "read_epoch_table",
    "read_table",
    "read_test_table",
    "table_schema",
    "write_table",
    "write_tables",
]

FORMAT = 1
"""Changes when a reader of the former format would misread a file."""

NAMES = ("label_name", "prediction_name")
"""Columns for other readers: they follow from label, prediction and the names in the metadata."""

PIECE = 32_768
"""Rows that are read or written, and become a row group, at a time."""

OPTIONAL = ("source", *NAMES)
"""Columns that a file may lack, as those of version 0.1.0 do."""

TEXTS = ("sample_id", "split", "source")
BITS = ("outcomes", "alone")
"""Columns that stay dictionaries while they are read: texts and bits that stand twice take their room once."""

PIECE_BYTES = 2**25
"""What a piece that is read takes at most: of wide rows it has fewer."""

FREE_ROWS, ROWS_EXPANSION = 2**30, 256
"""Bytes that the rows of any file may take in memory, and how many times its size those of a larger one: with more it
is refused. Outcomes that are the same in all rows, as of a model that was not trained, take next to nothing in it."""

FREE_TEXTS, EXPANSION = 2**26, 64
"""The same of its unpacked pages, and of each column of texts of one length: longer texts are references."""

MOST_CLASSES = 2**31 - 1
"""Of a list in Arrow."""


class TableWriter:
    """Writes tables to one Parquet file part by part; use it as a context manager.

    Only one part at a time is in memory, and of what it becomes in the file only `PIECE` rows.
    """

    def __init__(self, path: Path, info: TableInfo) -> None:
        metadata = {b"raymm": json.dumps({"format": FORMAT, **asdict(info)}).encode()}
        self._schema = table_schema(info).with_metadata(metadata)
        self._writer = pq.ParquetWriter(path.absolute(), self._schema, write_page_checksum=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()

    def write(self, table: ValuationTable) -> None:
        """Append the rows of `table`."""
        for start in range(0, len(table), PIECE):
            columns = _to_columns(table.part(start, start + PIECE))
            arrays = [as_column(columns[column.name], column.type) for column in self._schema]
            self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema))


def write_table(path: Path, table: ValuationTable) -> None:
    """Write a valuation table as Parquet, atomically.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> table = ValuationTable(
    ...     info=TableInfo(("audio",), "count", "zeros", "0123456789abcdef"),
    ...     sample_id=np.array(["a"]),
    ...     split=np.array(["test"]),
    ...     label=np.array([0]),
    ...     prediction=np.array([0]),
    ...     phi=np.array([[1.0]]),
    ...     outcomes=pack_bits(np.array([[False, True]])),
    ...     loss=np.array([0.1]),
    ...     stderr=np.array([[0.0]]),
    ...     unimodal_correct=np.array([[True]]),
    ... )
    >>> with TemporaryDirectory() as folder:
    ...     write_table(Path(folder) / "t.parquet", table)
    ...     again = read_table(Path(folder) / "t.parquet")
    >>> again.info == table.info, again.phi, again.unimodal_correct
    (True, array([[1.]]), array([[ True]]))
    """
    write_tables(path, [table])


def write_tables(path: Path, tables: Iterable[ValuationTable]) -> None:
    """Write the tables of consecutive parts of a valuation, at least one, as the file of all their rows, atomically.

    They are taken one after another: of an iterator some `PIECE` rows are in memory, and the file is the same.
    """
    remaining = iter(tables)
    first = next(remaining)
    pieces = regrouped(chain([first], remaining), PIECE)
    with atomic_path(path) as temporary, TableWriter(temporary, first.info) as writer:
        del first
        for piece in pieces:
            writer.write(piece)


def read_table(path: str | Path) -> ValuationTable:
    """Read a valuation table.

    Examples
    --------
    `write_table` has an example of a table that is written and read.

    >>> read_table(Path("no-such-folder/t.parquet"))
    Traceback (most recent call last):
    raymm.errors.DataError: no-such-folder/t.parquet: no such file

    Raises
    ------
    DataError
        When the file is missing, damaged, not a valuation table, or of a newer format, or a label or value
        in it can be none.
    """
    path = local_path(path)
    try:
        whole = path.absolute()  # pyarrow takes "run:1.parquet" for an address
        with pq.ParquetFile(whole, page_checksum_verification=True, pre_buffer=False) as file:
            info = _info(path, file.schema_arrow.metadata or {})
            _check_schema(path, file.schema_arrow, info)
            _refuse_overfull(path, file.metadata, info)
            words = [name for name in (*TEXTS, *BITS) if name in file.schema_arrow.names]
        with pq.ParquetFile(whole, read_dictionary=words, page_checksum_verification=True, pre_buffer=False) as file:
            table = _joined(file, Pieces(path, info, _widest(path, file.metadata.num_rows)), info)
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (pa.ArrowException, OSError, ValueError) as cause:
        raise DataError(f"{path}: not a readable Parquet file ({cause}); value the split again") from cause
    Problems(str(path), wrong_values(table)).raise_if_any(DataError, note="value the split again")
    return table


def read_test_table(run: Path, split: str = "test") -> ValuationTable:
    """The valuation of the test split by the picked model of a finished run.

    Parameters
    ----------
    split
        "test", or `UNCALIBRATED_TEST` of `raymm.tracking.metrics` for the model as it was trained.

    Raises
    ------
    CheckpointError, DataError
        As `read_table` and `raymm.valuation.run_checks.check_of_run`.
    """
    file = layout.valuation_file(layout.result_folder(run), split)
    table = read_table(file)
    check_of_run(run, file, table, "test", split)
    return table


def read_epoch_table(run: Path, epoch: int, split: str, metrics: Mapping[str, float]) -> ValuationTable:
    """The valuation of a split after an epoch of a finished run that has these metrics; errors as `read_test_table`.

    Parameters
    ----------
    epoch
        Number of the epoch folder.
    """
    file = layout.valuation_file(layout.epoch_folder(run, epoch), split)
    table = read_table(file)
    check_of_run(run, file, table, split, split, metrics)
    return table


def table_schema(info: TableInfo) -> pa.Schema:
    """The columns of a file, in order: the one list of their names and types."""
    task = read_task(info.task)
    labels = task.arrow_type(info.classes)
    fixed = [("sample_id", pa.string()), ("split", pa.string()), ("label", labels), ("prediction", labels)]
    if task.keeps_probabilities:
        fixed.append(("probabilities", pa.list_(pa.float64(), info.classes)))
    values = [(f"phi_{name}", pa.float64()) for name in info.modalities]
    sampled = [*((f"stderr_{name}", pa.float64()) for name in info.modalities), ("alone", pa.binary())]
    rest = () if info.method == "exact" else sampled
    return pa.schema(
        [
            *fixed,
            *values,
            ("outcomes", pa.binary()),
            *rest,
            ("source", pa.string()),
            *((name, pa.string()) for name in NAMES),
        ]
    )


def _joined(file: pq.ParquetFile, pieces: Pieces, info: TableInfo) -> ValuationTable:
    """The rows of a file, some at a time: all of them as Arrow has them would take as much memory once more."""
    there = set(file.schema_arrow.names)
    columns = [name for name in table_schema(info).names if name in there and name not in NAMES]
    if not file.metadata.num_rows:
        return replace(_from_columns(file.read(columns), info, pieces.widest), source=None)
    checked = pieces.checked(file.iter_batches(min(PIECE, 1 + PIECE_BYTES // _row_bytes(info)), columns=columns))
    table = join_tables((_from_columns(rows, info, pieces.widest) for rows in checked), file.metadata.num_rows)
    return table if pieces.with_source else replace(table, source=None)


def _to_columns(table: ValuationTable) -> dict[str, Any]:
    """Values of all columns by name; more than the schema of an exact table has."""
    names = table.info.modalities
    return {
        "sample_id": table.sample_id,
        "split": table.split,
        "label": table.task.to_arrow(table.label),
        "prediction": table.task.to_arrow(table.prediction),
        "probabilities": lists(table.probabilities),
        **{f"phi_{name}": table.phi[:, i] for i, name in enumerate(names)},
        "outcomes": rows_of_bytes(table.outcomes) if table.enumerated else pa.nulls(len(table), pa.binary()),
        **{f"stderr_{name}": table.stderr[:, i] for i, name in enumerate(names)},
        "alone": rows_of_bytes(pack_bits(table.unimodal_correct)),
        "source": _strings(table.source, len(table)),
        "label_name": _strings(table.text(table.label), len(table)),
        "prediction_name": _strings(table.text(table.prediction), len(table)),
    }


def _from_columns(rows: pa.Table, info: TableInfo, widest: float) -> ValuationTable:
    """The inverse of `_to_columns`, with texts as `texts` has them.

    Of an exact table the rest follows from phi and the outcomes.
    """
    n, task = len(info.modalities), read_task(info.task)
    phi = _floats(rows, "phi", info)
    if info.method == "exact":
        outcomes = packed_bits(rows.column("outcomes"), 2**n)
        unimodal_correct = bits_at(outcomes, [1 << i for i in range(n)])
        stderr = np.where(np.isnan(phi), np.nan, 0.0)
    else:
        outcomes = np.empty((len(rows), 0), np.uint8)
        unimodal_correct = unpack_bits(packed_bits(rows.column("alone"), n), n)
        stderr = _floats(rows, "stderr", info)
    return ValuationTable(
        info=info,
        sample_id=texts(rows.column("sample_id"), widest),
        split=texts(rows.column("split"), widest),
        label=task.from_arrow(rows.column("label")),
        prediction=task.from_arrow(rows.column("prediction")),
        phi=phi,
        outcomes=outcomes,
        loss=np.full(len(rows), np.nan),
        stderr=stderr,
        unimodal_correct=unimodal_correct,
        probabilities=numbers(rows.column("probabilities")) if task.keeps_probabilities else None,
        source=texts(rows.column("source"), widest) if "source" in rows.column_names else None,
    )


def _refuse_overfull(path: Path, file: pq.FileMetaData, info: TableInfo) -> None:
    """Refuse a small file whose rows would take far more memory than it has bytes."""
    rows, size = file.num_rows * _row_bytes(info), path.stat().st_size
    packed = sum(file.row_group(number).total_byte_size for number in range(file.num_row_groups))
    if rows > max(FREE_ROWS, ROWS_EXPANSION * size) or packed > max(FREE_TEXTS, EXPANSION * size):
        raise DataError(
            f"{path}: says that its {file.num_rows} rows take {max(rows, packed)} bytes, and it has {size}; it is "
            "damaged; value the split again"
        )


def _row_bytes(info: TableInfo) -> int:
    """What a row takes in memory, with its texts as references."""
    n = len(info.modalities)
    bits = bytes_of(2**n) if info.method == "exact" else 0
    lists = info.classes if read_task(info.task).label_ndim > 1 else 0
    return 8 * (2 * n + 8) + bits + 10 * lists


def _widest(path: Path, rows: int) -> float:
    """Letters of the longest text with which a column of so many rows is an array of texts of one length."""
    return max(FREE_TEXTS, EXPANSION * path.stat().st_size) / (4 * max(1, rows))


def _check_schema(path: Path, found: pa.Schema, info: TableInfo) -> None:
    """Raise when a column is missing or of another type; further columns are ignored."""
    there = {column.name: column.type for column in found}
    wrong = [
        f"'{column.name}' is {there.get(column.name, 'missing')}, not {column.type}"
        for column in table_schema(info)
        if there.get(column.name) != column.type and (column.name in there or column.name not in OPTIONAL)
    ]
    if wrong:
        raise DataError(
            f"{path}: its columns are not those of a valuation table of {', '.join(info.modalities)}: "
            f"{'; '.join(wrong)}"
        )


class _SavedInfo(JsonRecord):
    """The metadata of a table."""

    newest = FORMAT
    remedy = "value the split again"

    modalities: list[str] = Field(min_length=1)
    utility: str
    masking: str
    fingerprint: str
    epoch: int | None = None
    method: str = "exact"
    budget: int | None = None
    task: dict[str, Any] | None = None
    classes: int = Field(default=0, ge=0, le=MOST_CLASSES)
    class_names: list[str] = Field(default_factory=list)

    @field_validator("task")
    @classmethod
    def _named(cls, task: dict[str, Any] | None) -> dict[str, Any] | None:
        if task is not None and "name" not in task:
            raise ValueError("a task has a 'name'")
        return task


def _info(path: Path, metadata: dict[bytes, bytes]) -> TableInfo:
    where = f"{path}: Parquet, but not a valuation table (metadata key 'raymm')"
    values = parse_json(metadata.get(b"raymm", b""), where)
    number = values.get("format", 1)
    if not isinstance(number, int) or number > FORMAT:
        raise DataError(
            f"{path}: a valuation table of format {number}, and this raymm reads formats up to {FORMAT}; "
            "update raymm, or value the split again"
        )
    saved = _SavedInfo.of(values, where).model_dump(exclude={"format"}, exclude_none=True)
    if saved["method"] == "exact" and (n := len(saved["modalities"])) > MAX_PLAYERS:
        raise DataError(
            f"{where}: exact values of {n} modalities, at most {MAX_PLAYERS} may be; value the split again"
        )
    return TableInfo(**{**saved, **{name: tuple(saved[name]) for name in ("modalities", "class_names")}})


def _floats(rows: pa.Table, kind: str, info: TableInfo) -> npt.NDArray[np.float64]:
    columns = [rows.column(f"{kind}_{name}").to_numpy() for name in info.modalities]
    return np.stack(columns, axis=1).astype(np.float64)


def _strings(values: npt.NDArray[np.str_] | None, rows: int) -> npt.NDArray[np.str_] | pa.Array:
    return pa.nulls(rows, pa.string()) if values is None else values
