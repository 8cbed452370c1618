"""How channels become one, and stereo that would cancel."""

import av
import numpy as np
import pytest

from raymm.data.media.audio import read_audio, read_sound
from raymm.data.media.problem import MediaError
from tests.data.media.signals import RATE, audio, mux

LEVELS = {  # ITU-R BS.775: front 0.71, centre 1, surround 0.5, no low-frequency channel
    "stereo": {"FL": 0.7071, "FR": 0.7071},
    "2.1": {"FL": 0.7071, "FR": 0.7071, "LFE": 0.0},
    "quad": {"FL": 0.7071, "FR": 0.7071, "BL": 0.5, "BR": 0.5},
    "5.1": {"FL": 0.7071, "FR": 0.7071, "FC": 1.0, "LFE": 0.0, "BL": 0.5, "BR": 0.5},
    "5.1(side)": {"FL": 0.7071, "FR": 0.7071, "FC": 1.0, "LFE": 0.0, "SL": 0.5, "SR": 0.5},
}


def tones(count):
    """A level of its own in each channel."""
    return np.repeat(np.linspace(0.1, 0.9, count, dtype=np.float32)[:, None], 1600, axis=1)


@pytest.fixture(params=sorted(LEVELS))
def recording(request, tmp_path):
    channels = tones(av.AudioLayout(request.param).nb_channels)
    path = mux(tmp_path / "a.wav", [audio(channels, "pcm_f32le", layout=request.param)])
    return path, request.param, channels[:, 0]


def test_the_down_mix_weighs_channels_by_the_standard_and_does_not_clip(recording):
    path, layout, levels = recording
    weights = np.array(list(LEVELS[layout].values()))
    assert read_audio(path, RATE, 0.1) == pytest.approx(weights @ levels / weights.sum(), abs=1e-4)


def test_the_mean_is_that_of_all_channels_and_a_side_is_one(recording):
    path, _, levels = recording
    assert read_audio(path, RATE, 0.1, channel="mean") == pytest.approx(levels.mean(), abs=1e-6)
    assert read_audio(path, RATE, 0.1, channel="left") == pytest.approx(levels[0])
    assert read_audio(path, RATE, 0.1, channel="right") == pytest.approx(levels[1])


@pytest.mark.parametrize("channel", ["downmix", "mean", "left", "right"])
def test_one_channel_is_itself(tmp_path, channel):
    path = mux(tmp_path / "a.wav", [audio(tones(2)[1], "pcm_f32le")])
    assert read_audio(path, RATE, 0.1, channel=channel) == pytest.approx(0.9)


@pytest.mark.parametrize("channel", ["left", "right"])
def test_a_side_that_is_not_there_is_said(tmp_path, channel):
    path = mux(tmp_path / "a.flac", [audio(tones(4), "flac", layout="4.0")])
    assert read_audio(path, RATE, 0.1, channel=channel) == pytest.approx(
        0.1 if channel == "left" else 0.1 + 0.8 / 3, abs=1e-3
    )
    path = mux(tmp_path / "a.mka", [audio(tones(4), "pcm_f32le", layout="quad")])
    with pytest.raises(MediaError, match=r"has no channel F[LR] \(it has NONE, NONE, NONE, NONE\); choose another"):
        read_audio(path, RATE, 0.1, channel=channel)


def test_channels_without_names_have_a_mean_but_no_down_mix(tmp_path):
    path = mux(tmp_path / "a.mka", [audio(tones(4), "pcm_f32le", layout="quad")])
    with pytest.raises(
        MediaError, match="has 4 channels without names, which no down-mix is for; set `channel` to mean"
    ):
        read_audio(path, RATE, 0.1)
    assert read_audio(path, RATE, 0.1, channel="mean") == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("right", "found"),
    [
        (lambda left: -left, True),
        (lambda left: -0.9 * left, True),
        (lambda left: left, False),
        (np.zeros_like, False),
    ],
)
def test_stereo_in_anti_phase_is_found(tmp_path, right, found):
    left = np.random.default_rng(0).normal(0, 0.2, 1600).astype(np.float32)
    path = mux(tmp_path / "a.wav", [audio(np.stack([left, right(left)]), "pcm_f32le")])
    assert read_sound(path, RATE, 0.1).antiphase is found


def test_silence_is_not_in_anti_phase(tmp_path):
    path = mux(tmp_path / "a.wav", [audio(np.zeros((2, 1600), np.float32), "pcm_f32le")])
    assert read_sound(path, RATE, 0.1).antiphase is False
