"""A data set that is about to be prepared: everything is known and checked but the files themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from raymm.data.manifest import load_manifest
from raymm.data.media.text_embeddings import parse_encoders
from raymm.data.media_root import files_of, require_some_media
from raymm.data.prepare import chunks_of, finish, finished_reports, groups_of, rows_of_shards, run_here
from raymm.data.schema_inference import build_schema
from raymm.storage import data_layout, layout
from raymm.storage.atomic import remove_unfinished
from raymm.storage.lock import writing

if TYPE_CHECKING:
    from raymm.api.prepare_from import Material
    from raymm.api.progress import Progress
    from raymm.data.prepare import Chunk, ChunkReport, OnBad
    from raymm.data.schema import Schema

__all__ = ["Asked", "Preparation", "plan_preparation"]


@dataclass(frozen=True)
class Asked:
    """How a data set is asked to be made, beside the material."""

    out: Path
    seed: int = 0
    group: str | None = None
    allow_outside: bool = False
    settings: tuple[str, ...] = ()
    sentence_encoders: tuple[str, ...] = ()


@dataclass(frozen=True)
class Preparation:
    """The schema of a data set, and the chunks of samples that it is made in."""

    out: Path
    media_root: Path
    schema: Schema
    chunks: Sequence[Chunk]
    groups: Mapping[str, str]

    def finished(self) -> list[ChunkReport] | None:
        """The reports of an earlier call, where nothing has changed since it came to its end."""
        return finished_reports(self.chunks, self.schema, self.media_root, self.out)

    def make(self, backend: str, workers: int, on_bad_sample: OnBad, progress: Progress) -> list[ChunkReport]:
        """Prepare what is missing, on a backend ("local" or "ray"), and finish the data set."""
        with writing(layout.lock_of_folder(self.out), f"the data set {self.out}"):
            remove_unfinished(self.out)
            reports = self._run(backend, workers, progress)
            finish(self.out, self.schema, reports, on_bad_sample, self.groups)
        return reports

    def _run(self, backend: str, workers: int, progress: Progress) -> list[ChunkReport]:
        work = (self.chunks, self.schema, self.media_root.absolute(), self.out.absolute())
        if backend == "local":
            return list(progress.follow(run_here(*work), len(self.chunks), "preparing"))
        from raymm.cluster.connect import connect
        from raymm.cluster.prepare import run_on_ray
        from raymm.config.cluster import ClusterConfig

        with connect(ClusterConfig(workers=workers)):
            return list(progress.follow(run_on_ray(*work), len(self.chunks), "preparing"))


def plan_preparation(material: Material, asked: Asked, progress: Progress) -> Preparation:
    """Read the manifest and infer the schema; what was guessed is told as notes.

    Raises
    ------
    ConfigError, DataError
        With every mistake in the settings, and in the manifest.
    """
    kinds, root = material.kinds, material.root
    encoders = parse_encoders(asked.sentence_encoders, kinds)
    embedded = data_layout.embedded_folder(asked.out)
    loaded = load_manifest(
        material.manifest,
        root,
        kinds,
        material.classes,
        asked.seed,
        material.task,
        embedded,
        asked.allow_outside,
        asked.group,
    )
    for note in loaded.notes:
        progress.on_note(note)
    require_some_media(files_of(loaded.records, kinds), root, material.manifest.parent)
    schema = build_schema(kinds, loaded, root, (*material.sets, *asked.settings), encoders, progress.on_note)
    chunks = chunks_of(loaded.records, encoders, rows_of_shards(loaded.records, schema, asked.out))
    return Preparation(asked.out, root, schema, chunks, groups_of(loaded.records))
