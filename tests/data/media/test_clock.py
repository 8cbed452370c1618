"""One clock for a file: frames and sound by their true times, whatever the container says or leaves out."""

import subprocess
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from raymm.data.media.audio import read_audio
from raymm.data.media.length import media_seconds
from raymm.data.media.problem import MediaError
from raymm.data.media.video import frames_at, read_frames
from tests.data.media.signals import (
    FPS,
    RATE,
    audio,
    click,
    ffmpeg,
    mux,
    needs,
    needs_ffmpeg,
    numbered,
    numbers,
    onset,
    video,
)

MIDDLES = [(number + 0.5) / 5 for number in range(10)]
SHOWN = [2, 7, 12, 17, 22, 27, 32, 37, 42, 47]

x264 = needs("libx264")


@pytest.mark.parametrize(
    ("name", "codec", "bframes"),
    [
        ("a.mp4", "mpeg4", 0),
        ("a.mp4", "mpeg4", 2),
        ("a.mov", "mpeg4", 2),
        ("a.mkv", "mpeg4", 0),
        ("a.ts", "mpeg2video", 2),
        ("a.avi", "mpeg4", 0),
        ("a.avi", "mpeg4", 2),
        ("a.m2v", "mpeg2video", 2),
        ("a.mjpeg", "mjpeg", 0),
        ("a.flv", "flv", 0),
        pytest.param("a.mp4", "libx264", 3, marks=x264),
        pytest.param("a.ts", "libx264", 3, marks=x264),
        pytest.param("a.avi", "libx264", 3, marks=x264),
        pytest.param("a.h264", "libx264", 3, marks=x264),
        pytest.param("a.mkv", "libx264", 3, marks=x264),
    ],
)
def test_frames_stand_at_their_number_over_the_rate_in_every_container(tmp_path, name, codec, bframes):
    path = mux(tmp_path / name, [video(numbered(), codec, bframes=bframes)])
    assert numbers(frames_at(path, MIDDLES)) == SHOWN
    assert numbers(frames_at(path, [number / FPS for number in range(50)])) == list(range(50))


@pytest.mark.parametrize("fps", [10, 25, 30])
@pytest.mark.parametrize(
    ("name", "codec"), [pytest.param("a.h264", "libx264", marks=x264), ("a.m2v", "mpeg2video"), ("a.avi", "mpeg4")]
)
def test_streams_without_timestamps_take_their_frame_rate(tmp_path, name, codec, fps):
    if (codec, fps) == ("mpeg2video", 10):
        pytest.skip("MPEG-2 has no such rate")
    path = mux(tmp_path / name, [video(numbered(), codec, fps=fps, bframes=2)])
    times = np.random.default_rng(0).uniform(0, 50 / fps, 20)
    assert numbers(frames_at(path, sorted(times))) == np.sort((times * fps).astype(int)).tolist()


MPEG_RATES = [Fraction(24_000, 1001), 24, 25, Fraction(30_000, 1001), 30, 50, Fraction(60_000, 1001), 60]
RAW = {
    "a.h264": ("libx264", st.fractions(3, 120, max_denominator=1001)),
    "a.m1v": ("mpeg1video", st.sampled_from(MPEG_RATES)),
    "a.m2v": ("mpeg2video", st.sampled_from(MPEG_RATES)),
}


def check_raw(path, count, fps):
    shown = read_frames(path, [float((number + Fraction(1, 2)) / fps) for number in range(count)])
    assert numbers(shown.pictures) == [*range(count)]
    assert shown.seconds == pytest.approx(float(count / fps), abs=1e-5)
    assert media_seconds(path) == pytest.approx(float(count / fps), abs=1e-5)


@settings(max_examples=6)
@given(data=st.data(), count=st.integers(1, 63), bframes=st.integers(0, 2))
@pytest.mark.parametrize("name", [pytest.param(name, marks=needs(codec)) for name, (codec, _) in RAW.items()])
def test_a_raw_stream_of_a_drawn_rate_and_length_keeps_its_time(tmp_path_factory, name, data, count, bframes):
    codec, rates = RAW[name]
    fps = Fraction(data.draw(rates, "fps"))
    streams = [video(numbered(count), codec, fps=fps, bframes=bframes)]
    check_raw(mux(tmp_path_factory.mktemp("raw") / name, streams), count, fps)


@needs_ffmpeg
@settings(max_examples=6)
@given(fps=st.fractions(3, 120, max_denominator=1001), count=st.integers(1, 63), bframes=st.integers(0, 2))
def test_a_raw_hevc_stream_of_a_drawn_rate_and_length_keeps_its_time(tmp_path_factory, fps, count, bframes):
    folder = tmp_path_factory.mktemp("raw")
    numbered(count, (64, 96)).tofile(folder / "raw")  # in a process of its own: x265 may end it
    raw = [
        "-f",
        "rawvideo",
        "-pix_fmt",
        "rgb24",
        "-s",
        "96x64",
        "-r",
        fps,
        "-i",
        folder / "raw",
        "-pix_fmt",
        "yuv420p",
    ]
    try:
        ffmpeg(*raw, "-c:v", "libx265", "-x265-params", f"bframes={bframes}:log-level=none", folder / "a.hevc")
    except subprocess.CalledProcessError:
        pytest.skip("this ffmpeg has no libx265")
    check_raw(folder / "a.hevc", count, fps)


@pytest.mark.parametrize("start", [0, 10, 1000])
@pytest.mark.parametrize("name", ["a.ts", "a.mkv", "a.mov"])
def test_a_file_begins_with_its_earliest_stream(tmp_path, name, start):
    picture, sound = ("mpeg2video", "mp2") if name == "a.ts" else ("mpeg4", "pcm_s16le")
    streams = [video(numbered(), picture, start=start), audio(click(1.0), sound, start=start * RATE // FPS)]
    path = mux(tmp_path / name, streams)
    late = 481 / RATE if name == "a.ts" else 0.0  # MP2 begins before the picture with what no header calls a delay
    assert abs(onset(read_audio(path, RATE, 3.0)) - 1.0 - late) < 0.002
    assert numbers(frames_at(path, [0.3 + late, 1.02 + late])) == [7, 25]


@pytest.mark.parametrize("late", [5, 12])
@pytest.mark.parametrize("name", ["a.mkv", "a.mp4", "a.mov"])
def test_a_stream_that_starts_late_keeps_its_place(tmp_path, name, late):
    sound = "pcm_s16le" if name != "a.mp4" else "aac"
    path = mux(tmp_path / name, [video(numbered(), start=late), audio(click(1.0), sound)])
    assert numbers(frames_at(path, [0.0, (late + 0.5) / FPS, (late + 7.5) / FPS])) == [0, 0, 7]
    assert abs(onset(read_audio(path, RATE, 2.0)) - 1.0) < 0.002
    path = mux(tmp_path / f"b{name}", [video(numbered()), audio(click(1.0), sound, start=late * RATE // FPS)])
    assert numbers(frames_at(path, MIDDLES)) == SHOWN
    assert abs(onset(read_audio(path, RATE, 2.0)) - 1.0 - late / FPS) < 0.002


@settings(max_examples=12, deadline=None)
@given(
    ticks=st.lists(st.integers(0, 60), min_size=3, max_size=25, unique=True).map(sorted),
    times=st.lists(st.integers(0, 2500), min_size=1, max_size=8).map(sorted),
    name=st.sampled_from(["a.mkv", "a.mp4", "a.nut"]),
)
def test_the_frame_that_is_shown_is_the_last_that_has_begun(tmp_path_factory, ticks, times, name):
    ticks = [tick - ticks[0] for tick in ticks]
    path = mux(tmp_path_factory.mktemp("vfr") / name, [video(numbered(len(ticks)), ticks=ticks)])
    begun = [max(number for number, tick in enumerate(ticks) if tick * 40 <= time) for time in times]
    assert numbers(frames_at(path, [time / 1000 for time in times])) == begun


def test_a_frame_does_not_show_before_its_time_after_a_long_pause(tmp_path):
    ticks = [*range(10), *range(40, 50)]
    path = mux(tmp_path / "a.mkv", [video(numbered(20), ticks=ticks)])
    assert numbers(frames_at(path, [0.36, 1.1, 1.59, 1.6])) == [9, 9, 9, 10]


def test_timestamps_that_are_rounded_up_do_not_hide_a_frame(tmp_path):
    path = mux(tmp_path / "a.mkv", [video(numbered(40), fps=30)])  # 33, 67, 100 ms
    assert numbers(frames_at(path, [number / 30 for number in range(40)])) == list(range(40))


@pytest.mark.parametrize("durations", [(100, 100, 1800), (500, 40, 1000), (100, 2000, 300)])
@pytest.mark.parametrize("name", ["a.gif", "a.png"])
def test_the_last_frame_of_an_animation_lasts_as_long_as_it_says(tmp_path, name, durations):
    frames = [Image.fromarray(frame) for frame in numbered(30)[[0, 10, 20]]]
    frames[0].save(tmp_path / name, save_all=True, append_images=frames[1:], duration=list(durations))
    begins = np.cumsum([0, *durations]) / 1000
    shown = read_frames(tmp_path / name, [begins[0], begins[1], begins[2] - 0.01, begins[2], begins[3] - 0.01])
    assert numbers(shown.pictures) == [0, 10, 10, 20, 20]
    assert abs(shown.seconds - begins[3]) < 0.02


SHORTEST = {"a.gif": 20, "a.png": 1}
"""Milliseconds; FFmpeg and browsers show shorter frames of a GIF for a tenth of a second."""


@settings(max_examples=15)
@given(name=st.sampled_from(sorted(SHORTEST)), data=st.data(), loop=st.integers(0, 3))
def test_frames_of_an_animation_last_as_long_as_was_drawn(tmp_path_factory, name, data, loop):
    step = 10 if name == "a.gif" else 1
    lasting = st.integers(SHORTEST[name] // step, 3000 // step).map(lambda ticks: ticks * step)
    durations = data.draw(st.lists(lasting, min_size=2, max_size=8), "durations")
    frames = [Image.fromarray(frame) for frame in numbered(len(durations))]
    path = tmp_path_factory.mktemp("animation") / name
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=durations, loop=loop)
    ends = np.cumsum(durations) / 1000
    shown = read_frames(path, [*(ends - np.array(durations) / 2000), ends[-1] + 1])
    assert numbers(shown.pictures) == [*range(len(durations)), len(durations) - 1]
    assert shown.seconds == pytest.approx(ends[-1], abs=1e-3)
    assert media_seconds(path) == pytest.approx(ends[-1], abs=1e-3)


@settings(max_examples=6)
@given(durations=st.lists(st.integers(10, 3000), min_size=2, max_size=6))
def test_a_webp_that_moves_is_refused_in_words(tmp_path_factory, durations):
    frames = [Image.fromarray(frame) for frame in numbered(len(durations))]
    path = tmp_path_factory.mktemp("animation") / "a.webp"
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=durations)
    with pytest.raises(MediaError, match=f"is a WebP of {len(durations)} pictures, .*; convert it to MP4 or GIF"):
        frames_at(path, [0.0])


def test_a_packet_that_an_avi_leaves_empty_is_a_pause(tmp_path):
    ticks = [*range(10), *range(20, 30)]
    path = mux(tmp_path / "a.avi", [video(numbered(20), ticks=ticks)])
    assert numbers(frames_at(path, [0.3, 0.7, 0.82])) == [7, 9, 10]


@needs_ffmpeg
def test_the_hole_that_an_encoder_leaves_in_an_avi_is_no_pause(tmp_path):
    numbered().tofile(tmp_path / "raw")
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", "48x32", "-r", FPS, "-i", tmp_path / "raw"]
    try:
        ffmpeg(*raw, "-c:v", "libxvid", "-q:v", 2, "-bf", 2, tmp_path / "a.avi")
    except Exception:  # noqa: BLE001
        pytest.skip("this ffmpeg has no libxvid")
    assert numbers(frames_at(tmp_path / "a.avi", MIDDLES[:9])) == SHOWN[:9]


@pytest.mark.parametrize("count", [0, 1])
def test_a_number_of_a_stream_that_is_not_there_is_refused(tmp_path, count):
    path = mux(tmp_path / "a.mkv", [video(numbered(5))] * count + [audio(click(0.1, 0.2), "pcm_s16le")])
    with pytest.raises(MediaError, match=rf"has {count} video streams; stream 1 \(counted from 0\) is not there"):
        frames_at(path, [0.0], stream=1)
