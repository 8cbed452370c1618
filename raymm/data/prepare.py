"""Raw media to a data set: read each sample, collect what is wrong, write shards, continue where it stopped.

Work is cut into chunks of samples, one shard each. A chunk's sidecar records what it was made from (records, schema,
size and time of the files); a rerun does only the chunks for which that has changed. Chunks run in this process or
on Ray (`raymm.cluster.prepare`), in any order, with the same result.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from raymm.data.dataset import Shards
from raymm.data.decode import read_sample
from raymm.data.format import Sample, finish_dataset, write_shard
from raymm.data.labels import refuse_absent_classes
from raymm.data.manifest import Record
from raymm.data.media.text_embeddings import Encoders, embed_texts
from raymm.data.quarantine import BadValue, problem_lines, write_quarantine
from raymm.data.schema import FORMAT, Schema
from raymm.errors import DataError, Problems
from raymm.storage import layout
from raymm.storage.atomic import write_json
from raymm.storage.directory import is_committed

__all__ = ["Chunk", "ChunkReport", "chunks_of", "finish", "finished_reports", "prepare_chunk", "run_here"]

CHUNK_ROWS = 64

OnBad = Literal["raise", "quarantine"]


@dataclass(frozen=True)
class Chunk:
    """Samples of one shard, and the sentence encoders of their texts."""

    number: int
    records: tuple[Record, ...]
    encoders: Encoders = field(default_factory=dict)


@dataclass(frozen=True)
class ChunkReport:
    """The outcome of a chunk: rows written, and the problems of the others."""

    number: int
    rows: int
    bad: tuple[BadValue, ...]
    reused: bool = False


def chunks_of(records: Sequence[Record], encoders: Encoders | None = None) -> list[Chunk]:
    """Records in file order, cut into chunks; `encoders` are those that the schema was built with."""
    parts = [tuple(records[start : start + CHUNK_ROWS]) for start in range(0, len(records), CHUNK_ROWS)]
    return [Chunk(number, part, encoders or {}) for number, part in enumerate(parts)]


def run_here(chunks: Sequence[Chunk], schema: Schema, media_root: Path, out: Path) -> Iterator[ChunkReport]:
    """Prepare chunks in this process."""
    for chunk in chunks:
        yield prepare_chunk(chunk, schema, media_root, out)


def prepare_chunk(chunk: Chunk, schema: Schema, media_root: Path, out: Path) -> ChunkReport:
    """Read the samples of a chunk and write its shard; do nothing when that was done before."""
    shard = layout.shard_file(out, chunk.number)
    digest = _digest(chunk, schema, media_root)
    before = _read_sidecar(shard, digest)
    if before is not None:
        return before
    shard.unlink(missing_ok=True)
    samples, bad = [], []
    for record in embed_texts(chunk.records, chunk.encoders):
        values, wrong = read_sample(record, schema, media_root)
        bad += wrong
        if not wrong:
            samples.append(Sample(record.sample_id, record.split, record.label, values, record.source))
    if samples:
        write_shard(shard, samples, schema)
    report = ChunkReport(chunk.number, len(samples), tuple(bad))
    write_json(
        layout.sidecar_file(shard), {"digest": digest, "rows": report.rows, "bad": [asdict(item) for item in bad]}
    )
    return report


def finish(out: Path, schema: Schema, reports: Sequence[ChunkReport], on_bad: OnBad) -> dict[str, Any]:
    """Commit the data set, or say what is wrong.

    Raises
    ------
    DataError
        With what is wrong with bad samples that are not to be left out (OUT/quarantine.csv has each of them); or
        when leaving them out leaves a split without
        some class. Shards of good chunks stay, so that the next try is quick.
    """
    bad = [item for report in sorted(reports, key=lambda report: report.number) for item in report.bad]
    problems = Problems(str(out))
    rows = sum(report.rows for report in reports)
    about = {"rows": rows, "quarantined": len({item.sample_id for item in bad})}
    if on_bad == "raise" and bad:
        write_quarantine(out, bad, about)
        problems.items += problem_lines(bad)
        problems.raise_if_any(DataError, note=f"{out / layout.QUARANTINE} lists every sample")
    if not rows:
        raise DataError(f"{out}: no sample is left; the first problem: {bad[0].line()}")
    _remove_others(out, {report.number for report in reports})
    write_quarantine(out, bad, about)
    if bad:
        _check_classes(out, schema, problems)
    problems.raise_if_any(DataError)
    return finish_dataset(out, schema, {"preparation": about})


def finished_reports(
    chunks: Sequence[Chunk], schema: Schema, media_root: Path, out: Path
) -> list[ChunkReport] | None:
    """The reports of the chunks of which `out` was made; None when it holds no data set.

    Raises
    ------
    DataError
        When it holds another one, or the manifest, the schema or a source file has changed since.
    """
    if not is_committed(out):
        return None
    found = [
        _read_sidecar(layout.shard_file(out, chunk.number), _digest(chunk, schema, media_root)) for chunk in chunks
    ]
    reports = [report for report in found if report is not None]
    if not len(chunks) == len(reports) == len(layout.sidecar_files(out)):
        raise DataError(
            f"{out}: holds a data set made from other samples or settings; choose another --out or remove it"
        )
    return reports


def _digest(chunk: Chunk, schema: Schema, media_root: Path) -> str:
    """What a shard is made from; changes when a record, the schema or a source file does."""
    parts: list[Any] = [FORMAT, schema.model_dump(mode="json"), [asdict(record) for record in chunk.records]]
    for file in sorted({file for record in chunk.records for file in _files(record, schema)}):
        path = media_root / file
        stat = path.stat() if path.is_file() else None
        parts.append([file, stat and stat.st_size, stat and stat.st_mtime_ns])
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()


def _files(record: Record, schema: Schema) -> list[str]:
    named = [spec.file_of(record.cells[spec.name]) for spec in schema.modalities if not spec.from_text]
    return [file for file in named if file]


def _remove_others(out: Path, numbers: set[int]) -> None:
    """Remove shards of an earlier, longer manifest."""
    kept = {layout.shard_file(out, number) for number in numbers}
    for shard in set(layout.shard_files(out)) - kept:
        shard.unlink()
    for sidecar in set(layout.sidecar_files(out)) - {layout.sidecar_file(shard) for shard in kept}:
        sidecar.unlink()


def _read_sidecar(shard: Path, digest: str) -> ChunkReport | None:
    try:
        before = json.loads(layout.sidecar_file(shard).read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    if before["digest"] != digest or shard.is_file() != bool(before["rows"]):
        return None
    bad = tuple(BadValue(**item) for item in before["bad"])
    return ChunkReport(int(shard.stem.rpartition("-")[2]), before["rows"], bad, reused=True)


def _check_classes(out: Path, schema: Schema, problems: Problems) -> None:
    """After a quarantine, every split must still have every class."""
    shards = Shards(out, schema)
    refuse_absent_classes(
        shards.label, shards.split.tolist(), schema.task, schema.classes, problems, "without the quarantined samples "
    )
