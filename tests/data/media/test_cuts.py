"""Files that were cut without encoding again, and WAV files with all that may stand in them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raymm.data.media.audio import read_audio, read_sound
from raymm.data.media.length import media_seconds
from raymm.data.media.video import frames_at
from tests.data.media.signals import (
    RATE,
    audio,
    chirp,
    click,
    ffmpeg,
    mux,
    needs_ffmpeg,
    numbered,
    numbers,
    onset,
    snr,
    video,
)


@pytest.fixture
def clip(tmp_path):
    return mux(tmp_path / "whole.mp4", [video(numbered(60), bframes=2), audio(click(1.8, 2.4))])


@needs_ffmpeg
@pytest.mark.parametrize("start", [0.3, 0.5, 0.62, 1.4])
def test_a_clip_that_was_cut_by_its_edit_list_begins_at_the_cut(tmp_path, clip, start):
    ffmpeg("-ss", start, "-i", clip, "-c", "copy", tmp_path / "cut.mp4")
    assert onset(read_audio(tmp_path / "cut.mp4", RATE, 3.0)) == pytest.approx(1.8 - start, abs=0.003)
    times = [0.02, 0.22, 0.62, 0.9]
    assert numbers(frames_at(tmp_path / "cut.mp4", times)) == pytest.approx(
        [(start + t) * 25 for t in times], abs=1.01
    )
    assert media_seconds(tmp_path / "cut.mp4") == pytest.approx(2.4 - start, abs=0.05)


@needs_ffmpeg
@pytest.mark.parametrize("end", [0.7, 1.3, 2.0])
def test_a_clip_that_was_cut_at_its_end_is_whole(tmp_path, clip, end):
    ffmpeg("-i", clip, "-to", end, "-c", "copy", tmp_path / "cut.mp4")
    assert numbers(frames_at(tmp_path / "cut.mp4", [0.3, 0.5])) == [7, 12]
    assert read_sound(tmp_path / "cut.mp4", RATE, 3.0).seconds == pytest.approx(end, abs=0.07)


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory):
    frames = numbered(60)
    return mux(
        tmp_path_factory.mktemp("long") / "whole.mp4", [video(frames, bframes=2, g="12"), audio(click(2.0, 2.4))]
    )


@needs_ffmpeg
@settings(max_examples=5)
@given(start=st.integers(0, 190), kept=st.integers(40, 240), name=st.sampled_from(["cut.mp4", "cut.mov", "cut.m4v"]))
def test_a_clip_that_was_cut_at_drawn_times_holds_what_lies_between(tmp_path_factory, long_clip, start, kept, name):
    path = tmp_path_factory.mktemp("cut") / name
    ffmpeg("-ss", start / 100, "-i", long_clip, "-t", kept / 100, "-c", "copy", "-f", "mp4", path)
    seconds = min(kept, 240 - start) / 100
    assert media_seconds(path) == pytest.approx(seconds, abs=0.2)
    times = [part * seconds for part in (0.1, 0.4, 0.7)]
    shown = numbers(frames_at(path, times))
    assert shown == pytest.approx([(start / 100 + time) * 25 - 0.5 for time in times], abs=1.51)
    waveform = read_audio(path, RATE, 3.0)
    if start + kept > 205:
        assert onset(waveform) == pytest.approx(2.0 - start / 100, abs=0.003)
    elif start + kept < 190:
        assert np.abs(waveform).max() < 0.4


@needs_ffmpeg
@pytest.mark.parametrize("late", ["sound", "picture"])
@pytest.mark.parametrize("name", ["a.mp4", "a.mov"])
@pytest.mark.parametrize("by", [0.2, 0.4])
def test_what_was_moved_by_an_edit_list_keeps_its_place(tmp_path, clip, late, name, by):
    maps = ["-map", "0:v", "-map", "1:a"] if late == "sound" else ["-map", "1:v", "-map", "0:a"]
    ffmpeg("-i", clip, "-itsoffset", by, "-i", clip, *maps, "-c", "copy", tmp_path / name)
    sound, picture = (by, 0.0) if late == "sound" else (0.0, by)
    assert onset(read_audio(tmp_path / name, RATE, 3.0)) == pytest.approx(1.8 + sound, abs=0.003)
    assert numbers(frames_at(tmp_path / name, [0.5 + picture, 1.14 + picture])) == [12, 28]


def inserted(content, chunk, *, before):
    """A WAV with a chunk before its data, or after them."""
    at = content.index(b"data") if before else len(content)
    whole = content[:at] + chunk + content[at:]
    return whole[:4] + (len(whole) - 8).to_bytes(4, "little") + whole[8:]


CHUNKS = {
    "bext": b"bext" + (604).to_bytes(4, "little") + bytes(604),
    "LIST": b"LIST\x0e\x00\x00\x00INFOINAM\x02\x00\x00\x00a\x00",
    "odd": b"junk\x03\x00\x00\x00abc\x00",
    "id3 ": b"id3 \x0a\x00\x00\x00ID3\x03\x00\x00\x00\x00\x00\x00",
}


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("chunk", CHUNKS)
def test_other_chunks_of_a_wav_are_no_sound_and_do_not_matter(tmp_path, chunk, before):
    path = mux(tmp_path / "a.wav", [audio(chirp(), "pcm_s16le")])
    path.write_bytes(inserted(path.read_bytes(), CHUNKS[chunk], before=before))
    sound = read_sound(path, RATE, 3.0)
    assert snr(sound.waveform, chirp()) > 60
    assert sound.seconds == pytest.approx(2.0)


@pytest.mark.parametrize("name", ["a.mp3", "a.mp4", "a.dat", "noise"])
def test_an_extension_that_lies_does_not_matter(tmp_path, name):
    mux(tmp_path / "a.wav", [audio(chirp(), "pcm_s16le")]).rename(tmp_path / name)
    assert snr(read_audio(tmp_path / name, RATE, 2.0), chirp()) > 60


def test_a_tag_behind_the_data_is_no_sound(tmp_path):
    path = mux(tmp_path / "a.wav", [audio(chirp(0.5), "pcm_s16le")])
    path.write_bytes(path.read_bytes() + b"TAG" + bytes(125))
    waveform = read_audio(path, RATE, 1.0)
    assert snr(waveform, chirp(0.5)) > 60
    assert np.abs(waveform[8_000:]).max() == 0
