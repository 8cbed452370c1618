"""Sound is one continuous stream: no gap by rounding, pauses kept, the delay of encoders left out where declared."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raymm.data.media.audio import read_audio, read_sound
from tests.data.media.signals import (
    RATE,
    audio,
    chirp,
    click,
    ffmpeg_sound,
    mux,
    needs,
    needs_ffmpeg,
    numbered,
    onset,
    snr,
    video,
)

mp3, opus, vorbis = needs("libmp3lame"), needs("libopus"), needs("libvorbis")


@pytest.mark.parametrize("picture", [False, True])
@pytest.mark.parametrize(
    ("name", "codec", "rate"),
    [
        pytest.param("a.flv", "libmp3lame", 44_100, marks=mp3),
        pytest.param("a.mkv", "libmp3lame", 48_000, marks=mp3),
        ("a.flv", "aac", 44_100),
        ("a.mkv", "aac", 44_100),
        ("a.mkv", "aac", 22_050),
        ("a.mkv", "pcm_s16le", 11_025),
        ("a.mkv", "flac", 44_100),
        pytest.param("a.mkv", "libvorbis", 44_100, marks=vorbis),
        pytest.param("a.webm", "libopus", 48_000, marks=opus),
    ],
)
def test_timestamps_in_milliseconds_do_not_crackle(tmp_path, name, codec, rate, picture):
    form = "vp8" if name == "a.webm" else "flv" if name == "a.flv" else "mpeg4"
    if picture and form == "vp8" and "libvpx" not in __import__("av").codecs_available:
        pytest.skip("this FFmpeg has no libvpx")
    pictures = [video(numbered(50), "libvpx" if form == "vp8" else form)] if picture else []
    path = mux(tmp_path / name, [*pictures, audio(chirp(2.0, rate), codec, rate)])
    waveform, wanted = read_audio(path, rate, 2.1), chirp(2.0, rate)
    delays = range(round(0.06 * rate))
    fit = [np.dot(waveform[delay : delay + len(wanted) // 2], wanted[: len(wanted) // 2]) for delay in delays]
    assert snr(waveform[int(np.argmax(fit)) :], wanted[: -round(0.06 * rate)]) > 20


@pytest.mark.parametrize("gap", [(8_000, 4_000), (16_000, 12_336), (640, 3_200)])
@pytest.mark.parametrize("name", ["a.mkv", "a.nut"])
def test_a_pause_in_the_timestamps_is_silence(tmp_path, name, gap):
    first = -(-gap[0] // 640) * 640
    path = mux(tmp_path / name, [audio(chirp(), "pcm_s16le", gap=gap)])
    waveform = read_audio(path, RATE, 3.0)
    wanted = np.insert(chirp(), [first] * gap[1], 0.0)
    assert np.abs(waveform[: len(wanted)] - wanted).max() < 0.001
    assert not waveform[first + 20 : first + gap[1] - 20].any()


@pytest.mark.parametrize("at", [0.0, 0.3, 1.0])
@pytest.mark.parametrize(
    ("name", "codec", "rate"),
    [
        pytest.param("a.mp3", "libmp3lame", 44_100, marks=mp3),
        pytest.param("a.mp3", "libmp3lame", 16_000, marks=mp3),
        pytest.param("a.mp4", "libmp3lame", 44_100, marks=mp3),
        ("a.m4a", "aac", 44_100),
        ("a.mov", "aac", 16_000),
        pytest.param("a.opus", "libopus", 48_000, marks=opus),
        pytest.param("a.webm", "libopus", 48_000, marks=opus),
        pytest.param("a.mp4", "libopus", 48_000, marks=opus),
        pytest.param("a.ogg", "libvorbis", 44_100, marks=vorbis),
        pytest.param("a.mka", "libvorbis", 44_100, marks=vorbis),
        ("a.flac", "flac", 44_100),
        ("a.wav", "adpcm_ms", 22_050),
    ],
)
def test_the_delay_that_an_encoder_declares_is_no_sound(tmp_path, name, codec, rate, at):
    path = mux(tmp_path / name, [audio(click(at, 1.5, rate), codec, rate)])
    sound = read_sound(path, 48_000, 2.0)
    assert abs(onset(sound.waveform, 48_000) - at) < 0.002
    if name not in {"a.mka", "a.wav"}:
        assert sound.seconds == pytest.approx(1.5, abs=0.0015)


@pytest.mark.parametrize(("name", "codec"), [("a.m4a", "aac"), pytest.param("a.mp4", "libopus", marks=opus)])
def test_the_padding_that_an_mp4_declares_is_no_sound(tmp_path, name, codec):
    loud = (0.5 * np.sin(np.arange(72_100) / 10)).astype(np.float32)
    path = mux(tmp_path / name, [audio(loud, codec, 48_000)])
    waveform = read_audio(path, 48_000, 2.0)
    assert np.abs(waveform[71_900:72_090]).max() > 0.3
    assert not waveform[72_102:].any()


@mp3
def test_mp3_without_a_header_keeps_its_undeclared_delay_and_nothing_is_cut(tmp_path):
    path = mux(tmp_path / "a.mp3", [audio(click(0.5, 1.5, 44_100), "libmp3lame", 44_100)], write_xing="0")
    sound = read_sound(path, 44_100, 2.0)
    assert abs(onset(sound.waveform, 44_100) - 0.5 - 1105 / 44_100) < 0.002
    assert sound.seconds > 1.5


def test_float_samples_beyond_full_scale_are_kept(tmp_path):
    path = mux(tmp_path / "a.wav", [audio(np.float32(3) * click(0.1, 0.2), "pcm_f32le")])
    assert read_audio(path, RATE, 0.2).max() == pytest.approx(2.7)


FLOATS = [
    ("a.wav", "pcm_f32le"),
    ("a.wav", "pcm_f64le"),
    ("a.w64", "pcm_f32le"),
    ("a.aiff", "pcm_f32be"),
    ("a.au", "pcm_f64be"),
    ("a.caf", "pcm_f32le"),
    ("a.mka", "pcm_f32le"),
    ("a.mov", "pcm_f64le"),
]


@settings(max_examples=15)
@given(
    form=st.sampled_from(FLOATS),
    gains=st.lists(st.floats(-1e6, 1e6).filter(lambda gain: abs(gain) > 0.01), min_size=1, max_size=2),
    wanted=st.sampled_from([RATE, RATE // 2, 11_025, 48_000]),
)
def test_float_samples_of_a_drawn_gain_keep_it(tmp_path_factory, form, gains, wanted):
    hertz, mean = 250, np.float32(np.mean(gains))
    tone = np.sin(2 * np.pi * hertz * np.arange(RATE // 5) / RATE)
    path = mux(tmp_path_factory.mktemp("loud") / form[0], [audio(np.multiply.outer(gains, tone), form[1])])
    sound = read_sound(path, wanted, 0.2)
    expected = mean * np.sin(2 * np.pi * hertz * np.arange(round(0.2 * wanted)) / wanted)
    edge = round(0.01 * wanted)
    largest = max(abs(gain) for gain in gains)
    assert np.abs(sound.waveform - expected)[edge:-edge].max() < 0.01 * largest
    assert not sound.clipped


@pytest.mark.parametrize(
    "codec", ["pcm_u8", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le", "pcm_f64le", "pcm_alaw"]
)
def test_every_kind_of_sample_has_the_same_scale(tmp_path, codec):
    path = mux(tmp_path / "a.wav", [audio(chirp(0.5), codec)])
    assert snr(read_audio(path, RATE, 0.5), chirp(0.5)) > (30 if codec in {"pcm_u8", "pcm_alaw"} else 80)


def test_sound_is_resampled_after_it_is_placed(tmp_path):
    path = mux(tmp_path / "a.mkv", [video(numbered(30)), audio(click(0.5, 1.0, 44_100), "pcm_s16le", 44_100, 11_025)])
    assert abs(onset(read_audio(path, 8_000, 2.0), 8_000) - 0.75) < 0.002


@needs_ffmpeg
@pytest.mark.parametrize(
    ("name", "codec", "picture"),
    [
        pytest.param("a.flv", "libmp3lame", "flv", marks=mp3),
        ("a.mkv", "flac", "mpeg4"),
        ("a.ts", "mp2", "mpeg2video"),
        ("a.mkv", "pcm_s16le", "mpeg4"),
        ("a.avi", "pcm_s16le", "mpeg4"),
        ("a.mov", "aac", "mpeg4"),
    ],
)
def test_the_ffmpeg_command_hears_the_same(tmp_path, name, codec, picture):
    path = mux(tmp_path / name, [video(numbered(), picture), audio(chirp(2.0, 44_100), codec, 44_100)])
    assert snr(read_audio(path, 44_100, 2.0), ffmpeg_sound(path, 44_100)) > 40
