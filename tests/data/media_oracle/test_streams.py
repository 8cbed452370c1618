"""Which stream of a file is read, and that the name of a file is only a name."""

import numpy as np
import pytest

from raymm.data.media.problem import MediaError
from tests.data.media_oracle.ffmpeg import needs_ffmpeg, run
from tests.data.media_oracle.listed import H264, VP8
from tests.data.media_oracle.reading import frames_of, sound_of
from tests.data.media_oracle.signals import HEIGHT, WIDTH, lags, noise, numbered, numbers

pytestmark = needs_ffmpeg

RATE, SECONDS = 44_100, 1.0
FRAMES = 25


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """Two sounds, numbered frames, and a still that is the 700th frame."""
    folder = tmp_path_factory.mktemp("sources")
    for seed in (0, 1):
        noise(RATE, SECONDS, seed=seed).tofile(folder / f"{seed}.raw")
        run("-f", "f32le", "-ar", RATE, "-ac", 1, "-i", folder / f"{seed}.raw", folder / f"{seed}.wav")
    raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{WIDTH}x{HEIGHT}", "-r", FRAMES, "-i", "-"]
    run(*raw, "-c:v", "ffv1", folder / "frames.mkv", stdin=numbered(FRAMES).tobytes())
    run(*raw, "-frames:v", 1, folder / "still.png", stdin=numbered(701)[-1:].tobytes())
    return folder


def write(path, sources, *names, options=()):
    """A file of all streams of some sources, in this order."""
    inputs = [word for name in names for word in ("-i", sources / name)]
    maps = [word for number in range(len(names)) for word in ("-map", number)]
    run(*inputs, *maps, *options, path)
    return path


def is_sound(heard, seed):
    return bool((np.abs(lags(heard.astype(float), noise(RATE, SECONDS, seed=seed)[:, 0], RATE)) < 0.06).all())


def read_numbers(path):
    return numbers(frames_of(path, FRAMES, FRAMES)[1])


@pytest.mark.parametrize(("suffix", "codec"), [("mkv", "flac"), ("mp4", "aac"), ("ts", "mp2"), ("mov", "pcm_s16le")])
def test_the_first_sound_is_read_or_the_one_that_is_asked_for(tmp_path, sources, suffix, codec):
    options = ["-c:v", *H264.split(), "-c:a", codec]
    path = write(tmp_path / f"a.{suffix}", sources, "0.wav", "frames.mkv", "1.wav", options=options)
    first, second = sound_of(path, RATE, SECONDS), sound_of(path, RATE, SECONDS, stream=1)
    assert (is_sound(first, 0), is_sound(second, 1)) == (True, True)
    assert (is_sound(first, 1), is_sound(second, 0)) == (False, False)


@pytest.mark.parametrize(("suffix", "codec"), [("mp3", "libmp3lame"), ("m4a", "aac"), ("flac", "flac")])
def test_a_cover_is_no_video(tmp_path, sources, suffix, codec):
    options = ["-c:a", codec, "-c:v", "png", "-disposition:v:0", "attached_pic"]
    path = write(tmp_path / f"a.{suffix}", sources, "0.wav", "still.png", options=options)
    assert is_sound(sound_of(path, RATE, SECONDS), 0)
    with pytest.raises((AssertionError, MediaError), match="cover"):
        read_numbers(path)


@pytest.mark.parametrize("first", ["still.png", "frames.mkv"])
@pytest.mark.parametrize("suffix", ["mp4", "m4v"])
def test_frames_are_those_of_the_film_and_not_of_its_cover(tmp_path, sources, suffix, first):
    second = {"still.png": "frames.mkv", "frames.mkv": "still.png"}[first]
    cover, film = (0, 1) if first == "still.png" else (1, 0)
    codecs = [f"-c:v:{cover}", "png", f"-disposition:v:{cover}", "attached_pic", f"-c:v:{film}", "libx264"]
    codecs += [f"-pix_fmt:v:{film}", "yuv420p", f"-crf:v:{film}", 12]
    options = [*codecs, "-c:a", "aac", "-f", "mp4"]
    path = write(tmp_path / f"a.{suffix}", sources, first, second, "0.wav", options=options)
    assert read_numbers(path) == list(range(FRAMES))


@pytest.mark.parametrize("suffix", ["mkv", "mov", "nut"])
def test_a_still_before_the_film_is_passed_over(tmp_path, sources, suffix):
    options = ["-c:v:0", "png", "-c:v:1", "mpeg4", "-q:v:1", 1, "-c:a", "pcm_s16le"]
    path = write(tmp_path / f"a.{suffix}", sources, "still.png", "frames.mkv", "0.wav", options=options)
    assert read_numbers(path) == list(range(FRAMES))


NAMES = [
    "12:30.webm",
    "http:a.webm",
    "concat:a|b.webm",
    "-a.webm",
    "a#1.webm",
    "a%03d.webm",
    "a?b*[c].webm",
    "a;b,c.webm",
]


@pytest.mark.parametrize("name", [*NAMES, "file:a.webm", "ü 中.webm", "'\"\\.webm"])
def test_a_name_is_only_a_name(tmp_path, sources, name):
    made = write(tmp_path / "made.webm", sources, "0.wav", "frames.mkv", options=["-c:v", *VP8.split()])
    path = made.rename(tmp_path / name)
    assert is_sound(sound_of(path, RATE, SECONDS), 0)
    assert read_numbers(path) == list(range(FRAMES))


def test_a_percent_sign_in_the_name_of_a_picture_is_no_pattern(tmp_path, sources):
    for name, number in {"p001.png": 0, "p%03d.png": 700}.items():
        raw = ["-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{WIDTH}x{HEIGHT}", "-i", "-", "-f", "image2pipe", "-"]
        (tmp_path / name).write_bytes(
            run(*raw[:-1], "-c:v", "png", "-", stdin=numbered(number + 1)[-1:].tobytes())[0]
        )
    assert numbers(frames_of(tmp_path / "p%03d.png", 1, 1)[1]) == [700]
