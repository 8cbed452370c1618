"""Random access to a data set on disk, by sample number, without copying what is not asked for.

`raymm.data.shards` maps the Arrow files into memory and reads any rows of one modality as one array. `Dataset` adds
the schema, the splits and the statistics. A shard column is one block of numbers, so reading rows is numpy
indexing; the operating system keeps in memory what is used often.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt
from pydantic import Field, ValidationError

from raymm.data.arrow_file import read_arrow
from raymm.data.identity import digest_of, legacy_digest_of
from raymm.data.indexed.index import INDEX_FORMAT, open_index
from raymm.data.row_checks import strings_of
from raymm.data.schema import FORMAT, SPLITS, Schema
from raymm.data.shards import Shards
from raymm.errors import ConfigError, DataError, Problems, did_you_mean
from raymm.storage import data_layout, layout
from raymm.storage.directory import is_committed, read_manifest, verify
from raymm.storage.local_path import local_path
from raymm.storage.records import JsonRecord

if TYPE_CHECKING:
    from collections.abc import Collection

    from raymm.tasks.labels import Labels

__all__ = ["Dataset", "SampleRows", "open_dataset"]

Rows = npt.NDArray[np.int64]


class SampleRows(Protocol):
    """Where a data set's rows come from: shards on disk, memory, or an index and a source (`raymm.data.indexed`)."""

    label: Labels
    present: npt.NDArray[np.bool_]

    @property
    def sample_id(self) -> npt.NDArray[np.str_]:
        """Ids of all samples [N]; of many samples they are large (`ids` has those of some)."""

    @property
    def split(self) -> npt.NDArray[np.str_]:
        """Splits of all samples [N]."""

    def __len__(self) -> int: ...

    def ids(self, rows: Rows) -> npt.NDArray[np.str_]:
        """Ids of some samples."""

    def splits(self, rows: Rows) -> npt.NDArray[np.str_]:
        """Splits of some samples."""

    def in_split(self, split: str) -> Rows:
        """Sample numbers of a split, in order."""

    def read(self, name: str, rows: Rows) -> npt.NDArray[Any]:
        """Values of one modality, `[len(rows), *shape]` in the stored type."""

    def read_text(self, name: str, rows: Rows) -> list[str]:
        """Strings of a text modality."""

    def sources(self, rows: Rows) -> list[str]:
        """The source file of each sample, as the manifest named it; empty where there is none."""

    def verify(self, rows: Rows) -> None:
        """Raise `DataError` when what these rows are read from was changed after it was written."""

    def prefetch(self, rows: Rows, kept: npt.NDArray[np.bool_]) -> None:
        """Get ready to read these modalities [B, n] of samples [B]: where values come together, each sample once."""


@dataclass(frozen=True)
class Dataset:
    """A committed data set, opened for reading.

    Attributes
    ----------
    digest
        What identifies the data set, see `raymm.data.identity.digest_of`; empty for rows in memory.
    legacy_digest
        The same in the form of version 0.1.0.
    groups
        What each sample belongs to, such as its speaker, [N]; empty texts where that is not known. None where it is
        of no sample.
    reads
        Names of the modalities that are read; any other is missing in every sample. None for all. See `as_read`.
    """

    path: Path
    schema: Schema
    shards: SampleRows
    statistics: dict[str, dict[str, list[float]]]
    digest: str
    legacy_digest: str = ""
    groups: npt.NDArray[np.str_] | None = None
    reads: tuple[str, ...] | None = None

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
        found = self.shards.in_split(split)
        if not len(found):
            raise DataError(f"{self.path}: split '{split}' has no samples; prepare the data set with one")
        return found

    @property
    def label(self) -> Labels:
        """Labels of all samples, of the task's type: int64 [N], bool [N, K], or float64 [N, K]."""
        return self.shards.label

    @cached_property
    def present(self) -> npt.NDArray[np.bool_]:
        """Which of the modalities that are read each sample has, [N, n]."""
        if self.reads is None:
            return self.shards.present
        return self.shards.present & np.array([name in self.reads for name in self.schema.names])

    @cached_property
    def untrained(self) -> tuple[str, ...]:
        """Names of the modalities that no training sample has."""
        present = self.shards.present[self.shards.in_split("train")]
        return tuple(name for name, has in zip(self.schema.names, present.T, strict=True) if not has.any())

    def as_read(self, names: Collection[str] | None) -> Dataset:
        """The same samples as a model has them that reads some modalities: all others are missing in every one.

        Training, plans and valuations of such a model read the samples in this way, so that a modality that it does
        not read (`model.modalities`) is no player of any game. The order and number of modalities stay.

        Parameters
        ----------
        names
            Names of the modalities that are read; None for all.
        """
        if names is None or set(self.schema.names) <= set(names):
            return self if self.reads is None else replace(self, reads=None)
        return replace(self, reads=tuple(name for name in self.schema.names if name in names))


def open_dataset(path: Path | str, check: bool = False) -> Dataset:
    """Open a data set for reading.

    Its ids, splits and labels are read and checked now; the checksum of a shard is compared with the manifest when
    rows of it are first read.

    Parameters
    ----------
    path
        The folder that `raymm prepare` or `write_dataset` made.
    check
        Compare the checksums of all files now.

    Raises
    ------
    DataError
        When there is no finished data set, it is of another format, its manifest or rows cannot be right, or a shard
        is missing or has another size; with `check`, when any file was changed.

    Examples
    --------
    >>> open_dataset("no/such/folder")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    raymm.errors.DataError: ...no/such/folder: ...
    """
    path = local_path(path).absolute()
    if not is_committed(path):
        where = (
            f"no {layout.MANIFEST} there, so it was never finished" if path.is_dir() else "there is no such folder"
        )
        raise DataError(f"{path}: {where}; give the folder that `raymm prepare --out` made, or make it first")
    values = read_manifest(path)
    manifest = (_IndexManifest if "source" in values else _Manifest).of(values, path / layout.MANIFEST)
    if check:
        verify(path, names=[name for name in manifest.files if not name.startswith(f"{data_layout.VIEWS}/")])
    schema = _read_schema(manifest, path)
    shards, groups = _open_rows(path, schema, manifest, check)
    _check_manifest(manifest, schema, shards, path)
    return Dataset(path, schema, shards, manifest.statistics, digest_of(values), legacy_digest_of(values), groups)


class _Manifest(JsonRecord):
    """What the manifest of a data set says."""

    newest = FORMAT
    remedy = "prepare the data set again"

    content: dict[str, Any] = Field(alias="schema")
    files: dict[str, dict[str, Any]]
    rows: int | None = None
    source: dict[str, Any] | None = None
    statistics: dict[str, dict[str, list[float]]] = Field(default_factory=dict)


class _IndexManifest(_Manifest):
    """What the manifest of an index says."""

    newest = INDEX_FORMAT


def _read_schema(manifest: _Manifest, path: Path) -> Schema:
    try:
        return Schema.from_saved(manifest.content)
    except ConfigError as cause:
        raise DataError(
            f"{path}/{layout.MANIFEST}: {cause}; a kind or task of another package must be registered by a "
            "plug-in, or be named as package.module:NAME when the data set is prepared"
        ) from cause
    except ValidationError as cause:
        raise DataError(
            f"{path}/{layout.MANIFEST}: its schema cannot be read ({cause}); prepare the data set again"
        ) from cause


def _open_rows(
    path: Path, schema: Schema, manifest: _Manifest, check: bool
) -> tuple[SampleRows, npt.NDArray[np.str_] | None]:
    """The rows, of shards or of an index, and the groups that they belong to."""
    if manifest.source is not None:
        rows, named = open_index(path, schema, manifest.source)
        return rows, np.array(named, np.str_) if any(named) else None
    shards = Shards(path, schema, manifest.files, checked=check)
    return shards, _read_groups(path, len(shards)) if data_layout.groups_file(path).name in manifest.files else None


def _read_groups(path: Path, rows: int) -> npt.NDArray[np.str_]:
    file = data_layout.groups_file(path)
    groups = strings_of(read_arrow(file).column("group"))
    if len(groups) != rows:
        raise DataError(f"{file}: has {len(groups)} rows, the shards have {rows}; prepare the data set again")
    return groups


def _check_manifest(manifest: _Manifest, schema: Schema, shards: SampleRows, path: Path) -> None:
    """Compare what the manifest says of the rows with the rows."""
    problems = Problems(f"{path}/{layout.MANIFEST}")
    if manifest.rows not in {None, len(shards)}:
        problems.add(f"says {manifest.rows} rows, the shards that it names have {len(shards)}")
    for spec in schema.modalities:
        for trouble in spec.check_statistics(manifest.statistics.get(spec.name)):
            problems.add(f"statistics of {spec.name}: {trouble}")
    problems.raise_if_any(DataError, note=manifest.remedy)
