"""Truncated is what ends before its stream says; short, or of unknown length, is good."""

import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raymm.data.media.audio import read_audio, read_sound
from raymm.data.media.length import media_seconds
from raymm.data.media.problem import MediaError
from raymm.data.media.video import frames_at, read_frames
from tests.data.media.signals import RATE, audio, chirp, mux, needs, numbered, numbers, snr, video

mp3, opus, vorbis = needs("libmp3lame"), needs("libopus"), needs("libvorbis")


def noise(seconds=2.0, rate=RATE):
    return np.random.default_rng(0).normal(0, 0.2, round(seconds * rate)).astype(np.float32)


def keep(path, part):
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    return path


SIZES = [  # of RIFF and of its data; what is not here is not claimed
    (0x7FFFF024, 0x7FFFF000),
    (0x80000024, 0x80000000),
    (0xFFFFFFFF, 0xFFFFFFFF),
    (0, 0),
    (0x7FFFF024, None),
    (None, 0x7FFFF000),
    (12, None),
    (None, 0),
]


def wav(path, sizes, waveform):
    mux(path, [audio(waveform, "pcm_s16le")])
    content = bytearray(path.read_bytes())
    data = content.index(b"data")
    for at, size in zip((4, data + 4), sizes, strict=True):
        content[at : at + 4] = content[at : at + 4] if size is None else struct.pack("<I", size)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("sizes", SIZES)
def test_a_wav_that_was_written_to_a_pipe_is_whole(tmp_path, sizes):
    sound = read_sound(wav(tmp_path / "a.wav", sizes, chirp()), RATE, 3.0)
    assert snr(sound.waveform, chirp()) > 60
    assert sound.seconds == pytest.approx(2.0)


@given(st.integers(100, 63_900))
def test_a_wav_that_lacks_bytes_is_truncated_wherever_it_was_cut(tmp_path_factory, kept):
    path = mux(tmp_path_factory.mktemp("cut") / "a.wav", [audio(noise(), "pcm_s16le")])
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(MediaError, match=r"is truncated: \d+ bytes of the \d+ it says"):
        read_audio(path, RATE, 3.0)


def test_what_lies_within_the_window_is_enough(tmp_path):
    path = keep(mux(tmp_path / "a.wav", [audio(chirp(), "pcm_s16le")]), 0.6)
    assert snr(read_audio(path, RATE, 1.0), chirp(1.0)) > 60


@pytest.mark.parametrize("part", [0.3, 0.6, 0.8])
@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("a.w64", "pcm_s16le", {}),
        ("a.wav", "pcm_s16le", {"rf64": "always"}),
        ("a.aiff", "pcm_s16be", {}),
        ("a.au", "pcm_s16be", {}),
        ("a.caf", "pcm_s16be", {}),
        ("a.flac", "flac", {}),
        ("a.mka", "pcm_s16le", {}),
        ("a.mka", "aac", {}),
        ("a.m4a", "aac", {"movflags": "faststart"}),
        ("a.mp4", "aac", {"movflags": "empty_moov+default_base_moof", "frag_duration": "300000"}),
        ("a.avi", "pcm_s16le", {}),
        ("a.flv", "aac", {}),
        pytest.param("a.mp3", "libmp3lame", {}, marks=mp3),
        pytest.param("a.webm", "libopus", {}, marks=opus),
    ],
)
def test_sound_that_was_cut_off_is_found(tmp_path, name, codec, options, part):
    rate = 48_000 if codec == "libopus" else 44_100 if name == "a.flv" else RATE
    path = mux(tmp_path / name, [audio(noise(2.0, rate), codec, rate)], **options)
    assert read_sound(path, RATE, 3.0).seconds == pytest.approx(2.0, abs=0.13)
    with pytest.raises(MediaError, match="is truncated"):
        read_audio(keep(path, part), RATE, 3.0)


@pytest.mark.parametrize("part", [0.4, 0.7])
@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("a.mp4", "mpeg4", {"movflags": "faststart"}),
        ("a.mp4", "mpeg4", {"movflags": "empty_moov+default_base_moof+frag_keyframe"}),
        ("a.mkv", "mpeg4", {}),
        ("a.avi", "mpeg4", {}),
        ("a.flv", "flv", {}),
    ],
)
def test_a_video_that_was_cut_off_is_found(tmp_path, name, codec, options, part):
    frames = np.random.default_rng(0).integers(0, 255, (50, 32, 48, 3), np.uint8)
    path = mux(tmp_path / name, [video(frames, codec)], **options)
    assert len(frames_at(path, [0.0, 2.5])) == 2
    with pytest.raises(MediaError, match="is truncated"):
        frames_at(keep(path, part), [0.0, 2.5])


@pytest.mark.parametrize(("sound", "pictures"), [(1.2, 75), (3.0, 30), (0.3, 50)])
@pytest.mark.parametrize("name", ["a.mkv", "a.flv", "a.mp4", "a.avi", "a.ts", "a.mov"])
def test_a_stream_that_ends_before_the_other_is_whole(tmp_path, name, sound, pictures):
    codecs = {"a.flv": ("flv", "aac", 44_100), "a.ts": ("mpeg2video", "mp2", RATE)}.get(name, ("mpeg4", "aac", RATE))
    frames = numbered(pictures) if pictures < 64 else numbered(64)[[*range(64), *[63] * (pictures - 64)]]
    path = mux(tmp_path / name, [video(frames, codecs[0]), audio(chirp(sound, codecs[2]), codecs[1], codecs[2])])
    assert read_sound(path, RATE, 4.0).seconds == pytest.approx(sound, abs=0.13)
    shown = read_frames(path, [0.5, 4.0])
    assert shown.seconds == pytest.approx(pictures / 25, abs=0.13)
    assert numbers(shown.pictures)[1] == min(pictures, 64) - 1


@mp3
@pytest.mark.parametrize("loud", ["end", "start", "middle"])
def test_an_estimate_from_the_bit_rate_is_no_claim(tmp_path, loud):
    parts = {"end": (0, 1), "start": (1, 0), "middle": (0, 1, 0)}[loud]
    waveform = np.concatenate([noise(4.0, 44_100) * part for part in parts])
    streams = [audio(waveform, "libmp3lame", 44_100, qscale="2", flags="+qscale")]
    path = mux(tmp_path / "a.mp3", streams, write_xing="0")
    assert read_sound(path, RATE, 20.0).seconds == pytest.approx(4.0 * len(parts), abs=0.1)


@mp3
@settings(max_examples=7)
@given(
    parts=st.lists(st.tuples(st.booleans(), st.integers(4, 12)), min_size=2, max_size=4),
    quality=st.integers(0, 9),
    rate=st.sampled_from([22_050, 44_100, 48_000]),
)
def test_loud_and_silent_parts_of_drawn_lengths_keep_their_time(tmp_path_factory, parts, quality, rate):
    waveform = np.concatenate([noise(tenths / 10, rate) * loud for loud, tenths in parts])
    streams = [audio(waveform, "libmp3lame", rate, qscale=str(quality), flags="+qscale")]
    path = mux(tmp_path_factory.mktemp("vbr") / "a.mp3", streams, write_xing="0")
    sound = read_sound(path, RATE, 5.0)
    assert sound.seconds == pytest.approx(len(waveform) / rate, abs=0.12)
    assert media_seconds(path) == pytest.approx(len(waveform) / rate, abs=0.12)
    starts = np.cumsum([0, *(tenths / 10 for _, tenths in parts)])
    for (loud, tenths), start in zip(parts, starts, strict=False):
        middle = sound.waveform[round((start + 0.2) * RATE) : round((start + tenths / 10 - 0.1) * RATE)]
        assert (middle.std() > 0.03) is np.bool_(loud)


@pytest.mark.parametrize("part", [0.3, 0.5, 0.7])
def test_damage_in_the_middle_is_no_cut(tmp_path, part):
    path = mux(tmp_path / "a.m4a", [audio(noise(), "aac")], movflags="faststart")
    content = bytearray(path.read_bytes())
    start = int(len(content) * part)
    content[start : start + 1500] = b"\xff" * 1500
    path.write_bytes(content)
    with pytest.raises(MediaError, match="cannot be decoded"):
        read_audio(path, RATE, 3.0)
