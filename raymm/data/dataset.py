"""Random access to a data set on disk, by sample number, without copying what is not asked for.

`Shards` maps the Arrow files into memory and reads any rows of one modality as one array. `Dataset` adds the
schema, the splits and the statistics. A shard column is one block of numbers, so reading rows is numpy
indexing; the operating system keeps in memory what is used often.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import ValidationError

from raymm.data.identity import digest_of, legacy_digest_of
from raymm.data.schema import FORMAT, SPLITS, Schema, arrow_schema
from raymm.errors import ConfigError, DataError, did_you_mean
from raymm.storage import layout
from raymm.storage.directory import is_committed, read_manifest, verify

if TYPE_CHECKING:
    from raymm.tasks.base import Labels

__all__ = ["Dataset", "SampleRows", "Shards", "open_dataset"]

Rows = npt.NDArray[np.int64]


class SampleRows(Protocol):
    """Where a data set's rows come from: shards on disk, or memory."""

    sample_id: npt.NDArray[np.str_]
    split: npt.NDArray[np.str_]
    label: Labels
    present: npt.NDArray[np.bool_]

    def __len__(self) -> int: ...

    def read(self, name: str, rows: Rows) -> npt.NDArray[Any]:
        """Values of one modality, `[len(rows), *shape]` in the stored type."""

    def read_text(self, name: str, rows: Rows) -> list[str]:
        """Strings of a text modality."""

    def sources(self, rows: Rows) -> list[str]:
        """The source file of each sample, as the manifest named it; empty where there is none."""


class Shards:
    """The rows of all shards, numbered in file order.

    Attributes
    ----------
    sample_id, split
        Strings [N].
    label
        Of the task's type: int64 [N], or bool [N, K].
    present
        bool [N, n]: False where a modality is missing.
    """

    def __init__(self, path: Path, schema: Schema) -> None:
        self._schema = schema
        files = layout.shard_files(path)
        self._tables = [_map_shard(file, schema) for file in files]
        self._starts = np.cumsum([0, *(table.num_rows for table in self._tables)])
        self.sample_id = self._strings("sample_id")
        self.split = self._strings("split")
        labels = [schema.task.from_arrow(table.column("label")) for table in self._tables]
        self.label: Labels = np.concatenate([schema.task.array([], len(schema.classes)), *labels])
        valid = [self._gather(name, pc.is_valid) for name in schema.names]
        self.present: npt.NDArray[np.bool_] = np.stack(valid, axis=1).astype(bool)
        self._blocks = {
            spec.name: [_block(table.column(spec.name), spec.shape) for table in self._tables]
            for spec in schema.modalities
            if not spec.is_text
        }

    def __len__(self) -> int:
        return int(self._starts[-1])

    def read(self, name: str, rows: Rows) -> npt.NDArray[Any]:
        """Values of one modality, `[len(rows), *shape]` in the stored type; zeros where it is missing."""
        blocks = self._blocks[name]
        out = np.empty((len(rows), *blocks[0].shape[1:]), blocks[0].dtype)
        for shard, where, local in self._locate(rows):
            out[where] = blocks[shard][local]
        return out

    def read_text(self, name: str, rows: Rows) -> list[str]:
        """Strings of a text modality; empty where it is missing."""
        out = np.full(len(rows), "", dtype=object)
        for shard, where, local in self._locate(rows):
            taken = self._tables[shard].column(name).take(pa.array(local))
            out[where] = taken.fill_null("").to_numpy(zero_copy_only=False)
        return list(out)

    def sources(self, rows: Rows) -> list[str]:
        """The source files of samples, as the manifest named them."""
        return self.read_text("source", rows)

    def _locate(self, rows: Rows) -> list[tuple[int, Rows, Rows]]:
        shards = np.searchsorted(self._starts, rows, side="right") - 1
        return [
            (int(shard), where, rows[where] - self._starts[shard])
            for shard in np.unique(shards)
            for where in [np.flatnonzero(shards == shard)]
        ]

    def _strings(self, column: str) -> npt.NDArray[np.str_]:
        return self._gather(column).astype(np.str_)

    def _gather(self, column: str, function: Any = None) -> npt.NDArray[Any]:
        parts = [table.column(column) for table in self._tables]
        arrays = [(function(part) if function else part).to_numpy(zero_copy_only=False) for part in parts]
        return np.concatenate(arrays) if arrays else np.empty(0)


@dataclass(frozen=True)
class Dataset:
    """A committed data set, opened for reading.

    Attributes
    ----------
    digest
        What identifies the data set, see `raymm.data.identity.digest_of`; empty for rows in memory.
    legacy_digest
        The same in the form of version 0.1.0.
    """

    path: Path
    schema: Schema
    shards: SampleRows
    statistics: dict[str, dict[str, list[float]]]
    digest: str
    legacy_digest: str = ""

    def __len__(self) -> int:
        return len(self.shards)

    def rows(self, split: str) -> Rows:
        """Sample numbers of a split, in file order.

        Raises
        ------
        DataError
            When the split is unknown or empty.
        """
        if split not in SPLITS:
            raise DataError(f"{self.path}: no split '{split}'; {did_you_mean(split, SPLITS)}")
        found = np.flatnonzero(self.shards.split == split)
        if not len(found):
            raise DataError(f"{self.path}: split '{split}' has no samples; prepare the data set with one")
        return found

    @property
    def label(self) -> Labels:
        """Labels of all samples, of the task's type: int64 [N], or bool [N, K]."""
        return self.shards.label

    @property
    def present(self) -> npt.NDArray[np.bool_]:
        """Which modalities each sample has, [N, n]."""
        return self.shards.present


def open_dataset(path: Path | str, check: bool = False) -> Dataset:
    """Open a data set for reading.

    Parameters
    ----------
    path
        The folder that `raymm prepare` or `write_dataset` made.
    check
        Read every file once and compare its SHA-256 with the manifest.

    Raises
    ------
    DataError
        When there is no finished data set, it is of another format, or (with `check`) a file was changed.

    Examples
    --------
    >>> open_dataset("no/such/folder")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    raymm.errors.DataError: ...no/such/folder: ...
    """
    path = Path(path).absolute()
    if not is_committed(path):
        where = (
            f"no {layout.MANIFEST} there, so it was never finished" if path.is_dir() else "there is no such folder"
        )
        raise DataError(f"{path}: {where}; give the folder that `raymm prepare --out` made, or make it first")
    manifest = verify(path) if check else read_manifest(path)
    if manifest.get("format") != FORMAT:
        raise DataError(
            f"{path}: data set format {manifest.get('format')}, this raymm reads {FORMAT}; prepare it again"
        )
    try:
        schema = Schema.from_saved(manifest["schema"])
    except ConfigError as cause:
        raise DataError(
            f"{path}/{layout.MANIFEST}: {cause}; a kind or task of another package must be registered by a "
            "plug-in, or be named as package.module:NAME when the data set is prepared"
        ) from cause
    except (KeyError, ValidationError) as cause:
        raise DataError(
            f"{path}/{layout.MANIFEST}: its schema cannot be read ({cause}); prepare the data set again"
        ) from cause
    statistics = manifest.get("statistics", {})
    return Dataset(path, schema, Shards(path, schema), statistics, digest_of(manifest), legacy_digest_of(manifest))


def _map_shard(file: Path, schema: Schema) -> pa.RecordBatch:
    try:
        reader = pa.ipc.open_file(pa.memory_map(str(file), "r"))
        batch = reader.get_batch(0)
    except (pa.ArrowInvalid, OSError) as cause:
        raise DataError(f"{file}: not a readable Arrow file ({cause}); prepare the data set again") from cause
    if not batch.schema.equals(arrow_schema(schema)):
        raise DataError(
            f"{file}: its columns do not match the schema in {layout.MANIFEST}; prepare the data set again"
        )
    return batch


def _block(column: pa.Array, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """A fixed-size list column as one array [rows, *shape] over the mapped file."""
    width = int(np.prod(shape))
    values = column.values.to_numpy(zero_copy_only=True)
    start = column.offset * width
    return values[start : start + len(column) * width].reshape(len(column), *shape)
