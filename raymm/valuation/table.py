"""The valuation table: one row a sample, in memory and as Parquet.

Columns: sample_id, split, label, prediction, one phi_<modality> each (null where the modality is missing),
and `outcomes`, the packed right-or-wrong bits of all coalitions. Where not all coalitions were played, `outcomes` is
null and there are `stderr_<modality>`, the standard error of each phi (0 where it is exact after all), and `alone`,
whose bit i says whether modality i is right alone. The file's metadata key `raymm` says in JSON which game was
played by which model. Pages carry checksums, which are verified when the file is read.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from raymm.errors import DataError
from raymm.storage import atomic_path
from raymm.valuation.utilities import fair_share_of

__all__ = [
    "TableInfo",
    "TableWriter",
    "ValuationTable",
    "join_tables",
    "pack",
    "read_table",
    "unpack",
    "write_table",
]


@dataclass(frozen=True)
class TableInfo:
    """Which game was played, and by which model.

    Attributes
    ----------
    method
        "exact", "sampled", or "closed_form" (additive models, utility `logit`).
    budget
        Coalitions played of each sample where it was sampled.
    """

    modalities: tuple[str, ...]
    utility: str
    masking: str
    fingerprint: str
    epoch: int | None = None
    method: str = "exact"
    budget: int | None = None

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
        int64 [N].
    phi
        float64 [N, n]; NaN where a modality is missing.
    outcomes
        uint8 [N, ceil(2**n / 8)]: bit c of the little-endian bytes is 1 when coalition c is right; no columns where
        not all coalitions were played.
    loss
        float64 [N], cross-entropy of the full prediction in nats; NaN when read from a file, which lacks it.
    stderr
        float64 [N, n], standard errors of phi: 0 where it is exact, NaN where a modality is missing.
    alone
        bool [N, n]: whether each modality is right alone.
    """

    info: TableInfo
    sample_id: npt.NDArray[np.str_]
    split: npt.NDArray[np.str_]
    label: npt.NDArray[np.int64]
    prediction: npt.NDArray[np.int64]
    phi: npt.NDArray[np.float64]
    outcomes: npt.NDArray[np.uint8]
    loss: npt.NDArray[np.float64]
    stderr: npt.NDArray[np.float64]
    alone: npt.NDArray[np.bool_]

    @property
    def enumerated(self) -> bool:
        """Whether all coalitions were played."""
        return self.info.method == "exact"

    def __len__(self) -> int:
        return len(self.label)

    def right(self) -> npt.NDArray[np.bool_]:
        """bool [N, 2**n]: whether each coalition is right; raises `DataError` where not all were played."""
        if not self.enumerated:
            raise DataError(
                f"the values are {self.info.method}: not all coalitions were played; use valuation.method=exact"
            )
        return unpack(self.outcomes, len(self.info.modalities))


def pack(right: npt.NDArray[np.bool_]) -> npt.NDArray[np.uint8]:
    """Pack bool [N, 2**n] into bytes, bit c of the little-endian bytes for coalition c."""
    return np.packbits(right, axis=1, bitorder="little")


def unpack(outcomes: npt.NDArray[np.uint8], n: int) -> npt.NDArray[np.bool_]:
    """The inverse of `pack` for n modalities."""
    return np.unpackbits(outcomes, axis=1, count=2**n, bitorder="little").astype(bool)


class TableWriter:
    """Writes tables to one Parquet file as they come; use it as a context manager.

    Memory is that of one part, whatever the number of parts.
    """

    def __init__(self, path: Path, info: TableInfo) -> None:
        metadata = {b"raymm": json.dumps(asdict(info)).encode()}
        self._schema = _schema(info).with_metadata(metadata)
        self._writer = pq.ParquetWriter(path, self._schema, write_page_checksum=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()

    def write(self, table: ValuationTable) -> None:
        """Append the rows of `table`."""
        if len(table) == 0:
            return
        columns = [
            pa.array(table.sample_id.tolist(), pa.string()),
            pa.array(table.split.tolist(), pa.string()),
            pa.array(table.label, pa.int32()),
            pa.array(table.prediction, pa.int32()),
            *(pa.array(column, pa.float64(), from_pandas=True) for column in table.phi.T),
            *self._evidence(table),
        ]
        self._writer.write_table(pa.Table.from_arrays(columns, schema=self._schema))

    def _evidence(self, table: ValuationTable) -> list[pa.Array]:
        if table.enumerated:
            return [pa.array([row.tobytes() for row in table.outcomes], pa.binary())]
        return [
            pa.nulls(len(table), pa.binary()),
            *(pa.array(column, pa.float64(), from_pandas=True) for column in table.stderr.T),
            pa.array([row.tobytes() for row in pack(table.alone)], pa.binary()),
        ]


def write_table(path: Path, table: ValuationTable) -> None:
    """Write a valuation table as Parquet, atomically."""
    with atomic_path(path) as temporary, TableWriter(temporary, table.info) as writer:
        writer.write(table)


def read_table(path: Path) -> ValuationTable:
    """Read a valuation table.

    Raises
    ------
    DataError
        When the file is missing, damaged, or not a valuation table.
    """
    try:
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            info = _info(path, file.schema_arrow.metadata or {})
            rows = file.read()
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except (pa.ArrowInvalid, OSError) as cause:
        raise DataError(f"{path}: not a readable Parquet file ({cause}); value the split again") from cause
    if not rows.schema.equals(_schema(info)):
        raise DataError(f"{path}: its columns are not those of a valuation table of {', '.join(info.modalities)}")
    return ValuationTable(
        info=info,
        sample_id=_strings(rows.column("sample_id")),
        split=_strings(rows.column("split")),
        label=rows.column("label").to_numpy().astype(np.int64),
        prediction=rows.column("prediction").to_numpy().astype(np.int64),
        phi=_columns(rows, "phi", info),
        loss=np.full(len(rows), np.nan),
        **_evidence(rows, info),
    )


def join_tables(tables: Sequence[ValuationTable]) -> ValuationTable:
    """One table of the rows of several, in order; all must stem from one valuation."""
    fields = ("sample_id", "split", "label", "prediction", "phi", "outcomes", "loss", "stderr", "alone")
    arrays = {name: np.concatenate([getattr(table, name) for table in tables]) for name in fields}
    return ValuationTable(info=tables[0].info, **arrays)


def _columns(rows: pa.Table, kind: str, info: TableInfo) -> npt.NDArray[np.float64]:
    columns = [rows.column(f"{kind}_{name}").to_numpy() for name in info.modalities]
    return np.stack(columns, axis=1).astype(np.float64)


def _evidence(rows: pa.Table, info: TableInfo) -> dict[str, Any]:
    """Outcomes, standard errors and who is right alone."""
    n = len(info.modalities)
    if info.method == "exact":
        outcomes = _bytes(rows.column("outcomes"))
        singles = np.array([1 << i for i in range(n)])
        alone = (outcomes[:, singles // 8] >> (singles % 8).astype(np.uint8)) & 1
        stderr = np.where(np.isnan(_columns(rows, "phi", info)), np.nan, 0.0)
        return {"outcomes": outcomes, "stderr": stderr, "alone": alone.astype(bool)}
    alone = np.unpackbits(_bytes(rows.column("alone")), axis=1, count=n, bitorder="little").astype(bool)
    outcomes = np.empty((len(rows), 0), np.uint8)
    return {"outcomes": outcomes, "stderr": _columns(rows, "stderr", info), "alone": alone}


def _bytes(column: pa.ChunkedArray) -> npt.NDArray[np.uint8]:
    return np.frombuffer(b"".join(column.to_pylist()), np.uint8).reshape(len(column), -1)


def _schema(info: TableInfo) -> pa.Schema:
    fixed = [("sample_id", pa.string()), ("split", pa.string()), ("label", pa.int32()), ("prediction", pa.int32())]
    values = [(f"phi_{name}", pa.float64()) for name in info.modalities]
    sampled = [*((f"stderr_{name}", pa.float64()) for name in info.modalities), ("alone", pa.binary())]
    return pa.schema([*fixed, *values, ("outcomes", pa.binary()), *(() if info.method == "exact" else sampled)])


def _strings(column: pa.ChunkedArray) -> npt.NDArray[np.str_]:
    return np.array(column.to_pylist(), dtype=np.str_)


def _info(path: Path, metadata: dict[bytes, bytes]) -> TableInfo:
    try:
        values: dict[str, Any] = json.loads(metadata[b"raymm"])
        return TableInfo(**{**values, "modalities": tuple(values["modalities"])})
    except (KeyError, TypeError, json.JSONDecodeError) as cause:
        raise DataError(f"{path}: Parquet, but not a valuation table (metadata key 'raymm': {cause})") from cause
