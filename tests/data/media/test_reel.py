"""Samples are laid one after the other; only a step of more than a packet is a gap or an overlap."""

from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raymm.data.media.clock import TS_DISCONT
from raymm.data.media.reel import Reel

RATE = 1_000
PACKET = 50


def reel(flags=0, **fields):
    return Reel(SimpleNamespace(format=SimpleNamespace(flags=flags)), Fraction(0), **fields)


def packets(count):
    """Samples 1, 2, 3, ..., in packets."""
    return [np.arange(n * PACKET + 1, (n + 1) * PACKET + 1, dtype=np.float32) for n in range(count)]


def laid(starts, flags=0, tick=Fraction(1, RATE), **fields):
    """The waveform of packets that say to start at some samples."""
    filled = reel(flags, **fields)
    for start, samples in zip(starts, packets(len(starts)), strict=True):
        filled.add(samples, RATE, start, tick)
    return filled.waveform()


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=20), st.integers(0, 200))
def test_timestamps_that_waver_change_nothing(wavers, first):
    starts = [first, *(first + PACKET * (n + 1) + waver for n, waver in enumerate(wavers))]
    waveform = laid(starts)
    assert np.array_equal(waveform, [*np.zeros(first), *np.arange(1, PACKET * len(starts) + 1)])


@given(st.lists(st.one_of(st.just(0), st.integers(PACKET + 1, 300), st.integers(-300, -PACKET - 1)), max_size=8))
def test_a_gap_is_silent_and_an_overlap_is_kept_once(steps):
    starts = np.cumsum([400, *(PACKET + step for step in steps)]).tolist()
    wanted = np.zeros(max(starts) + PACKET, np.float32)
    filled = 400
    for start, samples in zip(starts, packets(len(starts)), strict=True):  # who comes first keeps its place
        new = samples[max(0, filled - start) :]
        wanted[start + PACKET - len(new) : start + PACKET] = new
        filled = max(filled, start + PACKET)
    assert np.array_equal(laid(starts), wanted[:filled])


def test_samples_before_time_0_are_left_out():
    assert laid([-20, 30])[0] == 21
    assert laid([0, 50], early=30)[0] == 31
    assert not len(laid([-60]))


@pytest.mark.parametrize("again", [-500_000, 20_000])
def test_timestamps_that_begin_anew_are_no_gap_where_the_container_has_that(again):
    starts = [0, 50, 100 + again, 150 + again, 200 + again]
    assert np.array_equal(laid(starts, TS_DISCONT), np.arange(1, 251))


def test_a_coarse_tick_is_no_gap():
    assert np.array_equal(laid([0, 0, 1, 1, 2], tick=Fraction(1, 10)), np.arange(1, 251))


def test_what_has_no_timestamp_follows_on():
    assert np.array_equal(laid([None, None, 100]), np.arange(1, 151))


def test_what_comes_after_an_end_is_cut():
    filled = reel()
    filled.add(packets(1)[0], RATE, 0, Fraction(1, RATE))
    filled.cut(Fraction(3, 100))
    assert np.array_equal(filled.waveform(), np.arange(1, 31))
