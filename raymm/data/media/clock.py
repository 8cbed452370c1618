"""When each frame of a video is shown, in seconds since time 0 of its file.

Frames come from the decoder in the order in which they are shown. Their times are their timestamps; an AVI file has
no timestamps but one place a packet, of which a frame takes the next; a raw stream has only its frame rate.
"""

from collections.abc import Iterator
from fractions import Fraction

from raymm.data.media.container import Frame, Input, Stream
from raymm.data.media.packets import NO_TIMESTAMPS, decoded, period_of

__all__ = ["COUNTED", "Timed", "timed_frames"]

Timed = tuple[Fraction, Frame]

COUNTED = ("aac", "ac3", "amr", "dts", "eac3", "loas", "mp3")
"""Formats without timestamps, to which FFmpeg gives those of packets that are as long as the first."""


def timed_frames(container: Input, stream: Stream, zero: Fraction) -> Iterator[Timed]:
    """Frames in the order in which they are shown, and their times."""
    if container.format.flags & NO_TIMESTAMPS:
        return _by_number(container, stream)
    if container.format.name == "avi":
        return _by_packet(container, stream, zero)
    return _by_timestamp(container, stream, zero)


def _by_number(container: Input, stream: Stream) -> Iterator[Timed]:
    period = period_of(stream)
    frames = (frame for _, frames in decoded(container, stream) for frame in frames)
    for number, frame in enumerate(frames):
        yield number * period, frame


def _by_timestamp(container: Input, stream: Stream, zero: Fraction) -> Iterator[Timed]:
    time, previous = Fraction(0), None
    for frame in (frame for _, frames in decoded(container, stream) for frame in frames):
        if frame.pts is not None:
            time = frame.pts * frame.time_base - zero
        elif previous is not None:
            time += duration_of(previous) or period_of(stream)
        previous = frame
        yield time, frame


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
