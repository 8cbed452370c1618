"""Read frames of a file at given times, in one pass, converted only where they are wanted."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from raymm.data.media.problem import MediaError

__all__ = ["frames_at", "to_gray", "to_rgb", "video_seconds"]

SHORTFALL = 0.1

Frames = npt.NDArray[np.uint8]


def frames_at(path: Path, times: Sequence[float]) -> list["av.VideoFrame"]:
    """The frames nearest to some times (in seconds, rising); the last frame stands for all later times.

    Raises
    ------
    MediaError
        When there is no video stream, it holds no frame, or the file cannot be decoded or ends before it says.
    """
    try:
        with av.open(str(path)) as container:
            if not container.streams.video:
                raise MediaError("has no video stream")
            stream = container.streams.video[0]
            stream.thread_type = "SLICE"
            return _nearest(container, stream, times)
    except (av.FFmpegError, OSError, ValueError) as cause:
        raise MediaError(f"cannot be decoded ({cause})") from cause


def to_rgb(frames: Sequence["av.VideoFrame"], height: int, width: int) -> Frames:
    """uint8 [T, 3, height, width]."""
    converted = [_convert(frame, "rgb24", height, width) for frame in frames]
    return np.stack(converted).transpose(0, 3, 1, 2)


def to_gray(frames: Sequence["av.VideoFrame"], height: int, width: int) -> Frames:
    """uint8 [T, height, width]."""
    return np.stack([_convert(frame, "gray", height, width) for frame in frames])


def video_seconds(path: Path) -> float | None:
    """How long a file says it is, or None when it does not say or cannot be opened."""
    try:
        with av.open(str(path)) as container:
            return None if container.duration is None else container.duration / av.time_base
    except (av.FFmpegError, OSError, ValueError):
        return None


def _nearest(
    container: "av.container.InputContainer", stream: "av.VideoStream", times: Sequence[float]
) -> list["av.VideoFrame"]:
    chosen: list[av.VideoFrame] = []
    previous: tuple[float, av.VideoFrame] | None = None
    for time, frame in _timed(container, stream):
        while previous is not None and len(chosen) < len(times) and times[len(chosen)] <= (previous[0] + time) / 2:
            chosen.append(previous[1])
        previous = (time, frame)
        if len(chosen) == len(times):
            return chosen
    if previous is None:
        raise MediaError("has a video stream of zero length")
    _check_end(container, stream, previous[0])
    return chosen + [previous[1]] * (len(times) - len(chosen))


def _timed(
    container: "av.container.InputContainer", stream: "av.VideoStream"
) -> Iterator[tuple[float, "av.VideoFrame"]]:
    for number, frame in enumerate(container.decode(stream)):
        yield float(number if frame.time is None else frame.time), frame


def _check_end(container: "av.container.InputContainer", stream: "av.VideoStream", last: float) -> None:
    stated = container.duration / av.time_base if container.duration is not None else None
    if stream.duration is not None and stream.time_base is not None:
        stated = float(stream.duration * stream.time_base)
    period = 1 / float(stream.average_rate) if stream.average_rate else 0.0
    if stated is not None and last + period < 0.9 * stated - SHORTFALL:
        raise MediaError(f"is truncated: {last + period:.2f} s of video of the {stated:.2f} s it says")


def _convert(frame: "av.VideoFrame", form: str, height: int, width: int) -> Frames:
    return frame.to_ndarray(format=form, height=height, width=width, interpolation="AREA")
