"""How channels become one, and stereo that would cancel."""

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raymm.data.media.audio import read_audio, read_sound
from raymm.data.media.problem import MediaError
from tests.data.media.signals import RATE, audio, ffmpeg, mux, needs_ffmpeg

WEIGHTS = {"FL": 0.7071, "FR": 0.7071, "FC": 1.0, "LFE": 0.0, "BC": 0.5, "BL": 0.5, "BR": 0.5, "SL": 0.5, "SR": 0.5}
"""ITU-R BS.775 and its kind: front 0.71, centre 1, surround 0.5, no low-frequency channel."""
LAYOUTS = ["stereo", "2.1", "quad", "4.0", "5.1", "5.1(side)", "7.1"]


def tones(count):
    """A level of its own in each channel."""
    return np.repeat(np.linspace(0.1, 0.9, count, dtype=np.float32)[:, None], 1600, axis=1)


@pytest.fixture(params=LAYOUTS)
def recording(request, tmp_path):
    channels = tones(av.AudioLayout(request.param).nb_channels)
    path = mux(tmp_path / "a.wav", [audio(channels, "pcm_f32le", layout=request.param)])
    return path, request.param, channels[:, 0]


def test_the_down_mix_weighs_channels_by_the_standard_and_does_not_clip(recording):
    path, layout, levels = recording
    weights = np.array([WEIGHTS[channel.name] for channel in av.AudioLayout(layout).channels])
    assert read_audio(path, RATE, 0.1) == pytest.approx(weights @ levels / weights.sum(), abs=1e-4)


def test_the_mean_is_that_of_all_channels_and_a_side_is_one(recording):
    path, _, levels = recording
    assert read_audio(path, RATE, 0.1, channel="mean") == pytest.approx(levels.mean(), abs=1e-6)
    assert read_audio(path, RATE, 0.1, channel="left") == pytest.approx(levels[0])
    assert read_audio(path, RATE, 0.1, channel="right") == pytest.approx(levels[1])


MORE_LAYOUTS = [*LAYOUTS, "3.0", "3.0(back)", "3.1", "4.1", "quad(side)", "5.0", "5.0(side)", "6.1", "7.0"]


@settings(max_examples=15)
@given(
    layout=st.sampled_from(MORE_LAYOUTS),
    channel=st.sampled_from(["downmix", "downmix", "mean", "left", "right"]),
    form=st.sampled_from([("a.wav", "pcm_f32le"), ("a.wav", "pcm_f64le"), ("a.caf", "pcm_f32le")]),
    data=st.data(),
)
def test_drawn_levels_of_channels_are_mixed_by_the_matrix(tmp_path_factory, layout, channel, form, data):
    names = [item.name for item in av.AudioLayout(layout).channels]
    levels = data.draw(st.lists(st.floats(-1, 1, width=32), min_size=len(names), max_size=len(names)), "levels")
    sound = np.repeat(np.array(levels, np.float32)[:, None], 1600, axis=1)
    path = mux(tmp_path_factory.mktemp("mixed") / form[0], [audio(sound, form[1], layout=layout)])
    weights = {
        "downmix": [1 if layout == "stereo" else WEIGHTS[name] for name in names],
        "mean": np.ones(len(names)),
        "left": [name == "FL" for name in names],
        "right": [name == "FR" for name in names],
    }[channel]
    assert read_audio(path, RATE, 0.1, channel=channel) == pytest.approx(
        np.average(levels, weights=weights), abs=1e-4
    )


@pytest.mark.parametrize("channel", ["downmix", "mean", "left", "right"])
def test_one_channel_is_itself(tmp_path, channel):
    path = mux(tmp_path / "a.wav", [audio(tones(2)[1], "pcm_f32le")])
    assert read_audio(path, RATE, 0.1, channel=channel) == pytest.approx(0.9)


@pytest.mark.parametrize("channel", ["left", "right"])
def test_a_side_that_is_not_there_is_said(tmp_path, channel):
    path = mux(tmp_path / "a.wav", [audio(tones(9)[:2], "pcm_f32le", layout="FC+LFE")])
    with pytest.raises(MediaError, match=r"has no channel F[LR] \(it has FC, LFE\); choose another `channel`"):
        read_audio(path, RATE, 0.1, channel=channel)


@pytest.mark.parametrize(
    ("written", "read"), [("2.1", "2.1"), ("quad", "4.0"), ("5.0", "5.0"), ("5.1", "5.1"), ("7.1", "7.1")]
)
def test_channels_without_names_are_those_of_the_usual_layout(tmp_path, written, read):
    levels = tones(av.AudioLayout(written).nb_channels)
    path = mux(tmp_path / "a.mka", [audio(levels, "pcm_f32le", layout=written)])  # which does not keep the names
    weights = np.array([WEIGHTS[channel.name] for channel in av.AudioLayout(read).channels])
    assert read_audio(path, RATE, 0.1) == pytest.approx(weights @ levels[:, 0] / weights.sum(), abs=1e-4)
    assert read_audio(path, RATE, 0.1, channel="left") == pytest.approx(levels[0, 0])


@pytest.mark.parametrize(("count", "layout"), [(12, "7.1.4"), (16, "hexadecagonal"), (24, "22.2")])
def test_very_many_channels_have_a_mean(tmp_path, count, layout):
    path = mux(tmp_path / "a.mka", [audio(tones(count), "pcm_f32le", layout=layout)])
    assert read_audio(path, RATE, 0.1, channel="mean") == pytest.approx(0.5)
    with pytest.raises(MediaError, match=f"has {count} channels without names; set `channel` to mean"):
        read_audio(path, RATE, 0.1)


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


@needs_ffmpeg
@pytest.mark.parametrize("name", ["a.mov", "a.caf", "a.mp4"])
@pytest.mark.parametrize("layout", ["7.1", "5.1", "6.1", "7.1(wide)"])
def test_an_order_that_only_the_file_has_goes_by_names(tmp_path, name, layout):
    names = [channel.name for channel in av.AudioLayout(layout).channels]
    levels = tones(len(names))
    (tmp_path / "raw").write_bytes(np.ascontiguousarray(levels.T).tobytes())
    raw = ["-f", "f32le", "-ar", RATE, "-ac", len(names), "-channel_layout", layout, "-i", tmp_path / "raw"]
    ffmpeg(
        *raw,
        "-c:a",
        {"a.mov": "pcm_s16le", "a.caf": "pcm_s16be", "a.mp4": "aac"}[name],
        "-b:a",
        "512k",
        tmp_path / name,
    )
    weights = np.array([WEIGHTS.get(channel, 0.0) for channel in names])
    for _ in range(3):  # a wrong step here ends the process
        found = read_audio(tmp_path / name, RATE, 0.09, channel="left")[600:].mean()
        assert found == pytest.approx(levels[0, 0], abs=0.03)
        if set(names) <= set(WEIGHTS):
            found = read_audio(tmp_path / name, RATE, 0.09)[600:].mean()
            assert found == pytest.approx(weights @ levels[:, 0] / weights.sum(), abs=0.03)
