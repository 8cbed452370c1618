"""Raw media to a data set: read each sample, collect what is wrong, write shards, continue where it stopped.

Work is cut into chunks of samples, one shard each. A chunk's sidecar records what it was made from (records, schema,
size and time of the files); a rerun does only the chunks for which that has changed. Chunks run in this process or
on Ray (`raymm.cluster.prepare`), in any order, with the same result.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from raymm.data.decode import read_sample
from raymm.data.format import Sample, finish_dataset, write_shard
from raymm.data.labels import refuse_absent_classes
from raymm.data.lengths import Lengths, lengths_of, summary_of
from raymm.data.media.text_embeddings import Encoders, embed_texts
from raymm.data.quarantine import BadValue, problem_lines, write_quarantine
from raymm.data.schema import FORMAT, Schema
from raymm.data.shards import Shards
from raymm.data.sidecar import read_sidecar
from raymm.errors import DataError, Problems
from raymm.storage import data_layout
from raymm.storage.atomic import write_json
from raymm.storage.directory import is_committed

if TYPE_CHECKING:
    from raymm.data.record import Record

__all__ = [
    "Chunk",
    "ChunkReport",
    "all_remarks",
    "chunks_of",
    "finish",
    "finished_reports",
    "groups_of",
    "prepare_chunk",
    "run_here",
]

CHUNK_ROWS = 64
SHARD_BYTES = 2**21
MOST_ROWS = 4_096
"""Rows of a shard: a multiple of 64, as many as fit into 2 MiB, from 64 to 4,096. A system maps some 65,000 files."""

OnBad = Literal["raise", "quarantine"]


@dataclass(frozen=True)
class Chunk:
    """Samples of one shard, and the sentence encoders of their texts."""

    number: int
    records: tuple[Record, ...]
    encoders: Encoders = field(default_factory=dict)


@dataclass(frozen=True)
class ChunkReport:
    """The outcome of a chunk: rows written, the problems of the others, and what else there is to say.

    Remarks are triples of a modality, what is said, and of how many samples.
    """

    number: int
    rows: int
    bad: tuple[BadValue, ...]
    reused: bool = False
    lengths: Lengths = field(default_factory=dict)
    remarks: tuple[tuple[str, str, int], ...] = ()


def chunks_of(records: Sequence[Record], encoders: Encoders | None = None, rows: int | None = None) -> list[Chunk]:
    """Records in file order, cut into chunks.

    Parameters
    ----------
    encoders
        Those that the schema was built with.
    rows
        Of a chunk, see `rows_of_shards`; default: `CHUNK_ROWS`.
    """
    rows = rows or CHUNK_ROWS
    parts = [tuple(records[start : start + rows]) for start in range(0, len(records), rows)]
    return [Chunk(number, part, encoders or {}) for number, part in enumerate(parts)]


def rows_of_shards(records: Sequence[Record], schema: Schema, out: Path) -> int:
    """Rows of a shard: by the bytes of a sample, so that small ones do not need a file for each few.

    Shards of an earlier try, or version, that lie in `out` are continued as they were begun.
    """
    begun, second = (read_sidecar(data_layout.shard_file(out, number)) for number in (0, 1))
    if begun is not None and second is not None:
        return begun.samples or CHUNK_ROWS
    size = sum(int(np.prod(spec.shape)) * spec.dtype.itemsize for spec in schema.modalities if not spec.is_text)
    for spec in schema.modalities:
        if spec.is_text:
            size += sum(len(record.cells[spec.name] or "") for record in records) // max(len(records), 1)
    return CHUNK_ROWS * min(max(SHARD_BYTES // (CHUNK_ROWS * max(size, 1)), 1), MOST_ROWS // CHUNK_ROWS)


def run_here(chunks: Sequence[Chunk], schema: Schema, media_root: Path, out: Path) -> Iterator[ChunkReport]:
    """Prepare chunks in this process."""
    for chunk in chunks:
        yield prepare_chunk(chunk, schema, media_root, out)


def prepare_chunk(chunk: Chunk, schema: Schema, media_root: Path, out: Path) -> ChunkReport:
    """Read the samples of a chunk and write its shard; do nothing when that was done before."""
    shard = data_layout.shard_file(out, chunk.number)
    digest = _digest(chunk, schema, media_root)
    before = _read_sidecar(shard, digest)
    if before is not None:
        return before
    shard.unlink(missing_ok=True)
    samples, bad = [], []
    said: Counter[tuple[str, str]] = Counter()
    for record in embed_texts(chunk.records, chunk.encoders):
        values, wrong, noted = read_sample(record, schema, media_root)
        bad += wrong
        if not wrong:
            said.update(noted)
            samples.append(Sample(record.sample_id, record.split, record.label, values, record.source))
    if samples:
        write_shard(shard, samples, schema)
    lengths = lengths_of([sample.values for sample in samples], schema)
    remarks = tuple((*remark, count) for remark, count in sorted(said.items()))
    report = ChunkReport(chunk.number, len(samples), tuple(bad), lengths=lengths, remarks=remarks)
    written = {"digest": digest, "rows": report.rows, "bad": [asdict(item) for item in bad]}
    more = {"samples": len(chunk.records)} if len(chunk.records) > CHUNK_ROWS else {}
    extra = {"lengths": lengths, "remarks": remarks}
    write_json(
        data_layout.sidecar_file(shard), {**written, **more, **{key: value for key, value in extra.items() if value}}
    )
    return report


def all_remarks(reports: Sequence[ChunkReport]) -> list[tuple[str, str, int]]:
    """What there is to say about good samples: modality, remark, and of how many samples of the data set."""
    total: Counter[tuple[str, str]] = Counter()
    for modality, remark, count in (item for report in reports for item in report.remarks):
        total[modality, remark] += count
    return [(*key, count) for key, count in sorted(total.items())]


def finish(
    out: Path, schema: Schema, reports: Sequence[ChunkReport], on_bad: OnBad, groups: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Commit the data set, or say what is wrong.

    Parameters
    ----------
    groups
        By sample id, see `groups_of`.

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
    about: dict[str, Any] = {"rows": rows, "quarantined": len({item.sample_id for item in bad})}
    lengths = summary_of([report.lengths for report in reports])
    about |= {"lengths": lengths} if lengths else {}
    if on_bad == "raise" and bad:
        write_quarantine(out, bad, about)
        problems.items += problem_lines(bad)
        problems.raise_if_any(DataError, note=f"{out / data_layout.QUARANTINE} lists every sample")
    if not rows:
        raise DataError(f"{out}: no sample is left; the first problem: {bad[0].line()}")
    _remove_others(out, {report.number for report in reports})
    write_quarantine(out, bad, about)
    if bad:
        _check_classes(out, schema, problems)
    problems.raise_if_any(DataError)
    remarks = [{"modality": name, "remark": said, "samples": count} for name, said, count in all_remarks(reports)]
    preparation = {**about, **({"remarks": remarks} if remarks else {})}
    return finish_dataset(out, schema, {"preparation": preparation}, groups)


def groups_of(records: Sequence[Record]) -> dict[str, str]:
    """The group of each sample that has one."""
    return {record.sample_id: record.group for record in records if record.group}


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
        _read_sidecar(data_layout.shard_file(out, chunk.number), _digest(chunk, schema, media_root))
        for chunk in chunks
    ]
    reports = [report for report in found if report is not None]
    if not len(chunks) == len(reports) == len(data_layout.sidecar_files(out)):
        raise DataError(
            f"{out}: holds a data set made from other samples or settings; choose another --out or remove it"
        )
    return reports


def _digest(chunk: Chunk, schema: Schema, media_root: Path) -> str:
    """What a shard is made from; changes when a record, the schema or a source file does."""
    parts: list[Any] = [FORMAT, schema.model_dump(mode="json"), [_fields(record) for record in chunk.records]]
    for file in sorted({file for record in chunk.records for file in _files(record, schema, media_root)}):
        path = media_root / file
        stat = path.stat() if path.is_file() else None
        parts.append([file, stat and stat.st_size, stat and stat.st_mtime_ns])
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=_identity).encode()).hexdigest()


def _fields(record: Record) -> dict[str, Any]:
    """What a record says; a group only where there is one, so that data sets of earlier versions are recognised."""
    return {name: value for name, value in vars(record).items() if name != "group" or value}


def _identity(value: Any) -> str:
    """What stands for a value that JSON does not know: of an array its type, shape and SHA-256."""
    if isinstance(value, np.ndarray):
        content = np.ascontiguousarray(value).tobytes()
        return f"{value.dtype} {value.shape} {hashlib.sha256(content).hexdigest()}"
    return str(value)


def _files(record: Record, schema: Schema, media_root: Path) -> list[str]:
    own = [spec for spec in schema.modalities if not spec.from_text]
    return [file for spec in own for file in spec.files_of(record.cells[spec.name], media_root)]


def _remove_others(out: Path, numbers: set[int]) -> None:
    """Remove shards of an earlier, longer manifest."""
    kept = {data_layout.shard_file(out, number) for number in numbers}
    for shard in set(data_layout.shard_files(out)) - kept:
        shard.unlink()
    for sidecar in set(data_layout.sidecar_files(out)) - {data_layout.sidecar_file(shard) for shard in kept}:
        sidecar.unlink()


def _read_sidecar(shard: Path, digest: str) -> ChunkReport | None:
    """What was said of a chunk that was done before; None when it was not, or this cannot be read."""
    before = read_sidecar(shard)
    if before is None or before.digest != digest or shard.is_file() != bool(before.rows):
        return None
    bad = tuple(BadValue(**item.model_dump()) for item in before.bad)
    lengths = {name: found.model_dump() for name, found in before.lengths.items()}
    number = int(shard.stem.rpartition("-")[2])
    return ChunkReport(number, before.rows, bad, True, lengths, tuple(before.remarks))


def _check_classes(out: Path, schema: Schema, problems: Problems) -> None:
    """After a quarantine, every split must still have every class."""
    shards = Shards(out, schema)
    refuse_absent_classes(
        shards.label, shards.split.tolist(), schema.task, schema.classes, problems, "without the quarantined samples "
    )
