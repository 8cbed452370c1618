"""Packets of a file in the order in which they lie there, with timestamps that go on where they begin anew."""

from collections import Counter
from collections.abc import Iterator, Sequence
from fractions import Fraction
from typing import Any

import av

from raymm.data.media.container import Input, LastPacketError, Stream, open_media, path_of, real_streams
from raymm.data.media.joins import Follower, Piece, moves

__all__ = ["decoded", "length_of", "packets_of", "period_of"]

Packet = Any
"""av.Packet."""

TS_DISCONT = 0x200
"""FFmpeg's AVFMT_TS_DISCONT: timestamps may begin anew in the middle of the file."""


def decoded(container: Input, stream: Stream) -> Iterator[tuple[Packet, list[Any]]]:
    """Packets of a stream and the frames that come out of each.

    Raises
    ------
    av.FFmpegError
        When a packet that has others after it cannot be decoded.
    LastPacketError
        When the last one cannot be decoded.
    """
    packets = packets_of(container, [stream])
    for packet in packets:
        try:
            frames = packet.decode()
        except av.FFmpegError as cause:
            if container.format.name == "mp3" and bytes(packet).startswith(b"ID3"):
                continue  # the tag of a second file that was joined to the first
            if any(later.size for later in packets):
                raise
            raise LastPacketError from cause
        yield packet, frames


def packets_of(container: Input, streams: Sequence[Stream]) -> Iterator[Packet]:
    """Packets of some streams; where timestamps begin anew, all streams of the file are moved together."""
    if not container.format.flags & TS_DISCONT:
        yield from container.demux(streams)
        return
    wanted, follower, joins = {stream.index for stream in streams}, Follower(), Counter[int]()
    table: dict[tuple[int, int], Fraction] = {}
    for packet in _every(container, wanted):
        index = packet.stream.index
        begins = index not in joins and joins.total() > 0
        joins[index] += 0
        if follower.follow(_piece(packet)) is not None:
            joins[index] += 1
            begins = True
        if begins and not table:
            table = _moves(container, wanted)
        if index in wanted:
            _move(packet, table.get((index, joins[index]), Fraction(0)))
            yield packet


def period_of(stream: Stream) -> Fraction:
    """How long a frame is shown at the frame rate of a stream; 0 where it has none."""
    rate = stream.guessed_rate or stream.average_rate
    return 1 / Fraction(rate) if rate else Fraction(0)


def length_of(packet: Packet) -> Fraction:
    """How long a packet is, in seconds; 0 where neither it nor a frame rate says it."""
    if packet.duration:
        return Fraction(packet.duration * packet.time_base)
    return period_of(packet.stream) if packet.stream.type == "video" else Fraction(0)


def _every(container: Input, wanted: set[int]) -> Iterator[Packet]:
    """Packets of the real streams of a file, and of others that are wanted."""
    indices = {stream.index for stream in real_streams(container)} | wanted
    return container.demux([container.streams[index] for index in sorted(indices)])


def _moves(container: Input, wanted: set[int]) -> dict[tuple[int, int], Fraction]:
    """How far to move the streams of a file, which is read once more."""
    with open_media(path_of(container)) as again:
        return moves(_piece(packet) for packet in _every(again, wanted))


def _piece(packet: Packet) -> Piece:
    time = None if packet.dts is None else Fraction(packet.dts * packet.time_base)
    return packet.stream.index, time, length_of(packet) if packet.size else Fraction(0)


def _move(packet: Packet, seconds: Fraction) -> None:
    if seconds:
        ticks = round(seconds / packet.time_base)
        packet.pts = None if packet.pts is None else packet.pts + ticks
        packet.dts = None if packet.dts is None else packet.dts + ticks
