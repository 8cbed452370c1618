"""What lies in one recording of a file of several is moved alike."""

from bisect import bisect_right
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raymm.data.media.joins import JUMP, Piece, moves

TICK = Fraction(1, 10)
"""Seconds; a packet is one tick long. Times of the tests are ticks."""
FAR = 10 * JUMP + 1


def run(stream, count, start=0, every=1):
    """Packets of one stream: when they come, their stream, their time."""
    return [(start + number * every, stream, start + number * every) for number in range(count)]


def recorded(*runs, first=0):
    """Packets of one recording as they lie in its file; of those of a time, the stream `first` comes first."""
    return [
        piece[1:] for piece in sorted((one for each in runs for one in each), key=lambda p: (p[0], p[1] != first))
    ]


def of_file(packets, length=1):
    return [Piece(stream, place, time, time, length) for place, (stream, time) in enumerate(packets)]


def laid(packets, length=1):
    """By stream, the times of its packets once they are moved."""
    table = moves(of_file(packets, length), dict.fromkeys({stream for stream, _ in packets}, TICK))
    out = {stream: [] for stream in table}
    for place, (stream, time) in enumerate(packets):
        number = bisect_right(table[stream], place, key=lambda mark: mark[0])
        moved = table[stream][number - 1][1] if number else Fraction(0)
        out[stream].append(time + moved / TICK)
    return out


def wanted(*parts):
    """The same from parts, each with the streams' times in it: a part starts where the one before has ended."""
    out, end = {stream: [] for part in parts for stream in part}, 0
    for number, part in enumerate(parts):
        start = min(min(times) for times in part.values())
        shift = end - start if number else 0
        for stream, times in part.items():
            out[stream] += [time + shift for time in times]
        end = max(max(times) for times in part.values()) + 1 + shift
    return out


def part_of(counts, start):
    return {stream: [*range(start, start + count)] for stream, count in enumerate(counts) if count}


def packets_of(counts, start, first):
    return recorded(*(run(stream, count, start) for stream, count in enumerate(counts)), first=first)


@st.composite
def joined(draw):
    """Parts of two or three streams that end apart, each from any start on that makes at least one stream leap."""
    streams = draw(st.integers(2, 3))
    parts, start, last = [], draw(st.integers(-50, 50)), None
    for _ in range(draw(st.integers(2, 30))):
        counts = draw(st.lists(st.integers(3, 60), min_size=streams, max_size=streams))
        if last is not None:
            ends = [start + count for count in last]
            start = draw(
                st.one_of(st.integers(min(ends) - 1000, min(ends) - 3), st.integers(FAR, 1000).map(max(ends).__add__))
            )
        parts.append((counts, start, draw(st.integers(0, streams - 1))))
        last = counts
    return parts


@given(joined())
def test_each_recording_starts_where_the_one_before_has_ended(parts):
    packets = [packet for part in parts for packet in packets_of(*part)]
    assert laid(packets) == wanted(*(part_of(counts, start) for counts, start, _ in parts))


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize(
    ("counts", "starts"),
    [
        ((20, 140), [0, 0, 0]),  # the ends are more than a leap apart
        ((140, 20), [0, 0, 0]),
        ((20, 140), [0, 1000, 0]),
        ((20, 12), [140 * number for number in range(40)]),  # a clock that runs while nothing is recorded
        ((20, 17), [320 * number for number in range(40)]),
        ((20, 12), [0, 118, 236]),  # one stream leaps, the other a little less
        ((12, 20), [0, 118, 236]),
        ((20, 12), [0, 16, 32]),  # the next starts between the two ends
        ((20, 3), [0, 0, 0]),
        ((1, 30), [0, 0, 0]),  # a picture beside sound
        ((30, 1), [0, 0, 0]),
        ((2, 30), [0, 0, 0]),
    ],
)
def test_streams_stay_together_whatever_their_own_steps(counts, starts, first):
    packets = [packet for start in starts for packet in packets_of(counts, start, first)]
    assert laid(packets) == wanted(*(part_of(counts, start) for start in starts))


@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize(
    "parts",
    [
        [(40, 0), (40, 40)],
        [(0, 40), (40, 40)],
        [(40, 40), (40, 0), (40, 40)],
        [(40, 40), (0, 40), (40, 40)],
        [(40, 40), (40, 0), (40, 0), (40, 40)],
        [(40, 40), (40, 0)],
    ],
)
def test_a_recording_may_lack_a_stream(parts, first):
    packets = [packet for counts in parts for packet in packets_of(counts, 0, first)]
    assert laid(packets) == wanted(*(part_of(counts, 0) for counts in parts))


@pytest.mark.parametrize(("every", "slides"), [(80, 3), (120, 3), (150, 3), (150, 9)])
def test_slides_beside_sound_are_shown_at_their_times(every, slides):
    """Also where each stands longer than a leap; sound lies in the file before a slide of its time."""
    one = recorded(run(1, every * slides), run(0, slides, every=every), first=1)
    part = {0: [*range(0, every * slides, every)], 1: [*range(every * slides)]}
    assert laid(one) == part
    assert laid(one * 3) == wanted(part, part, part)


@given(st.lists(st.integers(0, 99), max_size=200), st.integers(1, 3))
def test_what_goes_on_is_left_as_it_is(steps, streams):
    """Any steps of up to the limit, of streams that are recorded together."""
    time, packets = 0, []
    for step in steps:
        time += step
        packets += [(stream, time) for stream in range(streams)]
    assert not any(moves(of_file(packets), dict.fromkeys(range(streams), TICK)).values())


def test_a_long_step_of_the_only_stream_is_a_new_beginning():
    assert laid([(0, 0), (0, 1000), (0, 1001)]) == {0: [0, 1, 2]}


@given(st.integers(20, 80), st.integers(-5000, 5000).filter(lambda off: abs(off) > 200), st.integers(0, 1))
def test_one_wrong_time_moves_nothing_else(at, off, stream):
    packets = packets_of((100, 100), 0, 0)
    right = laid(packets)
    place = packets.index((stream, at))
    packets[place] = stream, at + off
    found = laid(packets)
    assert found[1 - stream] == right[1 - stream]
    assert [*found[stream][:at], *found[stream][at + 1 :]] == [*right[stream][:at], *right[stream][at + 1 :]]


def test_a_stream_that_leaps_alone_goes_on_and_is_beside_the_others_after_the_next_join():
    one = recorded([*run(0, 50), *((time, 0, time + 700) for time in range(50, 100))], run(1, 100))
    assert laid(one) == {0: [*range(100)], 1: [*range(100)]}
    assert laid(one * 2) == {0: [*range(200)], 1: [*range(200)]}


def test_packets_without_times_take_their_length():
    pieces = [Piece(0, place, time, time, 1) for place, time in enumerate([0, None, 2, None] * 2)]
    assert moves(pieces, {0: TICK}) == {0: [(4, Fraction(3, 10))]}
    assert moves([Piece(0, 0, None, None, 1), Piece(0, 1, 50, 50, 1)], {0: TICK}) == {0: []}


def test_the_place_in_the_file_counts_and_not_when_a_packet_is_read():
    """A demuxer knows the end of a picture when the next one begins, and gives it behind the sound of that."""
    pieces = of_file(packets_of((20, 20), 0, 1) * 2)
    late = [*pieces[:38], *pieces[39:44], pieces[38], *pieces[44:]]
    assert late != pieces
    assert moves(late, {0: TICK, 1: TICK}) == moves(pieces, {0: TICK, 1: TICK}) == {0: [(40, 2)], 1: [(40, 2)]}


def test_streams_that_lie_one_behind_the_other_within_seconds_are_of_one_recording():
    packets = [(stream, time) for stream in (0, 1) for time in range(25)]
    part = {0: [*range(25)], 1: [*range(25)]}
    assert laid(packets * 3) == wanted(part, part, part)


def test_the_time_of_showing_tells_how_far_a_recording_reaches():
    """Frames that are decoded two before they are shown."""
    pieces = [Piece(0, place, time - 2, time, 1) for place, time in enumerate([*range(10)] * 3)]
    assert moves(pieces, {0: TICK}) == {0: [(10, 1), (20, 2)]}


@pytest.mark.parametrize(("back", "joined"), [(1, False), (2, True)])
def test_a_step_back_of_a_tenth_of_a_second_is_no_join(back, joined):
    assert moves(of_file([(0, 50), (0, 50 - back)]), {0: TICK}) == {
        0: [(1, Fraction(back + 1, 10))] if joined else []
    }


@pytest.mark.parametrize(("ahead", "joined"), [(100, False), (101, True)])
def test_a_step_forward_of_up_to_the_limit_is_a_pause(ahead, joined):
    assert moves(of_file([(0, 50), (0, 51 + ahead)]), {0: TICK}) == {0: [(1, Fraction(-ahead, 10))] if joined else []}
