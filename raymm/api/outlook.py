"""What `raymm prepare` would make, found out without writing anything: `raymm prepare --dry-run`."""

from __future__ import annotations

import math
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from raymm.api.preparation import Asked, plan_preparation
from raymm.api.prepare_from import Material, check_inputs, from_source, given_manifest
from raymm.api.texts import size_text, time_text
from raymm.counts import counted
from raymm.data.decode import read_sample
from raymm.data.kind_guessing import guess_kinds
from raymm.data.media.text_embeddings import embed_texts
from raymm.data.media_root import missing_files
from raymm.data.quarantine import problem_lines
from raymm.data.schema import SPLITS
from raymm.data.tabular.read import read_table
from raymm.errors import ConfigError

if TYPE_CHECKING:
    from raymm.api.preparation import Preparation
    from raymm.api.progress import Progress
    from raymm.data.kinds.base import ModalitySpec
    from raymm.data.record import Record

__all__ = ["Outlook", "outlook"]

DECODED = 8
"""Samples that are decoded to tell the time and mistakes by."""


@dataclass(frozen=True)
class Outlook:
    """What a data set would be.

    Attributes
    ----------
    rows, bytes, seconds
        Samples, size on disk, and time of one process, estimated by the samples that were decoded.
    modalities
        `{"name", "kind", "shape", "bytes"}` of each, bytes of one sample.
    classes
        Samples of each class, by split.
    problems
        What is wrong: files that are not there, and samples that could not be decoded among those that were tried.
    """

    rows: int
    bytes: int
    seconds: float
    modalities: tuple[dict[str, Any], ...]
    classes: dict[str, dict[str, int]]
    problems: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Everything, as plain values."""
        return asdict(self)

    def summary(self) -> str:
        """Everything, for people."""
        held = f"{counted(self.rows, 'sample')}, {size_text(self.bytes)} on disk"
        lines = [f"{held}, about {time_text(self.seconds)} in one process"]
        lines += [f"  {found['name']}: {found['kind']} {found['shape'] or ''}".rstrip() for found in self.modalities]
        for split, counts in self.classes.items():
            shown = ", ".join(f"{name} {count}" for name, count in counts.items())
            lines.append(f"  {split}: {shown}")
        if self.problems:
            lines += [counted(len(self.problems), "problem"), *(f"  - {problem}" for problem in self.problems)]
        return "\n".join(lines)


def outlook(
    given: Mapping[str, Any],
    asked: Mapping[str, Any],
    classes: Sequence[str] | None = None,
    task: Any = None,
    *,
    progress: Progress,
) -> Outlook:
    """Look at a collection as `prepare` would.

    Parameters
    ----------
    given
        `manifest`, `media_root`, `modalities`, `source`, `root` and `source_settings`, as of `raymm.prepare`. Of a
        manifest alone, the media root is its folder, and the modalities are guessed.
    asked
        Fields of `Asked`, but for the folder.
    progress
        Told of what was guessed.

    Raises
    ------
    ConfigError, DataError
        With every mistake in the arguments and in the manifest.
    """
    with tempfile.TemporaryDirectory(prefix="raymm-") as folder:
        out = Path(folder) / "data"
        material = _material(given, asked.get("seed", 0), out, progress).labelled(classes, task)
        plan = plan_preparation(material, Asked(out, **asked), progress)
        return _of_plan(plan)


def _material(given: Mapping[str, Any], seed: int, out: Path, progress: Progress) -> Material:
    if given["source"] is not None:
        check_inputs(given)
        own = (given["source"], Path(given["root"]), given["source_settings"], given["modalities"])
        return from_source(*own, seed, out, progress.on_note)
    if given["manifest"] is None:
        raise ConfigError("missing manifest; a published data set is looked at by source and root")
    manifest = Path(given["manifest"])
    root = Path(given["media_root"] or manifest.parent)
    if given["modalities"]:
        return given_manifest(manifest, root, given["modalities"])
    kinds, others = guess_kinds(read_table(manifest).columns, root)
    words = ",".join(f"{name}:{kind}" for name, kind in kinds.items())
    progress.on_note(f"--modalities {words} by what the columns hold" + (f"; not {', '.join(others)}" * bool(others)))
    return given_manifest(manifest, root, words)


def _of_plan(plan: Preparation) -> Outlook:
    records = [record for chunk in plan.chunks for record in chunk.records]
    bad = missing_files(records, {spec.name: spec for spec in plan.schema.modalities}, plan.media_root)
    seconds, wrong = _decoded(plan, records, {item.sample_id for item in bad})
    each = [_bytes(spec, records) for spec in plan.schema.modalities]
    return Outlook(
        len(records),
        round(sum(each) * len(records)),
        seconds * len(records),
        tuple(
            {"name": spec.name, "kind": spec.kind, "shape": list(spec.shape), "bytes": round(size)}
            for spec, size in zip(plan.schema.modalities, each, strict=True)
        ),
        _counts(plan, records),
        tuple(problem_lines([*bad, *wrong])),
    )


def _decoded(plan: Preparation, records: Sequence[Record], without: set[str]) -> tuple[float, list[Any]]:
    """Seconds that a sample takes, and what is wrong with those that were tried."""
    whole = [record for record in records if record.sample_id not in without]
    tried = whole[:: max(1, math.ceil(len(whole) / DECODED))]
    encoders = plan.chunks[0].encoders
    start, wrong = time.perf_counter(), []
    for record in embed_texts(tried, encoders):
        wrong += read_sample(record, plan.schema, plan.media_root)[1]
    return (time.perf_counter() - start) / max(len(tried), 1), wrong


def _bytes(spec: ModalitySpec, records: Sequence[Record]) -> float:
    """Bytes that one sample takes in a shard; a missing modality of numbers takes as many."""
    if spec.is_text:
        return sum(len((record.cells[spec.name] or "").encode()) for record in records) / len(records)
    return float(math.prod(spec.shape) * spec.dtype.itemsize)


def _counts(plan: Preparation, records: Sequence[Record]) -> dict[str, dict[str, int]]:
    """Samples of each class, by split."""
    schema = plan.schema
    labels = schema.task.array([record.label for record in records], len(schema.classes))
    splits = np.array([record.split for record in records])
    counts = {split: schema.task.class_counts(labels[splits == split], len(schema.classes)) for split in SPLITS}
    return {split: dict(zip(schema.classes, counts[split].tolist(), strict=True)) for split in SPLITS}
