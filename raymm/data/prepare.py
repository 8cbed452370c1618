"""Raw media to a data set: read each sample, collect what is wrong, write shards, continue where it stopped.

Work is cut into chunks of samples, one shard each. A chunk's sidecar tells what it was made from (records, schema,
size and time of the files); a rerun does only the chunks for which that has changed. Chunks run in this process or
on Ray (`raymm.distributed.prepare`), in any order, with the same result.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from raymm.data.listing import Record
from raymm.data.media.arrays import array_file, read_array
from raymm.data.media.audio import read_audio
from raymm.data.media.flow import dense_flow
from raymm.data.media.problem import MediaError
from raymm.data.media.video import frames_at, to_gray, to_rgb
from raymm.data.quarantine import BadValue, write_quarantine
from raymm.data.schema import AudioSpec, FlowSpec, ModalitySpec, RgbSpec, Schema, TextSpec
from raymm.data.store import Sample, check_value, finish_dataset, shard_path, write_shard
from raymm.errors import DataError, Problems
from raymm.storage import is_committed, write_json

__all__ = ["Chunk", "ChunkReport", "Run", "chunks_of", "finish", "prepare_chunk", "run_here"]

CHUNK_ROWS = 64

OnBad = Literal["raise", "quarantine"]
Value = npt.NDArray[Any] | str | None


@dataclass(frozen=True)
class Chunk:
    """Samples of one shard."""

    number: int
    records: tuple[Record, ...]


@dataclass(frozen=True)
class ChunkReport:
    """What became of a chunk: rows written, and what was wrong with the others."""

    number: int
    rows: int
    bad: tuple[BadValue, ...]
    reused: bool = False


Run = Callable[[Sequence[Chunk], Schema, Path, Path], Iterable[ChunkReport]]
"""`(chunks, schema, media_root, out) -> reports`, as they are done."""


def chunks_of(records: Sequence[Record]) -> list[Chunk]:
    """Records in file order, cut into chunks."""
    starts = range(0, len(records), CHUNK_ROWS)
    return [Chunk(number, tuple(records[start : start + CHUNK_ROWS])) for number, start in enumerate(starts)]


def run_here(chunks: Sequence[Chunk], schema: Schema, media_root: Path, out: Path) -> Iterator[ChunkReport]:
    """Prepare chunks in this process."""
    for chunk in chunks:
        yield prepare_chunk(chunk, schema, media_root, out)


def prepare_chunk(chunk: Chunk, schema: Schema, media_root: Path, out: Path) -> ChunkReport:
    """Read the samples of a chunk and write its shard; do nothing when that was done before."""
    shard = shard_path(out, chunk.number)
    sidecar = shard.with_name(f".{shard.stem}.json")
    digest = _digest(chunk, schema, media_root)
    before = _read_sidecar(sidecar, digest, shard)
    if before is not None:
        return before
    shard.unlink(missing_ok=True)
    samples, bad = [], []
    for record in chunk.records:
        values, wrong = read_sample(record, schema, media_root)
        bad += wrong
        if not wrong:
            samples.append(Sample(record.sample_id, record.split, record.label, values, record.source))
    if samples:
        write_shard(shard, samples, schema)
    report = ChunkReport(chunk.number, len(samples), tuple(bad))
    write_json(sidecar, {"digest": digest, "rows": report.rows, "bad": [asdict(item) for item in bad]})
    return report


def read_sample(record: Record, schema: Schema, media_root: Path) -> tuple[dict[str, Value], list[BadValue]]:
    """The values of a sample, and everything that is wrong with them."""
    values: dict[str, Value] = {}
    wrong: list[BadValue] = []
    frames = _Frames(record, schema, media_root)
    for spec in schema.modalities:
        cell = record.cells[spec.name]
        file = str(cell) if isinstance(cell, str) and not isinstance(spec, TextSpec) else ""
        try:
            value = None if cell is None else _read_value(cell, spec, media_root, frames)
            troubles = [] if value is None else check_value(value, spec)
        except MediaError as cause:
            value, troubles = None, [str(cause)]
        values[spec.name] = value
        wrong += [BadValue(record.sample_id, file, spec.name, trouble) for trouble in troubles]
    if not wrong and all(value is None for value in values.values()):
        wrong.append(BadValue(record.sample_id, record.source, "", "every modality is missing"))
    return values, wrong


def finish(out: Path, schema: Schema, reports: Sequence[ChunkReport], on_bad: OnBad) -> dict[str, Any]:
    """Commit the data set, or say what is wrong.

    Raises
    ------
    DataError
        With every bad sample, when they are not to be left out; or when leaving them out leaves a split without
        some class. Shards of good chunks stay, so that the next try is quick.
    """
    bad = [item for report in sorted(reports, key=lambda report: report.number) for item in report.bad]
    problems = Problems(str(out))
    if on_bad == "raise":
        for item in bad:
            problems.add(item.line())
        problems.raise_if_any(DataError)
    rows = sum(report.rows for report in reports)
    if not rows:
        raise DataError(f"{out}: no sample is left; see the first problem: {bad[0].line() if bad else 'none was given'}")
    about = {"rows": rows, "quarantined": len({item.sample_id for item in bad})}
    write_quarantine(out, bad, about)
    _check_classes(out, schema, problems)
    problems.raise_if_any(DataError)
    return finish_dataset(out, schema, {"preparation": about})


def refuse_finished(out: Path) -> None:
    """Refuse to prepare into a finished data set."""
    if is_committed(out):
        raise DataError(f"{out}: holds a finished data set already; choose another --out or remove it")


class _Frames:
    """Frames of one sample, each file decoded once for all modalities that need it."""

    def __init__(self, record: Record, schema: Schema, media_root: Path) -> None:
        self._root = media_root
        self._times: dict[str, set[float]] = {}
        for spec in schema.modalities:
            if isinstance(spec, RgbSpec | FlowSpec) and record.cells[spec.name] is not None:
                self._times.setdefault(str(record.cells[spec.name]), set()).update(_times(spec))
        self._decoded: dict[str, dict[float, Any]] = {}

    def of(self, file: str, spec: RgbSpec | FlowSpec) -> list[Any]:
        """Decoded frames of a file at the times of a modality."""
        if file not in self._decoded:
            times = sorted(self._times[file])
            self._decoded[file] = dict(zip(times, frames_at(_existing(self._root, file), times), strict=True))
        return [self._decoded[file][time] for time in _times(spec)]


def _times(spec: RgbSpec | FlowSpec) -> list[float]:
    """Times at which frames are taken: the middle of each interval; flow needs one more frame than fields."""
    if isinstance(spec, RgbSpec):
        return [(number + 0.5) / spec.fps for number in range(spec.frames)]
    return [number / spec.fps for number in range(spec.frames + 1)]


def _read_value(cell: Any, spec: ModalitySpec, media_root: Path, frames: _Frames) -> Value:
    if isinstance(spec, TextSpec):
        return str(cell)
    if isinstance(spec, AudioSpec):
        return read_audio(_existing(media_root, cell), spec.rate, spec.seconds)
    if isinstance(spec, RgbSpec):
        return to_rgb(frames.of(cell, spec), spec.height, spec.width)
    if isinstance(spec, FlowSpec):
        return dense_flow(to_gray(frames.of(cell, spec), spec.height, spec.width), spec)
    if isinstance(cell, str):
        return read_array(cell, _existing(media_root, array_file(cell)))
    try:
        return np.asarray(cell, np.float32)
    except ValueError as cause:
        raise MediaError(f"is no array of numbers ({cause})") from cause


def _existing(media_root: Path, file: str) -> Path:
    path = media_root / file
    if not path.is_file():
        raise MediaError(f"there is no file {file} in the media root")
    if not path.stat().st_size:
        raise MediaError("is an empty file (zero bytes)")
    return path


def _digest(chunk: Chunk, schema: Schema, media_root: Path) -> str:
    """What a shard is made from; changes when a record, the schema or a source file does."""
    parts: list[Any] = [schema.model_dump(mode="json"), [asdict(record) for record in chunk.records]]
    for file in sorted({array_file(str(cell)) for record in chunk.records for cell in _paths(record, schema)}):
        path = media_root / file
        stat = path.stat() if path.is_file() else None
        parts.append([file, stat and stat.st_size, stat and stat.st_mtime_ns])
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def _paths(record: Record, schema: Schema) -> list[str]:
    named = [(spec, record.cells[spec.name]) for spec in schema.modalities]
    return [cell for spec, cell in named if isinstance(cell, str) and not isinstance(spec, TextSpec)]


def _read_sidecar(sidecar: Path, digest: str, shard: Path) -> ChunkReport | None:
    try:
        before = json.loads(sidecar.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    if before["digest"] != digest or shard.is_file() != bool(before["rows"]):
        return None
    bad = tuple(BadValue(**item) for item in before["bad"])
    return ChunkReport(int(shard.stem.rpartition("-")[2]), before["rows"], bad, reused=True)


def _check_classes(out: Path, schema: Schema, problems: Problems) -> None:
    """After a quarantine, every split must still have every class."""
    from raymm.data.dataset import Shards  # noqa: PLC0415  (reads what was just written)

    shards = Shards(out, schema)
    for split in ("train", "val", "test"):
        left = set(shards.label[shards.split == split].tolist())
        gone = [name for number, name in enumerate(schema.classes) if number not in left]
        if gone:
            problems.add(f"without the quarantined samples split '{split}' has no sample of class {', '.join(gone)}")
