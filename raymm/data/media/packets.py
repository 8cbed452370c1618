"""Packets of a file in the order in which they lie there, with timestamps that go on where they begin anew."""

from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from fractions import Fraction
from typing import Any

import av

from raymm.data.media.container import (
    Input,
    LastPacketError,
    Packet,
    Stream,
    demuxed,
    open_media,
    path_of,
    real_streams,
)
from raymm.data.media.joins import Moves, Piece, Track, moves
from raymm.data.media.ogg import second_link

__all__ = ["NO_TIMESTAMPS", "decoded", "length_of", "packets_of", "period_of"]

NO_TIMESTAMPS = 0x80
"""FFmpeg's AVFMT_NOTIMESTAMPS."""
TS_DISCONT = 0x200
"""FFmpeg's AVFMT_TS_DISCONT: timestamps may begin anew in the middle of the file."""

AHEAD = 128
"""Packets that are read before one is given: a demuxer gives a picture late, behind sound of the next recording."""
APART = 60
"""Seconds between the starts of streams that do not share a clock, as those of several programs."""


def decoded(container: Input, stream: Stream) -> Iterator[tuple[Packet, list[Any]]]:
    """Packets of a stream and the frames that come out of each.

    Raises
    ------
    av.FFmpegError
        When a packet that has others after it cannot be decoded.
    LastPacketError
        When the last one cannot be decoded, or what follows cannot be read.
    """
    packets = packets_of(container, [stream])
    while (packet := _next(packets)) is not None:
        try:
            frames = packet.decode()
        except av.FFmpegError as cause:
            if container.format.name == "mp3" and bytes(packet).startswith(b"ID3"):
                continue  # the tag of a second file that was joined to the first
            if _goes_on(packets):
                raise
            raise LastPacketError from cause
        yield packet, frames


def _next(packets: Iterator[Packet]) -> Packet | None:
    """The next packet; raises `LastPacketError` where the file makes no sense from there on, as where it was cut."""
    try:
        return next(packets, None)
    except av.InvalidDataError as cause:
        raise LastPacketError from cause


def _goes_on(packets: Iterator[Packet]) -> bool:
    """Whether there is another packet that is not empty."""
    while (packet := _next(packets)) is not None:
        if packet.size:
            return True
    return False


def packets_of(container: Input, streams: Sequence[Stream]) -> Iterator[Packet]:
    """Packets of some streams; where timestamps begin anew, all streams of a recording are moved together."""
    if container.format.name == "ogg":
        yield from _first_link_timed(container, streams)
        return
    if container.format.flags & NO_TIMESTAMPS or not container.format.flags & TS_DISCONT:
        yield from demuxed(container, streams)
        return
    wanted, watch = {stream.index for stream in streams}, _Watch()
    found: Moves | None = None
    for read, given in _read_ahead(demuxed(container, _streams(container, wanted))):
        if found is None and read is not None and watch.suspects(*read):
            found = _moves(container, wanted)
        if given is not None and given[1].stream in wanted:
            _move(*given, found or {})
            yield given[0]


def _first_link_timed(container: Input, streams: Sequence[Stream]) -> Iterator[Packet]:
    """Packets of an Ogg file; those of a second link and later ones follow on, whatever times FFmpeg gives them."""
    link = second_link(path_of(container))
    for packet in demuxed(container, streams):
        if link is not None and packet.pos is not None and packet.pos >= link:
            packet.pts = packet.dts = None
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


Placed = tuple[Packet, Piece]


def _read_ahead(packets: Iterator[Packet]) -> Iterator[tuple[Placed | None, Placed | None]]:
    """Packets as they are read, each with the one that was read `AHEAD` before; an error comes after the last one."""
    places, waiting = _Places(), deque[Placed]()
    failed: av.FFmpegError | None = None
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError as cause:
            failed = cause
            break
        if packet is None:
            break
        waiting.append((packet, places.piece(packet)))
        yield waiting[-1], waiting.popleft() if len(waiting) > AHEAD else None
    for given in waiting:
        yield None, given
    if failed is not None:
        raise failed


class _Places:
    """Packets as pieces; places within a stream never fall, and a packet without one lies where the last did."""

    def __init__(self) -> None:
        self._last: dict[int, int] = {}

    def piece(self, packet: Packet) -> Piece:
        """Of one packet after the other."""
        stream = packet.stream.index
        place = self._last[stream] = max(self._last.get(stream, 0), packet.pos or 0)
        length = packet.duration or (round(length_of(packet) / packet.time_base) if packet.size else 0)
        return Piece(stream, place, packet.dts, packet.pts, length)


class _Watch:
    """Notices, packet by packet, that a file may be one of joined recordings."""

    def __init__(self) -> None:
        self._tracks: dict[int, Track] = {}

    def suspects(self, packet: Packet, piece: Piece) -> bool:
        """Whether times leap at a packet, or a stream begins long after the others."""
        if piece.stream in self._tracks:
            suspect = self._tracks[piece.stream].breaks(piece)
        else:
            suspect = any(track.is_old() for track in self._tracks.values())
            self._tracks[piece.stream] = Track(Fraction(packet.time_base))
        self._tracks[piece.stream].follow(piece)
        return suspect


def _streams(container: Input, wanted: set[int]) -> list[Stream]:
    """The real streams of a file, and others that are wanted."""
    indices = {stream.index for stream in real_streams(container)} | wanted
    return [container.streams[index] for index in sorted(indices)]


def _moves(container: Input, wanted: set[int]) -> Moves:
    """How far to move the streams of a file, which is read once more, as far as it can be."""
    out: Moves = {}
    with open_media(path_of(container)) as again:
        pieces: list[Piece] = []
        streams, places = _streams(again, wanted), _Places()
        with suppress(av.FFmpegError):  # what comes before is known
            pieces.extend(places.piece(packet) for packet in demuxed(again, streams))
        for together in _clocks(streams):
            ticks = {stream.index: Fraction(stream.time_base) for stream in together}
            out |= moves([piece for piece in pieces if piece.stream in ticks], ticks)
    return out


def _clocks(streams: Iterable[Stream]) -> list[list[Stream]]:
    """Streams that share a clock: each starts within a minute of another one."""
    out: list[list[Stream]] = []
    reached = Fraction(0)
    for stream in sorted(streams, key=_start):
        if not out or _start(stream) - reached > APART:
            out.append([])
        out[-1].append(stream)
        reached = _start(stream)
    return out


def _start(stream: Stream) -> Fraction:
    return Fraction((stream.start_time or 0) * stream.time_base)


def _move(packet: Packet, piece: Piece, found: Moves) -> None:
    marks = found.get(piece.stream, [])
    number = bisect_right(marks, piece.place, key=lambda mark: mark[0])
    if number:
        ticks = round(marks[number - 1][1] / packet.time_base)
        packet.pts = None if packet.pts is None else packet.pts + ticks
        packet.dts = None if packet.dts is None else packet.dts + ticks
