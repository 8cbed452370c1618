"""What sources have in common whose samples are listed as a manifest lists them, and decoded as `prepare` decodes."""

import hashlib
import json
from abc import abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
from pydantic import Field

from raymm.config.base import Settings
from raymm.data.decode import read_sample
from raymm.data.indexed.base import (
    REMEDY,
    IndexedSample,
    ItemReader,
    ItemSource,
    Kept,
    Listing,
    SampleSettings,
    Say,
    refuse_changed,
    sampled_rows,
)
from raymm.data.kind_guessing import guess_kinds
from raymm.data.kinds.base import Value, kind_of
from raymm.data.labels import parse_task
from raymm.data.manifest import Kinds, Manifest, load_manifest
from raymm.data.media.root import MediaRoot
from raymm.data.media_root import file_size, missing_files
from raymm.data.quarantine import problem_lines
from raymm.data.record import Record
from raymm.data.schema import Schema
from raymm.data.schema_inference import build_schema, parse_kinds
from raymm.data.tabular.read import Table
from raymm.errors import DataError, Problems

__all__ = ["Loaded", "RecordSettings", "RecordSource"]

DIGITS = 16


class RecordSettings(SampleSettings):
    """How listed samples are taken."""

    group: str | None = Field(default=None, description="column of what splits keep whole; else `group`, if there")


@dataclass(frozen=True)
class Loaded:
    """The columns of a source, where the files lie that they name, and further tables that its index keeps."""

    table: Table
    root: MediaRoot
    files: Mapping[str, pa.Table] = field(default_factory=dict)
    identity: Mapping[str, Any] = field(default_factory=dict)


class RecordSource(ItemSource):
    """A source that has a table of its samples."""

    Settings: ClassVar[type[Settings]] = RecordSettings

    @abstractmethod
    def load(self, kept: Kept | None) -> Loaded:
        """The columns; the tables of an index that was made before may save time.

        Where there is one, the source is first compared by `refuse_other_files`.
        """

    def listing(self, say: Say) -> Listing:
        """Read the table, look at all files, and infer the schema."""
        loaded = self.load(None)
        kinds = self._kinds(loaded, say)
        manifest = self._manifest(loaded, kinds, say)
        missing = missing_files(manifest.records, {name: kind_of(kind) for name, kind in kinds.items()}, loaded.root)
        Problems(self.where, problem_lines(missing)).raise_if_any(DataError)
        schema = build_schema(kinds, manifest, loaded.root, self.settings.set, None, say)
        samples = [
            IndexedSample(
                record.sample_id,
                record.split,
                record.label,
                frozenset(name for name, cell in record.cells.items() if cell is not None),
                record.source,
                record.group,
                _content(record, schema, loaded.root),
            )
            for record in manifest.records
        ]
        reader = _Reader(manifest.records, schema, loaded.root)
        return Listing(schema, samples, reader, dict(loaded.identity), loaded.files)

    def reopen(self, kept: Kept) -> ItemReader:
        """The same table again, compared with what it was."""
        loaded = self.load(kept)
        kinds = {spec.name: spec.kind for spec in kept.schema.modalities}
        records = self._manifest(loaded, kinds, lambda _: None).records
        refuse_changed(self.where, [record.sample_id for record in records], kept)
        problems = Problems(self.where)
        for row in sampled_rows(len(records)):
            if _content(records[row], kept.schema, loaded.root) != kept.content[row]:
                problems.add(f"sample '{records[row].sample_id}' has other files than when {kept.where} was made")
        for row in _rows_of_others(records, kept):
            problems.add(f"sample '{kept.sample_id[row]}' has another label or split than when {kept.where} was made")
        problems.raise_if_any(DataError, note=REMEDY)
        return _Reader(records, kept.schema, loaded.root)

    def refuse_other_files(self, identity: Mapping[str, Any], kept: Kept | None) -> None:
        """Raise `DataError` where the facts about a source are others than an index has."""
        if kept is not None and dict(identity) != dict(kept.identity):
            raise DataError(f"{self.where}: its files are others than when {kept.where} was made; {REMEDY}")

    def _kinds(self, loaded: Loaded, say: Say) -> Kinds:
        if self.settings.modalities:
            return parse_kinds(self.settings.modalities)
        kinds, others = guess_kinds(loaded.table.columns, loaded.root)
        said = ", ".join(f"{name} ({kind})" for name, kind in kinds.items())
        say(f"{self.where}: modalities by its columns: {said}" + (f"; not {', '.join(others)}" if others else ""))
        return kinds

    def _manifest(self, loaded: Loaded, kinds: Kinds, say: Say) -> Manifest:
        given = self.settings
        found = load_manifest(
            Path(self.where),
            loaded.root,
            kinds,
            given.classes,
            given.seed,
            parse_task(given.task, given.task_settings),
            allow_outside=getattr(given, "allow_outside", False),
            group=given.group,
            table=loaded.table,
        )
        for note in found.notes:
            say(note)
        return found


class _Reader:
    """Decodes samples as `raymm prepare` does, the modalities that are asked for."""

    def __init__(self, records: Sequence[Record], schema: Schema, root: MediaRoot) -> None:
        self._records, self._root = records, root
        self._schema_of = cache(lambda names: _part_of(schema, names))

    def read(self, row: int, names: Collection[str]) -> Mapping[str, Value]:
        """Values of a sample."""
        values, wrong, _ = read_sample(self._records[row], self._schema_of(frozenset(names)), self._root)
        if wrong:
            raise DataError("; ".join(problem_lines(wrong)))
        return values


def _part_of(schema: Schema, names: frozenset[str]) -> Schema:
    kept = tuple(spec for spec in schema.modalities if spec.name in names)
    return schema.model_copy(update={"modalities": kept})


def _rows_of_others(records: Sequence[Record], kept: Kept) -> list[int]:
    """Rows whose label or split is another than an index has; all where labels are of another form."""
    labels = np.asarray([record.label for record in records])
    same = np.array([record.split for record in records]) == kept.split
    if labels.shape == kept.label.shape:
        same &= (labels == kept.label).reshape(len(records), -1).all(axis=1)
    else:
        same[:] = False
    return np.flatnonzero(~same).tolist()


def _content(record: Record, schema: Schema, root: MediaRoot) -> str:
    """A digest of texts and numbers, and of the names and sizes of files."""
    parts: list[Any] = []
    for spec in schema.modalities:
        cell = record.cells[spec.name]
        read = [] if spec.from_text else spec.files_of(cell, root)
        if isinstance(cell, np.ndarray):
            cell = [
                str(cell.dtype),
                list(cell.shape),
                hashlib.sha256(np.ascontiguousarray(cell).tobytes()).hexdigest(),
            ]
        sizes = [file_size(root, file) for file in read]
        parts.append([cell, *(sizes or [None])])
    return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()[:DIGITS]
