"""How long files are, also where their headers do not say it, and the window that follows."""

import math
import wave
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raymm.data import window
from raymm.data.kinds.audio import AudioSpec
from raymm.data.media.files import SampleFiles
from raymm.data.media.length import media_seconds
from raymm.data.window import infer_window
from tests.data.media.signals import RATE, audio, chirp, mux, needs, numbered, video

mp3, x264 = needs("libmp3lame"), needs("libx264")

FRAGMENTS = {"movflags": "empty_moov+frag_keyframe+default_base_moof"}
RECORDERS = [
    ("a.webm", "libvpx", "libopus", 48_000, {"live": "1"}),
    ("a.mkv", "libx264", "libopus", 48_000, {"live": "1"}),
    ("a.mkv", "mpeg4", "pcm_f32le", RATE, {"live": "1"}),
    ("a.mp4", "mpeg4", "aac", 44_100, FRAGMENTS),
    ("a.mp4", "libx264", "libopus", 48_000, FRAGMENTS),
    ("a.flv", "flv", "aac", 44_100, {"flvflags": "no_duration_filesize"}),
]
"""What browsers and streaming servers write, without a length in the header."""


@pytest.mark.parametrize(("sound", "pictures"), [(1.5, 30), (0.6, 60), (1.0, 25)])
@pytest.mark.parametrize(
    ("name", "codecs", "options"),
    [
        ("a.mp4", ("mpeg4", "aac"), {}),
        ("a.mp4", ("mpeg4", "aac"), {"movflags": "empty_moov+frag_keyframe+default_base_moof"}),
        ("a.mkv", ("mpeg4", "pcm_s16le"), {}),
        ("a.mkv", ("mpeg4", "pcm_s16le"), {"live": "1"}),
        ("a.ts", ("mpeg2video", "mp2"), {}),
        ("a.avi", ("mpeg4", "pcm_s16le"), {}),
        ("a.flv", ("flv", "pcm_s16le"), {"flvflags": "no_duration_filesize"}),
    ],
)
def test_a_file_is_as_long_as_its_longest_stream(tmp_path, name, codecs, options, sound, pictures):
    rate = 44_100 if name == "a.flv" else RATE
    path = mux(
        tmp_path / name, [video(numbered(pictures), codecs[0]), audio(chirp(sound, rate), codecs[1], rate)], **options
    )
    assert media_seconds(path) == pytest.approx(max(sound, pictures / 25), abs=0.09)


@settings(max_examples=12)
@given(
    recorder=st.sampled_from(RECORDERS),
    fps=st.sampled_from([10, 15, 24, 25, 30, 60]),
    count=st.integers(2, 60),
    sound=st.none() | st.integers(20, 400),
)
def test_a_recording_of_a_drawn_length_is_counted_where_its_header_says_none(
    tmp_path_factory, recorder, fps, count, sound
):
    name, picture, codec, rate, options = recorder
    streams = [video(numbered(count), picture, fps=fps)]
    streams += [] if sound is None else [audio(chirp(sound / 100, rate), codec, rate)]
    path = mux(tmp_path_factory.mktemp("live") / name, streams, **options)
    assert media_seconds(path) == pytest.approx(max(count / fps, (sound or 0) / 100), abs=0.06)


@pytest.mark.parametrize("fps", [10, 25, 30])
@pytest.mark.parametrize("name", [pytest.param("a.h264", marks=x264), "a.mjpeg"])
def test_a_raw_stream_is_read_through(tmp_path, name, fps):
    codec = "libx264" if name == "a.h264" else "mjpeg"
    path = mux(tmp_path / name, [video(numbered(), codec, fps=fps, bframes=2 * (codec == "libx264"))])
    rate = fps if codec == "libx264" else 25  # Motion JPEG says no rate
    assert media_seconds(path) == pytest.approx(50 / rate, abs=0.01)


@mp3
@pytest.mark.parametrize("order", [(0, 1), (1, 0), (0, 1, 0)])
def test_a_length_that_is_an_estimate_is_counted(tmp_path, order):
    noise = np.random.default_rng(0).normal(0, 0.2, 4 * 44_100).astype(np.float32)
    streams = [
        audio(np.concatenate([noise * part for part in order]), "libmp3lame", 44_100, qscale="2", flags="+qscale")
    ]
    assert media_seconds(mux(tmp_path / "a.mp3", streams, write_xing="0")) == pytest.approx(4 * len(order), abs=0.1)
    assert media_seconds(mux(tmp_path / "b.mp3", streams)) == pytest.approx(4 * len(order), abs=0.1)


@pytest.mark.parametrize("content", [b"", b"no media", None])
def test_what_cannot_be_read_has_no_length(tmp_path, content):
    if content is not None:
        (tmp_path / "a.mp4").write_bytes(content)
    assert media_seconds(tmp_path / "a.mp4") is None


def wavs(folder, lengths):
    files = [f"{number}.wav" for number in range(len(lengths))]
    for file, seconds in zip(files, lengths, strict=True):
        mux(folder / file, [audio(chirp(seconds), "pcm_s16le")])
    return files


@pytest.mark.parametrize("longest", [0, 39, 59])
def test_the_window_is_that_of_the_longest_file_wherever_it_stands(tmp_path, longest):
    lengths = [0.1] * 60
    lengths[longest] = 0.83
    said = []
    assert infer_window(wavs(tmp_path, lengths), tmp_path, said.append) == pytest.approx(0.9)
    assert not said


def silent_wavs(folder, hundredths):
    files = [f"{number}.wav" for number in range(len(hundredths))]
    for file, length in zip(files, hundredths, strict=True):
        with wave.open(str(folder / file), "wb") as opened:
            opened.setparams((1, 2, 1_000, 0, "NONE", ""))
            opened.writeframes(bytes(2 * 10 * length))
    return files


@settings(max_examples=10)
@given(hundredths=st.lists(st.integers(5, 500), min_size=2, max_size=8), share=st.integers(2, 9))
def test_a_window_covers_clips_of_drawn_lengths_and_a_shorter_one_counts_what_it_cuts(
    tmp_path_factory, hundredths, share
):
    folder = tmp_path_factory.mktemp("clips")
    files = silent_wavs(folder, hundredths)
    assert infer_window(files, folder, print) == pytest.approx(math.ceil(max(hundredths) / 10) / 10)
    for wanted in (math.ceil(max(hundredths) / 10) * 10, max(hundredths) * share // 10 + 1):
        spec, samples = AudioSpec(name="a", rate=1_000, seconds=wanted / 100), SampleFiles(folder)
        said = Counter()
        for file in files:
            spec.decode(file, samples)
            said.update(samples.take_remarks())
        assert said["longer than the window, and cut"] == sum(length > wanted + 10 for length in hundredths)
        assert said["shorter than the window, and padded"] == sum(length < wanted - 10 for length in hundredths)


def test_of_very_many_files_a_sample_is_looked_at_and_said(tmp_path, monkeypatch):
    monkeypatch.setattr(window, "LOOKED_AT", 3)
    said = []
    assert infer_window(wavs(tmp_path, [0.1, 0.9, 0.2, 0.3, 0.4, 0.9]), tmp_path, said.append) == pytest.approx(0.4)
    assert said == ["the window is that of 3 evenly spaced files of 6"]


def test_a_window_stops_at_ten_seconds_and_says_how_to_have_a_longer_one(tmp_path):
    said = []
    assert infer_window(wavs(tmp_path, [11.2, 0.1]), tmp_path, said.append) == 10.0
    assert len(said) == 1
    assert said[0].startswith("the longest file has 11.2 s; the window is 10 s, unless it is asked for, for example ")
    assert said[0].endswith("by --set MODALITY.seconds=12")


def test_without_a_length_there_is_no_window(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"no media")
    assert infer_window(["a.mp4"], tmp_path, print) is None
