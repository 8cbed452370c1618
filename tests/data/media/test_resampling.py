"""A tone stays the tone that it is at any pair of rates, in bounded time and memory; usual rates are torchaudio's."""

import resource
import time
from math import gcd

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from torchaudio.functional import resample

from raymm.data.media.audio import read_sound
from raymm.data.media.problem import MediaError
from raymm.data.media.resampling import _one_by_one, resampled
from raymm.data.media.write import write_wav
from tests.data.media.signals import snr

USUAL = [8_000, 11_025, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000]


def tone(rate, frequency, seconds):
    return (0.5 * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


@pytest.mark.parametrize("source", USUAL)
@pytest.mark.parametrize("rate", USUAL)
def test_usual_rates_are_those_of_torchaudio_to_the_bit(source, rate):
    if source == rate:
        pytest.skip("nothing to do")
    waveform = np.random.default_rng(0).standard_normal(3 * source // 10).astype(np.float32)
    wanted = resample(torch.from_numpy(waveform), source, rate).numpy()
    assert np.array_equal(resampled(waveform, source, rate, rate), wanted)
    common = gcd(source, rate)
    ours = _one_by_one(waveform, source // common, rate // common, len(wanted))
    assert np.abs(ours - wanted).max() < 2e-4, "torchaudio reckons places of samples with 24 bits"


@settings(max_examples=25, deadline=None)
@given(source=st.integers(4_000, 400_000), rate=st.sampled_from([8_000, 16_000, 22_050, 48_000]))
@example(source=44_101, rate=16_000)
@example(source=48_001, rate=16_000)
@example(source=96_001, rate=16_000)
@example(source=16_001, rate=48_000)
def test_a_tone_of_any_rate_keeps_its_frequency_and_level(source, rate):
    start, memory = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    frequency = 0.3 * min(source, rate)
    found = resampled(tone(source, frequency, 0.2), source, rate, rate)
    assert time.process_time() - start < 5
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory < 2**18  # KiB
    assert abs(len(found) - 0.2 * rate) <= 1 + rate / source
    edge = round(0.01 * rate)
    assert snr(found[edge:-edge], tone(rate, frequency, 0.2)[edge : edge + len(found) - 2 * edge]) > 45


@pytest.mark.parametrize("source", [44_101, 48_001, 96_001, 999_983, 7, 1])
def test_a_file_of_an_odd_rate_is_read(tmp_path, source):
    frequency = 0.2 * min(source, 16_000)
    write_wav(tmp_path / "a.wav", tone(source, frequency, max(0.5, 16 / source)), source)
    found = read_sound(tmp_path / "a.wav", 16_000, 0.5).waveform
    if source >= 16_000:
        assert snr(found[100:-100], tone(16_000, frequency, 0.5)[100:-100]) > 45
    assert found.shape == (8_000,)


def test_a_rate_that_no_recorder_has_is_refused(tmp_path):
    write_wav(tmp_path / "a.wav", tone(16_000, 1000, 0.1), 16_000)
    content = bytearray((tmp_path / "a.wav").read_bytes())
    content[24:28] = (10_000_001).to_bytes(4, "little")
    (tmp_path / "a.wav").write_bytes(content)
    with pytest.raises(MediaError, match=r"says that it has 10000001 samples a second; at most 10000000 are read"):
        read_sound(tmp_path / "a.wav", 16_000, 0.5)
