"""The valuation table: one row a sample, in memory and as Parquet.

Columns: sample_id, split, label, prediction, one phi_<modality> each (null where the modality is missing),
and `outcomes`, the packed right-or-wrong bits of all coalitions. The file's metadata key `raymm` says in JSON
which game was played by which model. Pages carry checksums, which are verified when the file is read.
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

__all__ = ["TableInfo", "TableWriter", "ValuationTable", "pack", "read_table", "unpack", "write_table"]


@dataclass(frozen=True)
class TableInfo:
    """Which game was played, and by which model."""

    modalities: tuple[str, ...]
    utility: str
    masking: str
    fingerprint: str
    epoch: int | None = None
    method: str = "exact"


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
        uint8 [N, ceil(2**n / 8)]: bit c of the little-endian bytes is 1 when coalition c is right.
    loss
        float64 [N], cross-entropy of the full prediction in nats; NaN when read from a file, which lacks it.
    """

    info: TableInfo
    sample_id: npt.NDArray[np.str_]
    split: npt.NDArray[np.str_]
    label: npt.NDArray[np.int64]
    prediction: npt.NDArray[np.int64]
    phi: npt.NDArray[np.float64]
    outcomes: npt.NDArray[np.uint8]
    loss: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.label)

    def right(self) -> npt.NDArray[np.bool_]:
        """bool [N, 2**n]: whether each coalition is right."""
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
        self._schema = _schema(info.modalities).with_metadata(metadata)
        self._writer = pq.ParquetWriter(path, self._schema, write_page_checksum=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._writer.close()

    def write(self, table: ValuationTable) -> None:
        """Append the rows of `table`."""
        columns = [
            pa.array(table.sample_id.tolist(), pa.string()),
            pa.array(table.split.tolist(), pa.string()),
            pa.array(table.label, pa.int32()),
            pa.array(table.prediction, pa.int32()),
            *(pa.array(column, pa.float64(), from_pandas=True) for column in table.phi.T),
            pa.array([row.tobytes() for row in table.outcomes], pa.binary()),
        ]
        self._writer.write_table(pa.Table.from_arrays(columns, schema=self._schema))


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
    if not rows.schema.equals(_schema(info.modalities)):
        raise DataError(f"{path}: its columns are not those of a valuation table of {', '.join(info.modalities)}")
    outcomes = b"".join(rows.column("outcomes").to_pylist())
    phi = [rows.column(f"phi_{name}").to_numpy() for name in info.modalities]
    return ValuationTable(
        info=info,
        sample_id=_strings(rows.column("sample_id")),
        split=_strings(rows.column("split")),
        label=rows.column("label").to_numpy().astype(np.int64),
        prediction=rows.column("prediction").to_numpy().astype(np.int64),
        phi=np.stack(phi, axis=1).astype(np.float64),
        outcomes=np.frombuffer(outcomes, np.uint8).reshape(len(rows), -1),
        loss=np.full(len(rows), np.nan),
    )


def _schema(modalities: Sequence[str]) -> pa.Schema:
    return pa.schema(
        [
            ("sample_id", pa.string()),
            ("split", pa.string()),
            ("label", pa.int32()),
            ("prediction", pa.int32()),
            *((f"phi_{name}", pa.float64()) for name in modalities),
            ("outcomes", pa.binary()),
        ]
    )


def _strings(column: pa.ChunkedArray) -> npt.NDArray[np.str_]:
    return np.array(column.to_pylist(), dtype=np.str_)


def _info(path: Path, metadata: dict[bytes, bytes]) -> TableInfo:
    try:
        values: dict[str, Any] = json.loads(metadata[b"raymm"])
        return TableInfo(**{**values, "modalities": tuple(values["modalities"])})
    except (KeyError, TypeError, json.JSONDecodeError) as cause:
        raise DataError(f"{path}: Parquet, but not a valuation table (metadata key 'raymm': {cause})") from cause
