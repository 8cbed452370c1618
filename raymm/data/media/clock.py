"""When each frame of a video is shown, in seconds since time 0 of its file.

Frames come from the decoder in the order in which they are shown. Their times are their timestamps; an AVI file has
no timestamps but one place a packet, of which a frame takes the next; a raw stream has only its frame rate.
"""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

from raymm.data.media.container import Input, Stream, decoded

__all__ = ["COUNTED", "NO_TIMESTAMPS", "Frame", "Timed", "is_jump", "period_of", "timed_frames"]

Frame = Any
"""av.VideoFrame."""
Timed = tuple[Fraction, Frame]

NO_TIMESTAMPS = 0x80
"""FFmpeg's AVFMT_NOTIMESTAMPS."""
TS_DISCONT = 0x200
"""FFmpeg's AVFMT_TS_DISCONT: timestamps may begin anew in the middle of the file."""
COUNTED = ("aac", "ac3", "amr", "dts", "eac3", "loas", "mp3")
"""Formats without timestamps, to which FFmpeg gives those of packets that are as long as the first."""
JUMP = 10
"""Seconds; a larger step of such timestamps is a new beginning, as in FFmpeg, and not a pause."""
BACK = 0.1
"""Seconds; so is a step back behind what came last, as where files were joined by `cat`."""


def timed_frames(container: Input, stream: Stream, zero: Fraction) -> Iterator[Timed]:
    """Frames in the order in which they are shown, and their times."""
    if container.format.flags & NO_TIMESTAMPS:
        return _by_number(container, stream)
    if container.format.name == "avi":
        return _by_packet(container, stream, zero)
    return _by_timestamp(container, stream, zero)


def period_of(stream: Stream) -> Fraction:
    """How long a frame is shown at the frame rate of a stream; 0 where it has none."""
    rate = stream.guessed_rate or stream.average_rate
    return 1 / Fraction(rate) if rate else Fraction(0)


def is_jump(container: Input, step: float | Fraction, advance: float | Fraction) -> bool:
    """Whether the timestamps begin anew, by the seconds from the expected and from the last time to a timestamp."""
    return bool(container.format.flags & TS_DISCONT) and (abs(float(step)) > JUMP or advance < -BACK)


def _by_number(container: Input, stream: Stream) -> Iterator[Timed]:
    period = period_of(stream)
    frames = (frame for _, frames in decoded(container, stream) for frame in frames)
    for number, frame in enumerate(frames):
        yield number * period, frame


def _by_timestamp(container: Input, stream: Stream, zero: Fraction) -> Iterator[Timed]:
    moved, last = -zero, Fraction(0)
    previous: Frame | None = None
    may_jump = bool(container.format.flags & TS_DISCONT)
    for frame in (frame for _, frames in decoded(container, stream) for frame in frames):
        own = None if frame.pts is None else frame.pts * frame.time_base
        if own is None or may_jump:
            expected = last if previous is None else last + (duration_of(previous) or period_of(stream))
            if own is None:
                own = expected - moved
            elif previous is not None and is_jump(container, own + moved - expected, own + moved - last):
                moved = expected - own
        last, previous = own + moved, frame
        yield last, frame


def _by_packet(container: Input, stream: Stream, zero: Fraction) -> Iterator[Timed]:
    """The n-th frame that is shown takes the place of the n-th packet that is not empty."""
    places: list[int] = []
    shown = hole = 0
    for packet, frames in decoded(container, stream):
        if packet.size and packet.dts is not None:
            places.append(packet.dts)
        for frame in frames:
            hole = _hole(places) if shown == 1 else hole
            place = places[shown] if shown < len(places) else places[-1] + 1 + shown - len(places)
            yield (place - hole) * Fraction(stream.time_base) - zero, frame
            shown += 1


def _hole(places: list[int]) -> int:
    """Places after the first packet that an encoder with B frames leaves empty, before it knows the next frame.

    Without B frames only two packets are known when the second frame comes, and a hole is a pause.
    """
    return max(0, (places[1] - places[0]) - (places[2] - places[1])) if len(places) >= 3 else 0


def duration_of(frame: Frame) -> Fraction:
    """How long a frame says that it is shown; 0 where it does not say it."""
    return Fraction(frame.duration * frame.time_base) if frame.duration else Fraction(0)
