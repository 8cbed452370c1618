"""Read one sample of a manifest: every modality from its file, and everything that is wrong with it.

A video is decoded once, whatever number of modalities need its frames.
"""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from raymm.data.format import check_value
from raymm.data.manifest import Record
from raymm.data.media.arrays import array_file, read_array
from raymm.data.media.audio import read_audio
from raymm.data.media.flow import dense_flow
from raymm.data.media.problem import MediaError
from raymm.data.media.video import frames_at, to_gray, to_rgb
from raymm.data.quarantine import BadValue
from raymm.data.schema import AudioSpec, FlowSpec, ModalitySpec, RgbSpec, Schema, TextSpec

__all__ = ["read_sample"]

Value = npt.NDArray[Any] | str | None


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
