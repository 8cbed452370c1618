"""Streams of recordings that follow one another in a file are moved together."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raymm.data.media.joins import BACK, JUMP, Follower, moves

PACKET = Fraction(1, 10)


def recording(counts, start=Fraction(0), order=None):
    """Packets of a tenth of a second: `counts[stream]` of each stream from a start on, as they are recorded."""
    pieces = [
        (stream, start + number * PACKET, PACKET) for stream, count in enumerate(counts) for number in range(count)
    ]
    return sorted(pieces, key=lambda piece: (piece[1], (order or [0, 1, 2]).index(piece[0])))


def laid(pieces):
    """Per stream the times of its packets, moved as the product moves them."""
    table, follower, joins, out = moves(pieces), Follower(), {}, {}
    for piece in pieces:
        joins.setdefault(piece[0], 0)
        joins[piece[0]] += follower.follow(piece) is not None
        moved = table.get((piece[0], joins[piece[0]]), Fraction(0))
        out.setdefault(piece[0], []).append(None if piece[1] is None else piece[1] + moved)
    return out


PARTS = st.lists(
    st.tuples(
        st.lists(st.integers(3, 60), min_size=2, max_size=2),
        st.one_of(st.integers(-1000, -2), st.integers(171, 1000)),
        st.permutations([0, 1]),
    ),
    min_size=2,
    max_size=6,
)
"""Packets of two streams; tenths of a second from the last packet of the shorter, or from the end, to the start."""


@given(PARTS)
def test_each_recording_begins_where_the_one_before_has_ended_in_every_stream(parts):
    """Parts of any length, whose streams end apart, from any start on, in any order of the streams."""
    pieces, wanted, begin = [], {0: [], 1: []}, Fraction(0)
    start, before = Fraction(0), None
    for counts, tenths, order in parts:
        if before is not None:
            start += ((min(before) - 1 if tenths < 0 else max(before)) + tenths) * PACKET
        for stream, count in enumerate(counts):
            wanted[stream] += [begin + number * PACKET for number in range(count)]
        pieces += recording(counts, start, order)
        begin += max(counts) * PACKET
        before = counts
    assert laid(pieces) == wanted


@given(st.lists(st.integers(0, 99), max_size=200), st.integers(1, 3))
def test_what_goes_on_is_left_as_it_is(steps, streams):
    """Any steps of up to the limit, of streams that are recorded together."""
    time, pieces = Fraction(0), []
    for step in steps:
        time += step * PACKET
        pieces += [(stream, time, PACKET) for stream in range(streams)]
    assert moves(pieces) == {}


@pytest.mark.parametrize("pause", [11, 30, 300])
def test_a_long_pause_of_one_stream_beside_another_is_a_pause(pause):
    sound = [(1, number * PACKET, PACKET) for number in range(pause * 30)]
    slides = [(0, Fraction(pause) * number, PACKET) for number in range(4)]
    pieces = sorted(sound + slides, key=lambda piece: (piece[1], piece[0]))
    assert moves(pieces) == {}


def test_a_long_step_of_the_only_stream_is_a_new_beginning():
    pieces = [(0, Fraction(0), PACKET), (0, Fraction(100), PACKET), (0, 100 + PACKET, PACKET)]
    assert laid(pieces) == {0: [0, PACKET, 2 * PACKET]}


def test_a_stream_that_begins_after_a_join_is_moved_with_the_others():
    pieces = recording([20]) + recording([20, 20])
    assert laid(pieces)[1] == [2 + number * PACKET for number in range(20)]


def test_packets_without_times_take_their_length():
    pieces = [(0, Fraction(0), PACKET), (0, None, PACKET), (0, 2 * PACKET, PACKET), (0, None, PACKET)]
    assert laid(pieces * 2) == {0: [0, None, 2 * PACKET, None, 4 * PACKET, None, 6 * PACKET, None]}
    assert moves([(0, None, PACKET), (0, Fraction(5), PACKET)]) == {}


def test_a_last_packet_that_lies_behind_the_first_ones_of_the_next_recording_stays_at_its_place():
    """A demuxer knows the end of a picture when the next one begins, and may give it behind the sound of that."""
    first, second = recording([20, 20]), recording([20, 20])
    late = [piece for piece in first if piece != (0, 19 * PACKET, PACKET)]
    pieces = late + second[1:4:2] + [(0, 19 * PACKET, PACKET)] + [p for p in second if p not in second[1:4:2]]
    assert laid(pieces) == laid(recording([40, 40]))


@pytest.mark.parametrize(("back", "joined"), [(PACKET, False), (BACK + Fraction(1, 1000), True)])
def test_a_small_step_back_is_no_join(back, joined):
    pieces = [(0, Fraction(5), PACKET), (0, 5 - back, PACKET)]
    assert moves(pieces) == ({(0, 1): PACKET + back} if joined else {})


@pytest.mark.parametrize(("forward", "joined"), [(Fraction(JUMP), False), (JUMP + Fraction(1, 1000), True)])
def test_a_step_forward_of_up_to_the_limit_is_a_pause(forward, joined):
    pieces = [(0, Fraction(5), PACKET), (0, 5 + PACKET + forward, PACKET)]
    assert moves(pieces) == ({(0, 1): -forward} if joined else {})
