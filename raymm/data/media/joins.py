"""Where the timestamps of a file begin anew, as where recordings were joined by `cat`, and how far to move them.

The streams of a recording end a little apart. Were each moved by itself to go on from its own end, sound and picture
would drift apart with every join, so all are moved alike: by as much as the one that ends last needs. Times are
seconds as `Fraction`, those of decoding, which only rise within a recording.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

__all__ = ["Follower", "Piece", "moves"]

Piece = tuple[int, Fraction | None, Fraction]
"""Of a packet: the index of its stream, its time of decoding where it has one, and how long it is."""

JUMP = 10
"""Seconds; a larger step that no other stream has taken is a new beginning, as in FFmpeg, and not a pause."""
BACK = Fraction(1, 10)
"""Seconds; so is a step back behind what came last."""


@dataclass
class _Reached:
    """How far a stream was read: its last time, where the next packet is expected, what was added at its joins."""

    last: Fraction
    expected: Fraction
    added: Fraction = Fraction(0)


class Follower:
    """Follows the packets of all streams in the order of the file, and notices where timestamps begin anew."""

    def __init__(self) -> None:
        self._streams: dict[int, _Reached] = {}

    def follow(self, piece: Piece) -> Fraction | None:
        """Go on to a packet; where timestamps begin anew at it, what to add so that it goes on from the one before.

        A large step forward to where another stream already is, is a pause of one stream.
        """
        stream, time, length = piece
        reached = self._streams.get(stream)
        if time is None:
            if reached is not None:
                reached.expected += length
            return None
        if reached is None:
            self._streams[stream] = _Reached(time, time + length)
            return None
        expected, last = reached.expected, reached.last
        reached.last, reached.expected = time, time + length
        ahead = time - expected > JUMP and not self._is_pause(stream, (time + expected) / 2 + reached.added)
        if not ahead and time >= last - BACK:
            return None
        reached.added += expected - time
        return expected - time

    def _is_pause(self, stream: int, middle: Fraction) -> bool:
        """Whether another stream has already passed the middle of a step."""
        return any(one.last + one.added > middle for other, one in self._streams.items() if other != stream)


def moves(pieces: Iterable[Piece]) -> dict[tuple[int, int], Fraction]:
    """How far to move the packets of all streams of a file.

    Returns
    -------
    By the index of a stream, and the number of joins that it has taken, the seconds that are added to its times from
    there on. Number 0 is there for streams that begin after a join of others.

    Example
    -------
    Two recordings of 2 s, whose sound ends at 1.5 s, follow one another; both streams are moved by 2 s:

    >>> one, half = Fraction(1), Fraction(1, 2)
    >>> recording = [(0, 0 * one, one), (1, 0 * one, one), (0, one, one), (1, one, half)]
    >>> moves(recording * 2) == {(0, 1): 2, (1, 1): 2}
    True
    """
    follower = Follower()
    joins: list[dict[int, Fraction]] = []
    born: dict[int, int] = {}
    for piece in pieces:
        born.setdefault(piece[0], len(joins))
        step = follower.follow(piece)
        if step is not None:
            if not joins or not _belongs(joins[-1], piece[0], step):
                joins.append({})
            joins[-1][piece[0]] = step
    return _shared(joins, born)


def _belongs(join: dict[int, Fraction], stream: int, step: Fraction) -> bool:
    """Whether a stream takes the join that others took last."""
    return stream not in join and all(abs(step - other) <= JUMP for other in join.values())


def _shared(joins: list[dict[int, Fraction]], born: dict[int, int]) -> dict[tuple[int, int], Fraction]:
    moved = dict.fromkeys(born, Fraction(0))
    taken = dict.fromkeys(born, 0)
    out: dict[tuple[int, int], Fraction] = {}
    for number, join in enumerate(joins):
        together = max(moved[stream] + step for stream, step in join.items())
        for stream in join:
            taken[stream] += 1
            moved[stream] = out[stream, taken[stream]] = together
        for stream in (stream for stream, first in born.items() if first == number + 1):
            moved[stream] = out[stream, 0] = together
    return out
