"""Samples are laid one after the other; only a step of more than a packet is a gap or an overlap."""

from fractions import Fraction
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raymm.data.media.problem import MediaError
from raymm.data.media.reel import MOST_RATES, Reel
from raymm.data.media.resampling import resampled
from tests.data.media.signals import snr

RATE = 1_000
PACKET = 50
LONG = 10**6
"""Seconds."""


def reel(**fields):
    return Reel(SimpleNamespace(format=SimpleNamespace(name="some")), Fraction(0), **fields)


def packets(count):
    """Samples 1, 2, 3, ..., in packets."""
    return [np.arange(n * PACKET + 1, (n + 1) * PACKET + 1, dtype=np.float32) for n in range(count)]


def laid(starts, tick=Fraction(1, RATE), **fields):
    """The waveform of packets that say to start at some samples."""
    filled = reel(**fields)
    for start, samples in zip(starts, packets(len(starts)), strict=True):
        filled.add(samples, RATE, start, tick)
    return filled.waveforms(LONG).get(RATE, np.zeros(0, np.float32))


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


def test_a_coarse_tick_is_no_gap():
    assert np.array_equal(laid([0, 0, 1, 1, 2], tick=Fraction(1, 10)), np.arange(1, 251))


def test_what_has_no_timestamp_follows_on():
    assert np.array_equal(laid([None, None, 100]), np.arange(1, 151))


def test_what_comes_after_an_end_is_cut():
    filled = reel()
    filled.add(packets(1)[0], RATE, 0, Fraction(1, RATE))
    filled.cut(Fraction(3, 100))
    assert np.array_equal(filled.waveforms(LONG)[RATE], np.arange(1, 31))


@given(st.integers(0, 10**12), st.integers(1, 20))
def test_however_long_a_pause_is_no_more_than_the_window_is_laid_out(pause, seconds):
    filled = reel()
    for start, samples in zip([0, 50, 100 + pause, 150 + pause], packets(4), strict=True):
        filled.add(samples, RATE, start, Fraction(1, RATE))
    waveform = filled.waveforms(seconds)[RATE]
    step = pause if pause > PACKET else 0
    assert filled.end == 200 + step
    assert np.array_equal(waveform[:100], np.arange(1, 101))
    assert len(waveform) <= max(seconds * RATE, 200) + PACKET * 2
    wanted = np.concatenate([np.zeros(min(step, seconds * RATE)), np.arange(101, 201)])[: len(waveform) - 100]
    assert np.array_equal(waveform[100:], wanted)


def test_a_sound_that_begins_after_the_window_is_silence_and_not_nothing():
    filled = reel()
    filled.add(packets(1)[0], RATE, 10**9, Fraction(1, RATE))
    assert np.array_equal(filled.waveforms(2)[RATE], np.zeros(2 * RATE))
    assert filled.seconds == 10**6 + 0.05


RUNS = st.lists(
    st.tuples(st.sampled_from([8_000, 11_025, 16_000, 44_100]), st.integers(4, 9)), min_size=2, max_size=5
)


@given(RUNS, st.booleans())
def test_a_tone_goes_on_through_changes_of_the_rate(runs, stamped):
    filled, now = reel(), Fraction(0)
    for rate, count in runs:
        for _ in range(count):
            samples = np.sin(2 * np.pi * 100 * (float(now) + np.arange(512) / rate)).astype(np.float32)
            filled.add(samples, rate, round(now * 10**6) if stamped else None, Fraction(1, 10**6))
            now += Fraction(512, rate)
    assert abs(filled.end / filled.rate - now) < Fraction(2, 8_000)
    wanted = np.sin(2 * np.pi * 100 * np.arange(int(now * 16_000)) / 16_000)
    heard = np.zeros(len(wanted))
    for rate, waveform in filled.waveforms(LONG).items():
        part = waveform if rate == 16_000 else resampled(waveform, rate, 16_000, len(wanted))
        heard[: len(part)] += part[: len(wanted)]
    assert snr(heard[50:-50], wanted[50:-50]) > 20


def test_a_rate_that_changes_all_the_time_is_refused():
    filled = reel()
    for number in range(MOST_RATES):
        filled.add(packets(1)[0], RATE + number, None, None)
    with pytest.raises(MediaError, match=r"changes its sample rate to more than 8 rates; convert it to one rate"):
        filled.add(packets(1)[0], 2 * RATE, None, None)
