"""The valuation table: one row a sample, in memory and as Parquet.

Columns: sample_id, split, label, prediction, one phi_<modality> each (null where the modality is missing),
`outcomes`, the packed bits of all coalitions (1: correct), and `source`, the file of the sample (absent in tables of
0.1.0). Of several labels a sample, label and prediction are lists of K booleans, and `probabilities` is a list of K
numbers. Where not all coalitions were evaluated, `outcomes` is null and there are two more: stderr_<modality>, the
standard error of each phi (0 where it is exact after all), and `alone`, whose bit i is 1 where modality i is correct
by itself. The metadata key `raymm` holds in JSON the number of the format and a `TableInfo`. Readers ignore columns
and JSON keys that they do not know, so that both may be added without a new format; a file without a format is of
format 1. Pages carry checksums, which are verified when the file is read.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from raymm.errors import DataError
from raymm.storage.atomic import atomic_path
from raymm.tasks.base import Labels, Task
from raymm.tasks.registry import DEFAULT, read_task
from raymm.valuation.bits import bits_at, pack_bits, unpack_bits
from raymm.valuation.utilities import fair_share_of

__all__ = ["FORMAT", "TableInfo", "TableWriter", "ValuationTable", "join_tables", "read_table", "write_table"]

FORMAT = 1
"""Changes when a reader of the former format would misread a file."""

OPTIONAL = ("source",)
"""Columns that a file may lack, as those of version 0.1.0 do."""


@dataclass(frozen=True)
class TableInfo:
    """The game and the model whose values a table holds.

    Attributes
    ----------
    modalities
        Names, in the order of the players.
    utility, masking
        The utility v(C), and the baseline in the place of masked features.
    fingerprint
        Of the weights, see `raymm.valuation.protocol.fingerprint`.
    epoch
        Epoch of the training after which the model was valued.
    method
        "exact", "sampled", or "closed_form" (additive models, utility `logit`).
    budget
        Coalitions evaluated of each sample where values are sampled.
    task
        The task of the labels: its name and settings, as `raymm.tasks.task_fields` gives them.
    classes
        Number of classes K; 0 in tables of version 0.1.0, which are of classification and do not need it.

    Examples
    --------
    >>> TableInfo(("audio", "rgb"), utility="count", masking="zeros", fingerprint="0123456789abcdef").fair_share
    1.0
    """

    modalities: tuple[str, ...]
    utility: str
    masking: str
    fingerprint: str
    epoch: int | None = None
    method: str = "exact"
    budget: int | None = None
    task: Mapping[str, Any] = field(default_factory=lambda: {"name": DEFAULT})
    classes: int = 0

    @property
    def fair_share(self) -> float | None:
        """The fair share of the utility; None where it has none, or is not known here."""
        return fair_share_of(self.utility)


@dataclass(frozen=True)
class ValuationTable:
    """Valuations of samples; all arrays have one row a sample.

    Attributes
    ----------
    sample_id, split
        Strings [N].
    label, prediction
        Of the task's type: int64 [N], or bool [N, K] for several labels a sample.
    phi
        float64 [N, n]; NaN where a modality is missing.
    outcomes
        uint8 [N, ceil(2**n / 8)]: bit c of the little-endian bytes is 1 when coalition c is correct; no columns where
        not all coalitions were evaluated.
    loss
        float64 [N], the task's loss of the prediction (cross-entropy in nats); NaN when read from a file, which does
        not contain it.
    stderr
        float64 [N, n], standard errors of phi: 0 where it is exact, NaN where a modality is missing.
    unimodal_correct
        bool [N, n]: whether each modality is correct by itself.
    probabilities
        float64 [N, K]: probability of each class; None or no columns where the task does not keep them.
    source
        Strings [N]: the file of each sample as the manifest named it, empty where it has none; None where the table
        does not say.

    Examples
    --------
    Two samples of two modalities; the second is correct with modality 0 alone and lacks modality 1.

    >>> correct = np.array([[False, True, True, True], [False, True, False, True]])  # of {}, {0}, {1}, {0, 1}
    >>> table = ValuationTable(
    ...     info=TableInfo(("audio", "rgb"), "count", "zeros", "0123456789abcdef"),
    ...     sample_id=np.array(["a", "b"]),
    ...     split=np.array(["test", "test"]),
    ...     label=np.array([0, 1]),
    ...     prediction=np.array([0, 1]),
    ...     phi=np.array([[1.0, 1.0], [1.0, np.nan]]),
    ...     outcomes=pack_bits(correct),
    ...     loss=np.array([0.1, 0.2]),
    ...     stderr=np.array([[0.0, 0.0], [0.0, np.nan]]),
    ...     unimodal_correct=correct[:, [1, 2]],
    ... )
    >>> len(table), table.enumerated
    (2, True)
    >>> bool((table.correct() == correct).all())
    True
    """

    info: TableInfo
    sample_id: npt.NDArray[np.str_]
    split: npt.NDArray[np.str_]
    label: Labels
    prediction: Labels
    phi: npt.NDArray[np.float64]
    outcomes: npt.NDArray[np.uint8]
    loss: npt.NDArray[np.float64]
    stderr: npt.NDArray[np.float64]
    unimodal_correct: npt.NDArray[np.bool_]
    probabilities: npt.NDArray[np.float64] | None = None
    source: npt.NDArray[np.str_] | None = None

    @property
    def task(self) -> Task:
        """The task that labels and predictions are of."""
        return read_task(self.info.task)

    @property
    def grand_correct(self) -> npt.NDArray[np.bool_]:
        """bool [N]: whether the grand coalition predicts the label."""
        correct: npt.NDArray[np.bool_] = self.task.is_right(self.prediction, self.label)
        return correct

    def membership(self, classes: int) -> npt.NDArray[np.bool_]:
        """bool [N, K]: the classes that each sample belongs to by its label."""
        member: npt.NDArray[np.bool_] = self.task.class_membership(self.label, classes)
        return member

    @property
    def enumerated(self) -> bool:
        """Whether all coalitions were evaluated."""
        return self.info.method == "exact"

    def __len__(self) -> int:
        return len(self.label)

    def correct(self) -> npt.NDArray[np.bool_]:
        """bool [N, 2**n]: whether each coalition is correct; raises `DataError` where not all were evaluated."""
        if not self.enumerated:
            raise DataError(
                f"the values are {self.info.method}: not all coalitions were evaluated; use valuation.method=exact"
            )
        return unpack_bits(self.outcomes, 2 ** len(self.info.modalities))


class TableWriter:
    """Writes tables to one Parquet file part by part; use it as a context manager.

    Only one part at a time is in memory.
    """

    def __init__(self, path: Path, info: TableInfo) -> None:
        metadata = {b"raymm": json.dumps({"format": FORMAT, **asdict(info)}).encode()}
        self._schema = _schema(info).with_metadata(metadata)
        self._writer = pq.ParquetWriter(path, self._schema, write_page_checksum=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()

    def write(self, table: ValuationTable) -> None:
        """Append the rows of `table`."""
        if len(table):
            columns = _to_columns(table)
            arrays = [_array(columns[column.name], column.type) for column in self._schema]
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
    with atomic_path(path) as temporary, TableWriter(temporary, table.info) as writer:
        writer.write(table)


def read_table(path: Path) -> ValuationTable:
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
        When the file is missing, damaged, not a valuation table, or of a newer format.
    """
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            info = _info(path, file.schema_arrow.metadata or {})
            _check_schema(path, file.schema_arrow, info)
            there = set(file.schema_arrow.names)
            rows = file.read(columns=[name for name in _schema(info).names if name in there])
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (pa.ArrowInvalid, OSError) as cause:
        raise DataError(f"{path}: not a readable Parquet file ({cause}); value the split again") from cause
    _check_rows(path, rows, info)
    return _from_columns(rows, info)


def join_tables(tables: Sequence[ValuationTable]) -> ValuationTable:
    """One table of the rows of several, in order; all must stem from one valuation.

    Examples
    --------
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
    >>> len(join_tables([table, table]))
    2
    """
    names = [declared.name for declared in fields(ValuationTable) if declared.name != "info"]
    columns = {name: [getattr(table, name) for table in tables] for name in names}
    arrays: dict[str, Any] = {
        name: None if any(part is None for part in parts) else np.concatenate(parts)
        for name, parts in columns.items()
    }
    return ValuationTable(info=tables[0].info, **arrays)


def _schema(info: TableInfo) -> pa.Schema:
    """The columns of a file, in order: the one list of their names and types."""
    task = read_task(info.task)
    labels = task.arrow_type(info.classes)
    fixed = [("sample_id", pa.string()), ("split", pa.string()), ("label", labels), ("prediction", labels)]
    if task.keeps_probabilities:
        fixed.append(("probabilities", pa.list_(pa.float64(), info.classes)))
    values = [(f"phi_{name}", pa.float64()) for name in info.modalities]
    sampled = [*((f"stderr_{name}", pa.float64()) for name in info.modalities), ("alone", pa.binary())]
    rest = () if info.method == "exact" else sampled
    return pa.schema([*fixed, *values, ("outcomes", pa.binary()), *rest, ("source", pa.string())])


def _to_columns(table: ValuationTable) -> dict[str, Any]:
    """Values of all columns by name; more than the schema of an exact table has."""
    names = table.info.modalities
    return {
        "sample_id": table.sample_id.tolist(),
        "split": table.split.tolist(),
        "label": table.task.to_arrow(table.label),
        "prediction": table.task.to_arrow(table.prediction),
        "probabilities": _lists(table.probabilities),
        **{f"phi_{name}": table.phi[:, i] for i, name in enumerate(names)},
        "outcomes": _rows_of_bytes(table.outcomes) if table.enumerated else [None] * len(table),
        **{f"stderr_{name}": table.stderr[:, i] for i, name in enumerate(names)},
        "alone": _rows_of_bytes(pack_bits(table.unimodal_correct)),
        "source": [None] * len(table) if table.source is None else table.source.tolist(),
    }


def _from_columns(rows: pa.Table, info: TableInfo) -> ValuationTable:
    """The inverse of `_to_columns`; of an exact table the rest follows from phi and the outcomes."""
    n, task = len(info.modalities), read_task(info.task)
    phi = _floats(rows, "phi", info)
    if info.method == "exact":
        outcomes = _bytes(rows.column("outcomes"), 2**n)
        unimodal_correct = bits_at(outcomes, [1 << i for i in range(n)])
        stderr = np.where(np.isnan(phi), np.nan, 0.0)
    else:
        outcomes = np.empty((len(rows), 0), np.uint8)
        unimodal_correct = unpack_bits(_bytes(rows.column("alone"), n), n)
        stderr = _floats(rows, "stderr", info)
    return ValuationTable(
        info=info,
        sample_id=np.array(rows.column("sample_id").to_pylist(), dtype=np.str_),
        split=np.array(rows.column("split").to_pylist(), dtype=np.str_),
        label=task.from_arrow(rows.column("label")),
        prediction=task.from_arrow(rows.column("prediction")),
        phi=phi,
        outcomes=outcomes,
        loss=np.full(len(rows), np.nan),
        stderr=stderr,
        unimodal_correct=unimodal_correct,
        probabilities=_numbers(rows.column("probabilities")) if task.keeps_probabilities else None,
        source=_sources(rows),
    )


def _check_schema(path: Path, found: pa.Schema, info: TableInfo) -> None:
    """Raise when a column is missing or of another type; further columns are ignored."""
    there = {column.name: column.type for column in found}
    wrong = [
        f"'{column.name}' is {there.get(column.name, 'missing')}, not {column.type}"
        for column in _schema(info)
        if there.get(column.name) != column.type and (column.name in there or column.name not in OPTIONAL)
    ]
    if wrong:
        raise DataError(
            f"{path}: its columns are not those of a valuation table of {', '.join(info.modalities)}: "
            f"{'; '.join(wrong)}"
        )


def _check_rows(path: Path, rows: pa.Table, info: TableInfo) -> None:
    """Raise when a value is null that every row has, or when packed bits have another length than they must."""
    n = len(info.modalities)
    bits, count = ("outcomes", 2**n) if info.method == "exact" else ("alone", n)
    wrong = [
        f"'{name}' is null in {rows.column(name).null_count} rows"
        for name in ("sample_id", "split", "label", "prediction", bits)
        if rows.column(name).null_count
    ]
    if not wrong and any(len(row) != _bytes_of(count) for row in rows.column(bits).to_pylist()):
        wrong.append(f"'{bits}' must have {_bytes_of(count)} bytes in every row")
    if wrong:
        raise DataError(f"{path}: not a whole valuation table: {'; '.join(wrong)}; value the split again")


def _info(path: Path, metadata: dict[bytes, bytes]) -> TableInfo:
    known = {declared.name for declared in fields(TableInfo)}
    try:
        values: dict[str, Any] = json.loads(metadata[b"raymm"])
        number = values.get("format", 1)
        kept = {name: value for name, value in values.items() if name in known}
        if isinstance(number, int) and number <= FORMAT:
            return TableInfo(**{**kept, "modalities": tuple(kept["modalities"])})
    except (AttributeError, KeyError, TypeError, json.JSONDecodeError) as cause:
        raise DataError(f"{path}: Parquet, but not a valuation table (metadata key 'raymm': {cause})") from cause
    raise DataError(
        f"{path}: a valuation table of format {number}, and this raymm reads formats up to {FORMAT}; "
        "update raymm, or value the split again"
    )


def _floats(rows: pa.Table, kind: str, info: TableInfo) -> npt.NDArray[np.float64]:
    columns = [rows.column(f"{kind}_{name}").to_numpy() for name in info.modalities]
    return np.stack(columns, axis=1).astype(np.float64)


def _sources(rows: pa.Table) -> npt.NDArray[np.str_] | None:
    column = rows.column("source") if "source" in rows.column_names else None
    if column is None or column.null_count == len(rows):
        return None
    return np.array(column.fill_null("").to_pylist(), dtype=np.str_)


def _array(values: Any, kind: pa.DataType) -> pa.Array:
    return values if isinstance(values, pa.Array) else pa.array(values, kind, from_pandas=True)


def _lists(values: npt.NDArray[np.float64] | None) -> pa.Array | None:
    """Rows of numbers [N, K] as one column; None where there are none."""
    if values is None or not values.shape[1]:
        return None
    return pa.FixedSizeListArray.from_arrays(pa.array(np.ascontiguousarray(values).reshape(-1)), values.shape[1])


def _numbers(column: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    """The inverse of `_lists`."""
    return np.array(column.combine_chunks().flatten().to_numpy()).reshape(len(column), column.type.list_size)


def _rows_of_bytes(packed: npt.NDArray[np.uint8]) -> list[bytes]:
    return [row.tobytes() for row in packed]


def _bytes(column: pa.ChunkedArray, bits: int) -> npt.NDArray[np.uint8]:
    """Packed bits [N, bytes], `bits` of them a row."""
    return np.frombuffer(b"".join(column.to_pylist()), np.uint8).reshape(len(column), _bytes_of(bits))


def _bytes_of(bits: int) -> int:
    return -(-bits // 8)
