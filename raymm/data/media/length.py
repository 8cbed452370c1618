"""How long a media file is: as its header says, or, where that is no count, by reading it through."""

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av

from raymm.data.media.clock import NO_TIMESTAMPS, is_jump, period_of
from raymm.data.media.container import Input, Stream, open_media, real_streams, zero_of
from raymm.data.media.declared import has_frame_count, is_chained, known_end
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
        return not is_chained(path)
    if container.format.name == "matroska,webm":  # it has a length for all, or FFmpeg guesses one for each stream
        return all(stream.duration is None for stream in real_streams(container))
    return container.format.name not in GUESSED


def _read_through(container: Input) -> float:
    """The end of the last packet; packets without times follow one another at the frame rate."""
    streams = real_streams(container)
    zero, reached = zero_of(container), {stream.index: _Reached() for stream in streams}
    for packet in container.demux(streams) if streams else ():
        if not packet.size:
            continue
        length = _length(container, packet, streams)
        reached[packet.stream.index].follow(container, packet, length, zero)
    return float(max((stream.end for stream in reached.values()), default=Fraction(0)))


@dataclass
class _Reached:
    """How far a stream was read."""

    end: Fraction = Fraction(0)
    decoded: Fraction | None = None
    length: Fraction = Fraction(0)
    moved: Fraction = Fraction(0)

    def follow(self, container: Input, packet: "av.Packet", length: Fraction, zero: Fraction) -> None:
        """Go on to the end of a packet; timestamps of decoding tell where those of showing begin anew."""
        if packet.pts is None or container.format.flags & NO_TIMESTAMPS:
            self.end += length
            return
        if packet.dts is not None:
            decoded = packet.dts * Fraction(packet.time_base) - zero + self.moved
            if self.decoded is not None:
                step = decoded - self.decoded
                if is_jump(container, step - self.length, step):
                    self.moved += self.length - step
                    decoded = self.decoded + self.length
            self.decoded, self.length = decoded, length
        self.end = max(self.end, packet.pts * Fraction(packet.time_base) - zero + self.moved + length)


def _length(container: Input, packet: "av.Packet", streams: list[Stream]) -> Fraction:
    stream = next(stream for stream in streams if stream.index == packet.stream.index)
    if container.format.flags & NO_TIMESTAMPS and stream.type == "video":
        return period_of(stream)
    if packet.duration:
        return packet.duration * Fraction(packet.time_base)
    return period_of(stream) if stream.type == "video" else Fraction(0)
