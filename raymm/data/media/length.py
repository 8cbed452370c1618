"""How long a media file is: as its header says, or, where that is no count, by reading it through."""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av

from raymm.data.media.container import Input, Stream, open_media, real_streams, zero_of
from raymm.data.media.declared import has_frame_count, known_end
from raymm.data.media.ogg import second_link
from raymm.data.media.packets import NO_TIMESTAMPS, decoded, length_of, packets_of, period_of
from raymm.data.media.problem import MediaError

__all__ = ["media_seconds"]

GUESSED = ("aac", "ac3", "eac3", "dts", "amr", "mp3", "loas", "flv", "mpegts", "mpeg")
"""Formats whose length is a guess from the bit rate or the last timestamps, or what a program wrote beside."""


def media_seconds(path: Path) -> float | None:
    """Seconds from time 0 to the end of the longest sound or moving picture; None where a file cannot be read."""
    try:
        with open_media(path) as container:
            if not _is_known(container, path):
                return _read_through(container) or None
            zero = float(zero_of(container))
            ends = [known_end(container, stream) or 0.0 for stream in real_streams(container)]
            return max(float(container.duration / av.time_base), *(end - zero for end in ends))
    except MediaError:
        return None


def _is_known(container: Input, path: Path) -> bool:
    """Whether the length of a file is one that it holds itself."""
    if container.duration is None or container.format.flags & NO_TIMESTAMPS or not real_streams(container):
        return False
    if container.format.name == "mp3":
        return has_frame_count(path)
    if container.format.name == "ogg":
        return second_link(path) is None
    if container.format.name == "matroska,webm":  # it has a length for all, or FFmpeg guesses one for each stream
        return all(stream.duration is None for stream in real_streams(container))
    return container.format.name not in GUESSED


def _read_through(container: Input) -> float:
    """The end of the last packet; packets without times follow one another, as long as they are."""
    streams = real_streams(container)
    if container.format.name == "ogg" and [stream.type for stream in streams] == ["audio"]:
        return float(sum(_sounding(container, streams[0])))
    zero, ends = zero_of(container), dict.fromkeys((stream.index for stream in streams), Fraction(0))
    counted = bool(container.format.flags & NO_TIMESTAMPS)
    for packet in packets_of(container, streams) if streams else ():
        if packet.size:
            index, length = packet.stream.index, length_of(packet)
            if counted and packet.stream.type == "video":
                length = period_of(packet.stream)
            if counted or packet.pts is None:
                ends[index] += length
            else:
                ends[index] = max(ends[index], packet.pts * Fraction(packet.time_base) - zero + length)
    return float(max(ends.values(), default=Fraction(0)))


def _sounding(container: Input, stream: Stream) -> Iterator[Fraction]:
    """Seconds of sound that come out of each packet of a file whose timestamps do not say it."""
    for _, frames in decoded(container, stream):
        yield sum((Fraction(frame.samples, frame.sample_rate) for frame in frames), Fraction(0))
