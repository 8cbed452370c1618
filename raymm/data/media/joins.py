"""Where the timestamps of a file begin anew, as where recordings were joined by `cat`, and how far to move them.

The streams of a recording end a little apart. Were each moved by itself to go on from its own end, sound and picture
would drift apart with every join. So a file is cut into recordings, at a place for all streams, and what lies in one
is moved alike: its earliest start to the latest end of the recording before.

Times are whole ticks of a stream. Those of decoding only rise within a recording, and tell where another begins;
those of showing tell from where to where it reaches. Streams whose clocks have nothing to do with one another, as
those of several programs, are to be taken apart before.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import NamedTuple

__all__ = ["Moves", "Piece", "Track", "moves"]

JUMP = 10
"""Seconds; a larger step forward is a new beginning, as in FFmpeg, unless another stream is there already."""
BACK = Fraction(1, 10)
"""Seconds; so is a step back behind what came last. A packet that is less off than this goes on from the last one."""
OLD = 3
"""Seconds; streams of one recording begin within it, however coarsely they are interleaved."""

Moves = dict[int, list[tuple[int, Fraction]]]
"""By stream: from which place in the file on its times are moved, and by how many seconds; places rise."""


class Piece(NamedTuple):
    """A packet: its stream, place in the file, times of decoding and of showing, and length, in ticks."""

    stream: int
    place: int
    dts: int | None
    pts: int | None
    length: int


@dataclass
class Track:
    """How far one stream was read in a recording.

    Attributes
    ----------
    tick, moved
        Seconds of a tick, and those that were added for this stream alone.
    last, expected
        Time of decoding of the last packet, and that of one that goes on from it.
    at, left
        Number of the last packet, and of the last one that did not go on from the one before it, or was the first
        when others had been read for long.
    first
        Time of decoding of the first packet.
    """

    tick: Fraction
    moved: Fraction = Fraction(0)
    last: int | None = None
    expected: int = 0
    at: int = -1
    left: int = -1
    first: int | None = None

    def breaks(self, piece: Piece) -> bool:
        """Whether times begin anew at a packet, or leap."""
        if self.last is None or piece.dts is None:
            return False
        return (piece.dts - self.expected) * self.tick > JUMP or (self.last - piece.dts) * self.tick > BACK

    def goes_on(self, piece: Piece) -> bool:
        """Whether a packet follows the last one, as far as is known."""
        if self.last is None or piece.dts is None:
            return True
        return piece.dts > self.last and abs(piece.dts - self.expected) * self.tick <= BACK

    def follow(self, piece: Piece, number: int = 0) -> None:
        """Go on to a packet, which has a number in the order of the file."""
        if not self.goes_on(piece):
            self.left = number
        if piece.dts is not None:
            self.last, self.expected = piece.dts, piece.dts
            self.first = piece.dts if self.first is None else self.first
        self.expected += piece.length
        self.at = number

    def is_old(self) -> bool:
        """Whether a stream that begins only now may be one of the next recording."""
        return self.last is not None and self.first is not None and (self.last - self.first) * self.tick > OLD

    def seconds(self, ticks: int) -> Fraction:
        """Where a time lies once the stream is moved."""
        return ticks * self.tick + self.moved


def moves(pieces: Sequence[Piece], ticks: Mapping[int, Fraction]) -> Moves:
    """How far to move the packets of the streams of a file that share a clock.

    Parameters
    ----------
    pieces, ticks
        All packets, in the order in which they are read, and by stream the seconds of a tick.

    Example
    -------
    Two recordings of 2 s, whose sound ends at 1.5 s, follow one another; both streams are moved by 2 s:

    >>> recording = [(0, 0, 10), (1, 0, 10), (0, 10, 10), (1, 10, 5)]
    >>> both = [Piece(one, place, at, at, long) for place, (one, at, long) in enumerate(recording * 2)]
    >>> moves(both, {0: Fraction(1, 10), 1: Fraction(1, 10)})
    {0: [(4, Fraction(2, 1))], 1: [(4, Fraction(2, 1))]}
    """
    ordered = sorted(pieces, key=lambda piece: piece.place)
    begins, leaps = _Cuts(ordered, ticks).found()
    added = _shifts(ordered, ticks, begins, leaps)
    out: dict[int, list[tuple[int, Fraction]]] = {stream: [] for stream in ticks}
    marks = [(number, None, Fraction(0)) for number in begins] + leaps
    for number, stream, moved in sorted(marks, key=lambda mark: mark[0]):
        for one in ticks if stream is None else (stream,):
            out[one].append((ordered[number].place, added[bisect_right(begins, number)] + moved))
    return out


Leap = tuple[int, int | None, Fraction]
"""The number of a packet, its stream, and the seconds that are added to that stream from there on."""


class _Cuts:
    """Finds at which packets recordings begin, and where one stream leaps while the others go on."""

    def __init__(self, pieces: Sequence[Piece], ticks: Mapping[int, Fraction]) -> None:
        self._pieces, self._ticks = pieces, ticks
        self._timed: dict[int, list[int]] = defaultdict(list)
        for number, piece in enumerate(pieces):
            if piece.dts is not None:
                self._timed[piece.stream].append(number)

    def found(self) -> tuple[list[int], list[Leap]]:
        """Numbers of the packets with which recordings begin, without the first, and leaps."""
        begins: list[int] = []
        leaps: list[Leap] = []
        tracks, number = self._tracks(), 0
        while number < len(self._pieces):
            piece = self._pieces[number]
            track = tracks[piece.stream]
            if track.breaks(piece) and not self._is_pause(track, piece, tracks):
                if not self._others_go_on(track, number, tracks):
                    number = self._begin(track, number, tracks)
                    begins.append(number)
                    leaps = [leap for leap in leaps if leap[0] < number]
                    tracks = self._tracks()
                    continue
                moved = track.seconds(track.expected) - (piece.dts or 0) * track.tick
                leaps.append((number, piece.stream, moved))
                tracks[piece.stream] = track = Track(track.tick, moved)
            if track.first is None and piece.dts is not None and any(one.is_old() for one in tracks.values()):
                track.left = number
            track.follow(piece, number)
            number += 1
        return begins, leaps

    def _tracks(self) -> dict[int, Track]:
        return {stream: Track(tick) for stream, tick in self._ticks.items()}

    def _is_pause(self, track: Track, piece: Piece, tracks: Mapping[int, Track]) -> bool:
        """Whether a step forward leads to where another stream is by now: it has passed the middle."""
        time = piece.dts or 0
        middle = Fraction(time + track.expected, 2) * track.tick + track.moved
        there = (one for one in _others(track, tracks) if one.last is not None and one.left <= track.at)
        return time > track.expected and any(one.seconds(one.last or 0) > middle for one in there)

    def _others_go_on(self, track: Track, number: int, tracks: Mapping[int, Track]) -> bool:
        """Whether some other stream goes on from what came last, before and after a packet."""
        return any(
            one.last is not None and one.left <= track.at and self._next_goes_on(stream, one, number)
            for stream, one in tracks.items()
            if one is not track
        )

    def _next_goes_on(self, stream: int, track: Track, number: int) -> bool:
        timed = self._timed[stream]
        place = bisect_left(timed, number)
        return place < len(timed) and track.goes_on(self._pieces[timed[place]])

    def _begin(self, track: Track, number: int, tracks: Mapping[int, Track]) -> int:
        """The first packet of a recording that is noticed at a packet; other streams may have left before it."""
        others = [one for one in _others(track, tracks) if one.at >= 0]
        for left in sorted({one.left for one in others if one.left > track.at}, reverse=True):
            if any(one.left < left <= one.at for one in others):
                break
            number = left
        return number


def _others(track: Track, tracks: Mapping[int, Track]) -> Iterator[Track]:
    return (one for one in tracks.values() if one is not track)


def _shifts(
    pieces: Sequence[Piece],
    ticks: Mapping[int, Fraction],
    begins: Sequence[int],
    leaps: Sequence[Leap],
) -> list[Fraction]:
    """What is added to all times of each recording: it starts where the one before has ended."""
    bounds = [0, *begins, len(pieces)]
    added, end = [Fraction(0)], Fraction(0)
    for number, (first, last) in enumerate(pairwise(bounds)):
        within = [leap for leap in leaps if first <= leap[0] < last]
        reach = _reach(pieces, range(first, last), ticks, within)
        low, high = (end, end) if reach is None else reach
        if number:
            added.append(end - low)
        end = high + added[-1]
    return added


def _reach(
    pieces: Sequence[Piece], numbers: range, ticks: Mapping[int, Fraction], leaps: Sequence[Leap]
) -> tuple[Fraction, Fraction] | None:
    """From where to where some packets are shown; None where they have no times."""
    moved = dict.fromkeys(ticks, Fraction(0))
    ends: dict[tuple[int, Fraction], tuple[int, int]] = {}
    leapt = {number: seconds for number, _, seconds in leaps}
    for number in numbers:
        piece = pieces[number]
        moved[piece.stream] = leapt.get(number, moved[piece.stream])
        shown = piece.dts if piece.pts is None else piece.pts
        if shown is not None:
            key = piece.stream, moved[piece.stream]
            low, high = ends.get(key, (shown, shown))
            ends[key] = min(low, shown), max(high, shown + piece.length)
    lows = [low * ticks[stream] + more for (stream, more), (low, _) in ends.items()]
    highs = [high * ticks[stream] + more for (stream, more), (_, high) in ends.items()]
    return (min(lows), max(highs)) if ends else None
