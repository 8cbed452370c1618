"""Read frames of a file at given times, in one pass, converted only where they are wanted."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from raymm.data.media.clock import Timed, duration_of, timed_frames
from raymm.data.media.container import (
    Frame,
    Input,
    LastPacketError,
    Stream,
    has_sound,
    open_media,
    stream_of,
    zero_of,
)
from raymm.data.media.declared import check_end, known_end
from raymm.data.media.geometry import Orientation, Picture, frame_orientation, still_orientation, to_gray, to_rgb
from raymm.data.media.packets import period_of
from raymm.data.media.problem import MediaError

__all__ = ["Shown", "frames_at", "read_frames", "to_gray", "to_rgb"]

FREE_PIXELS, FREE_BYTES = 2**33, 2**20
"""Pixels of all frames that are decoded of any file, and up to how many bytes of it."""
PIXELS_A_BYTE = 2**15
"""Of larger files: still 4K in H.264 has some 30,000."""

READ_ON = 1
"""Seconds after the last frame that are read as well where no length is known, to tell whether the video goes on."""


@dataclass(frozen=True)
class Shown:
    """What a video shows at some times, and how long it is; where nobody knows, how far it was read."""

    pictures: list[Picture]
    seconds: float


def frames_at(path: Path, times: Sequence[float], stream: int | None = None) -> list[Picture]:
    """What a video shows at some times (in seconds since time 0 of its file, rising).

    At each time it shows the last frame whose own time is not after it. The first frame stands for all earlier times,
    the last one for all later times. Where a frame does not last a whole number of ticks, timestamps are rounded, and
    a frame that comes half a tick too late counts as in time.

    Parameters
    ----------
    path, times
        The file, and the times.
    stream
        Number among the file's video streams, from 0 on; None takes the first that is no cover or still.

    Raises
    ------
    MediaError
        When there is no such stream, it holds no frame, the file cannot be decoded or ends before it says, or shows
        far more pixels than it has bytes.
    """
    return read_frames(path, times, stream).pictures


def read_frames(path: Path, times: Sequence[float], stream: int | None = None) -> Shown:
    """As `frames_at`, with the length of the video."""
    with open_media(path) as container:
        chosen = stream_of(container, "video", stream)
        chosen.thread_type = "SLICE"
        zero, slack = zero_of(container), _slack(chosen)
        aspect = Fraction(chosen.sample_aspect_ratio or 1)
        reached = _Reached(still_orientation(container), aspect, path.stat().st_size)
        pictures = reached.follow(timed_frames(container, chosen, zero))
        try:
            shown = _at(pictures, [Fraction(time) + slack for time in times])
            if known_end(container, chosen) is None:
                _read_on(pictures, reached.time + READ_ON)
        except LastPacketError:
            check_end(container, chosen, float(reached.time + reached.duration + zero), failed=True)
            raise
        if stream is None and reached.ended and reached.count == 1:
            _refuse_still(container)
        return Shown(shown, _length(container, chosen, reached, zero))


def _slack(stream: Stream) -> Fraction:
    """How much later than its true time the timestamp of a frame may be, and a microsecond for times in binary."""
    tick, period = Fraction(stream.time_base or 0), period_of(stream)
    rounded = tick > 0 and period % tick != 0
    return (tick / 2 if rounded and tick < period else Fraction(0)) + Fraction(1, 10**6)


class _Reached:
    """How far frames were read, and how the last one is shown."""

    def __init__(self, still: Orientation | None, pixel_aspect: Fraction, size: int) -> None:
        self._size = size
        self._pixels = 0
        self.still = still
        self.orientation = still or Orientation()
        self.pixel_aspect = pixel_aspect
        self.count = 0
        self.time = Fraction(0)
        self.frame: Frame | None = None
        self.ended = False

    @property
    def duration(self) -> Fraction:
        """How long the last frame says that it is shown."""
        return Fraction(0) if self.frame is None else duration_of(self.frame)

    def follow(self, frames: Iterable[Timed]) -> Iterator[tuple[Fraction, Picture]]:
        """What is shown, and when it begins."""
        for time, frame in frames:
            self.count += 1
            self.time = time
            self.frame = frame
            self._count_pixels(frame)
            if self.still is None:
                self.orientation = frame_orientation(frame) or self.orientation
            yield time, Picture(frame, self.orientation, self.pixel_aspect)
        self.ended = True

    def _count_pixels(self, frame: Frame) -> None:
        """Refuse a small file that would be decoded for long."""
        self._pixels += frame.width * frame.height
        most = FREE_PIXELS if self._size <= FREE_BYTES else PIXELS_A_BYTE * self._size
        if self._pixels > most:
            raise MediaError(
                f"shows more than {most} pixels, in {self.count} frames of {frame.width} x {frame.height} from "
                f"{self._size} bytes; write it with fewer or smaller ones, by ffmpeg -i IN -vf fps=5,scale=640:-2 OUT"
            )


def _at(pictures: Iterable[tuple[Fraction, Picture]], times: Sequence[Fraction]) -> list[Picture]:
    """The pictures that are shown at some times."""
    chosen: list[Picture] = []
    shown: Picture | None = None
    for time, picture in pictures:
        while shown is not None and len(chosen) < len(times) and times[len(chosen)] < time:
            chosen.append(shown)
        if shown is not None and len(chosen) == len(times):
            return chosen
        shown = picture
    if shown is None:
        raise MediaError("has a video stream of zero length")
    return chosen + [shown] * (len(times) - len(chosen))


def _read_on(pictures: Iterable[tuple[Fraction, Picture]], until: Fraction) -> None:
    """Read frames up to some time, or to the end if that is nearer."""
    for time, _ in pictures:
        if time > until:
            return


def _length(container: Input, stream: Stream, reached: _Reached, zero: Fraction) -> float:
    """The length of a video, on which it is checked where it was read to its end."""
    if not reached.ended:
        return max((known_end(container, stream) or 0.0) - float(zero), float(reached.time))
    end = float(reached.time + (reached.duration or period_of(stream)))
    check_end(container, stream, end + float(zero))
    return end


def _refuse_still(container: Input) -> None:
    """A file of sound may hold one picture that is not marked as its cover; Matroska counts it as a video."""
    if has_sound(container) and container.format.name == "matroska,webm":
        raise MediaError("has no video: its only picture is a still beside the sound")
