"""Files that were joined by `cat`, and files with long pauses: read as the command ffmpeg plays them."""

import numpy as np
import pytest

from raymm.data.media.audio import read_sound
from raymm.data.media.declared import has_frame_count
from raymm.data.media.length import media_seconds
from raymm.data.media.ogg import second_link
from raymm.data.media.video import frames_at, read_frames
from tests.data.media.signals import (
    RATE,
    audio,
    click,
    ffmpeg_sound,
    mux,
    needs,
    needs_ffmpeg,
    numbered,
    numbers,
    onset,
    video,
)

opus, mp3 = needs("libopus"), needs("libmp3lame")


def tone(frequency, seconds=2.0, rate=RATE):
    return (0.3 * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def hertz(waveform, start, rate=RATE):
    """The loudest frequency of the half second from `start` on; 0 where it is silent."""
    piece = waveform[round(start * rate) : round((start + 0.5) * rate)]
    return 0 if np.abs(piece).max(initial=0) < 0.01 else int(np.argmax(np.abs(np.fft.rfft(piece)))) * 2


def level(waveform, start, rate=RATE):
    return float(np.sqrt(2 * np.square(waveform[round(start * rate) : round((start + 0.5) * rate)]).mean()))


def joined(path, parts):
    """The bytes of files, one after the other, in one."""
    path.write_bytes(b"".join(part.read_bytes() for part in parts))
    return path


@needs_ffmpeg
@pytest.mark.parametrize(
    ("name", "codec", "form"),
    [
        ("a.oga", "flac", "ogg"),
        ("a.ts", "mp2", "mpegts"),
        ("a.ogg", "vorbis", "ogg"),
        pytest.param("a.opus", "libopus", "ogg", marks=opus),
    ],
)
@pytest.mark.parametrize("lengths", [(2.0, 2.0), (1.0, 3.0), (3.0, 1.0)])
def test_every_part_of_joined_sound_is_read(tmp_path, name, codec, form, lengths):
    rate, layout = (48_000, "stereo") if codec == "vorbis" else (48_000, "mono")
    more = {"strict": "-2"} if codec == "vorbis" else {}
    for number, seconds in enumerate(lengths):
        wave = tone((400, 900)[number], seconds, rate)
        wave = np.stack([wave, wave]) if layout == "stereo" else wave
        mux(tmp_path / f"{number}{name}", [audio(wave, codec, rate, layout=layout, **more)], form=form)
    path = joined(tmp_path / name, [tmp_path / f"0{name}", tmp_path / f"1{name}"])
    played = ffmpeg_sound(path)
    sound = read_sound(path, RATE, 5.0)
    assert sound.seconds == pytest.approx(len(played) / RATE, abs=0.08)
    assert media_seconds(path) == pytest.approx(len(played) / RATE, abs=0.08)
    assert media_seconds(tmp_path / f"0{name}") == pytest.approx(lengths[0], abs=0.08)
    starts = (0.3, lengths[0] - 0.6, lengths[0] + 0.2, sum(lengths) - 0.6)
    assert [hertz(sound.waveform, start) for start in starts] == [400, 400, 900, 900]
    assert [hertz(played, start) for start in starts] == [400, 400, 900, 900]


def test_an_ogg_file_of_two_streams_is_not_chained(tmp_path):
    mux(tmp_path / "a.ogg", [audio(tone(400), "flac"), audio(tone(900), "flac")], form="ogg")
    assert second_link(tmp_path / "a.ogg") is None
    path = joined(tmp_path / "b.ogg", [tmp_path / "a.ogg"] * 2)
    assert second_link(path) == (tmp_path / "a.ogg").stat().st_size
    (tmp_path / "c.ogg").write_bytes((tmp_path / "b.ogg").read_bytes()[:40])
    assert second_link(tmp_path / "c.ogg") is None


@pytest.mark.parametrize("parts", [2, 3])
def test_every_frame_of_joined_transport_streams_is_shown(tmp_path, parts):
    part = mux(tmp_path / "part.ts", [video(numbered(20), "mpeg2video", bframes=2)])
    path = joined(tmp_path / "a.ts", [part] * parts)
    times = [(number + 0.5) / 25 for number in range(20 * parts)]
    assert numbers(frames_at(path, times)) == [*range(20)] * parts
    assert read_frames(path, [60.0]).seconds == pytest.approx(0.8 * parts, abs=0.01)
    assert media_seconds(path) == pytest.approx(0.8 * parts, abs=0.05)


LENGTHS = [(2.0, 2.0), (2.0, 1.7), (1.7, 2.0), (2.0, 1.2), (1.2, 2.0)]
"""Seconds of the picture and of the sound of a recording."""


@pytest.mark.parametrize(("seen", "heard"), LENGTHS)
@pytest.mark.parametrize(
    ("suffix", "codec", "sound"), [("ts", "mpeg2video", "mp2"), ("ts", "mpeg4", "aac"), ("mpg", "mpeg2video", "mp2")]
)
def test_sound_and_picture_of_joined_recordings_stay_together(tmp_path, suffix, codec, sound, seen, heard):
    """A click at second 1 of every part is heard where frame 25 of that part is shown."""
    parts = 8
    pictures = numbered(round(seen * 25))
    part = mux(
        tmp_path / f"part.{suffix}",
        [video(pictures, codec, bframes=2), audio(click(1.0, heard, 48_000), sound, 48_000)],
        form={"ts": "mpegts", "mpg": "mpeg"}[suffix],
    )
    alone = onset(read_sound(part, RATE, 3.0).waveform)
    assert numbers(frames_at(part, [1.01]))[0] in {24, 25}
    path = joined(tmp_path / f"a.{suffix}", [part] * parts)
    clicks, begun, length = heard_and_seen(path)
    assert len(clicks) == len(begun) == parts
    assert clicks - begun == pytest.approx(np.full(parts, alone - begun[0]), abs=0.03)
    assert np.diff(begun) == pytest.approx(np.full(parts - 1, length / parts), abs=0.06)


def heard_and_seen(path):
    """Times of clicks, times from which on frame 25 is shown, and the length of a file."""
    length = media_seconds(path)
    waveform = read_sound(path, RATE, length).waveform
    found = np.flatnonzero(np.abs(waveform) > 0.4) / RATE
    times = np.arange(0, length, 0.005)
    shown = np.array(numbers(frames_at(path, times.tolist())))
    begun = times[np.flatnonzero((shown == 25) & (np.roll(shown, 1) != 25))]
    return found[np.diff(found, prepend=-1.0) > 0.5], begun, length


def recording(path, seen=2.0, heard=2.0, start=0.0):
    """A transport stream with frame 25 and a click at its second 1, of so many seconds of both, from a time on."""
    pictures = video(numbered(round(seen * 25)), "mpeg2video", bframes=2, start=round(start * 25))
    sound = audio(click(1.0, heard, 48_000), "mp2", 48_000, start=round(start * 48_000))
    return mux(path, [stream for stream, there in ((pictures, seen), (sound, heard)) if there], form="mpegts")


@pytest.mark.parametrize(
    ("parts", "second", "seconds"),
    [
        ([(2.0, 1.2, 14.0 * number) for number in range(10)], [1, 3, 5, 7, 9, 11, 13, 15, 17, 19], 20),
        ([(2.0, 1.2, 11.48 * number) for number in range(3)], [1, 3, 5], 6),
        ([(2.0, 1.2, 1.6 * number) for number in range(3)], [1, 3, 5], 6),
        ([(2.0, 14.0, 0.0)] * 2, [1, 15], 28),
        ([(2.0, 2.0, 0.0), (2.0, 2.0, 1000.0), (2.0, 2.0, 40.0)], [1, 3, 5], 6),
    ],
)
def test_a_recording_is_read_as_one_wherever_its_clock_stands(tmp_path, parts, second, seconds):
    """A clock that runs on between recordings, steps that one stream takes by less than another, far ends."""
    files = [recording(tmp_path / f"{number}.ts", *part) for number, part in enumerate(parts)]
    clicks, begun, length = heard_and_seen(joined(tmp_path / "a.ts", files))
    assert clicks == pytest.approx(begun, abs=0.03)
    late = 0.024 * np.arange(len(parts))  # sound ends with a whole packet
    assert (np.abs(begun - second - late / 2) <= late / 2 + 0.03).all()
    assert length == pytest.approx(seconds + late[-1] / 2, abs=late[-1] / 2 + 0.06)


def test_sound_that_only_a_later_recording_has_is_heard_there(tmp_path):
    files = [recording(tmp_path / "0.ts", 5.0, 0.0), recording(tmp_path / "1.ts", 5.0, 5.0)]
    clicks, begun, _ = heard_and_seen(joined(tmp_path / "a.ts", files))
    assert clicks == pytest.approx([6.0], abs=0.04)
    assert begun == pytest.approx([1.0, 3.56, 6.0, 8.56], abs=0.04)  # numbers of frames begin anew at 64


@opus
@pytest.mark.parametrize("seconds", [1.0, 1.3])
def test_many_links_of_opus_do_not_drift(tmp_path, seconds):
    part = mux(tmp_path / "part.opus", [audio(click(0.4, seconds, 48_000), "libopus", 48_000)], form="ogg")
    path = joined(tmp_path / "a.opus", [part] * 20)
    sound = read_sound(path, RATE, 20 * seconds + 1)
    found = np.flatnonzero(np.abs(sound.waveform) > 0.3) / RATE
    clicks = found[np.diff(found, prepend=-1.0) > 0.3]
    assert np.diff(clicks) == pytest.approx(np.full(19, np.diff(clicks)[0]), abs=1e-3)
    assert clicks[0] == pytest.approx(0.4, abs=0.01)
    assert np.diff(clicks)[0] == pytest.approx(seconds, abs=0.02)  # a link may end with a whole packet
    assert sound.seconds == pytest.approx(media_seconds(path), abs=1e-3)


@pytest.mark.parametrize("pause", [9_000, 1_000_000])
@pytest.mark.parametrize(("name", "codec"), [("a.mkv", "pcm_s16le"), ("a.nut", "pcm_s16le"), ("a.mka", "pcm_f32le")])
def test_a_pause_of_hours_takes_no_memory(tmp_path, name, codec, pause):
    wave = tone(440, 1.0)
    path = mux(tmp_path / name, [audio(wave, codec, gap=(6400, pause * RATE))])
    sound = read_sound(path, RATE, 2.0)
    assert np.abs(sound.waveform[:6400] - wave[:6400]).max() < 1e-3
    assert not sound.waveform[6400:].any()
    assert sound.seconds > pause


@pytest.mark.parametrize(
    ("name", "codec", "rates", "options"),
    [
        ("a.aac", "aac", (48_000, 32_000), {}),
        ("a.aac", "aac", (22_050, 44_100), {}),
        pytest.param("a.mp3", "libmp3lame", (48_000, 32_000), {"write_xing": "0", "id3v2_version": "0"}, marks=mp3),
        pytest.param("a.mp3", "libmp3lame", (32_000, 44_100), {"write_xing": "0", "id3v2_version": "0"}, marks=mp3),
    ],
)
def test_a_tone_keeps_its_frequency_where_the_sample_rate_changes(tmp_path, name, codec, rates, options):
    for rate in rates:
        mux(tmp_path / f"{rate}{name}", [audio(tone(1000, 2.0, rate), codec, rate)], **options)
    path = joined(tmp_path / name, [tmp_path / f"{rate}{name}" for rate in rates])
    sound = read_sound(path, RATE, 5.0)
    assert sound.seconds == pytest.approx(4.1, abs=0.1)
    for start in (0.3, 1.0, 2.3, 3.0, 3.4):
        assert hertz(sound.waveform, start) == 1000
        assert level(sound.waveform, start) == pytest.approx(0.3, abs=0.02)


@mp3
@needs_ffmpeg
@pytest.mark.parametrize("loud", [(1, 0), (0, 1), (1, 1), (1, 0, 1)])
def test_joined_mp3_files_that_each_have_a_header_are_read_and_counted(tmp_path, loud):
    for number, part in enumerate(loud):
        noise = np.random.default_rng(number).normal(0, 0.2 * part + 1e-6, 2 * 44_100).astype(np.float32)
        mux(tmp_path / f"{number}.mp3", [audio(noise, "libmp3lame", 44_100, qscale="4", flags="+qscale")])
        assert media_seconds(tmp_path / f"{number}.mp3") == pytest.approx(2.0, abs=0.06)
    path = joined(tmp_path / "a.mp3", [tmp_path / f"{number}.mp3" for number in range(len(loud))])
    played = ffmpeg_sound(path)
    sound = read_sound(path, RATE, 7.0)
    assert sound.seconds == pytest.approx(len(played) / RATE, abs=0.1)
    assert media_seconds(path) == pytest.approx(len(played) / RATE, abs=0.1)
    for number, part in enumerate(loud):
        piece = sound.waveform[round((2.1 * number + 0.3) * RATE) : round((2.1 * number + 1.5) * RATE)]
        assert (piece.std() > 0.05) == bool(part)


@mp3
def test_an_mp3_file_with_a_large_tag_at_its_end_is_counted_by_its_header(tmp_path):
    path = mux(tmp_path / "a.mp3", [audio(tone(400), "libmp3lame")])
    assert has_frame_count(path)
    path.write_bytes(path.read_bytes() + b"TAG" + bytes(125))
    assert has_frame_count(path)
    assert media_seconds(path) == pytest.approx(2.0, abs=0.1)
