"""Where a file ends is what its stream declares or holds, never an estimate; a window covers every file."""

import numpy as np
import pytest
from PIL import Image

from raymm.data.media.write import write_wav
from tests.data.media_oracle.combinations import Combination
from tests.data.media_oracle.ffmpeg import needs_ffmpeg, run
from tests.data.media_oracle.listed import H264, MP3
from tests.data.media_oracle.reading import frames_of, sound_of, window_of, window_of_all
from tests.data.media_oracle.signals import lags, noise, numbered, numbers, snr

RATE = 16_000
UNKNOWN = [(0x7FFFF024, 0x7FFFF000), (0x80000024, 0x80000000), (0, 0), (0xFFFFFFFF, 0xFFFFFFFF), (36, 0)]
"""What programs that write to a pipe or are stopped leave as the size of a WAV file, and of its samples."""

CUTTABLE = [
    Combination("wav", audio="pcm_s16le", seconds=3.0),
    Combination("flac", audio="flac", seconds=3.0),
    Combination("w64", audio="pcm_s16le", seconds=3.0),
    Combination("mp4", H264, "aac", seconds=3.0, options="-movflags +faststart"),
    Combination("mov", H264, "pcm_s16le", seconds=3.0, options="-movflags +faststart"),
    Combination("m4a", audio="aac", seconds=3.0, options="-movflags +faststart"),
]


@needs_ffmpeg
@pytest.mark.parametrize(
    ("quiet_first", "options"), [(True, "-q:a 2"), (False, "-q:a 2"), (True, "-q:a 9"), (False, "")]
)
def test_an_mp3_file_whose_bit_rate_says_nothing_of_its_length(tmp_path, quiet_first, options):
    sound = np.concatenate([np.zeros((6 * RATE, 1), np.float32), noise(RATE, 6)])
    sound = sound if quiet_first else sound[::-1].copy()
    sound.tofile(tmp_path / "a.raw")
    source = ["-f", "f32le", "-ar", RATE, "-ac", 1, "-i", tmp_path / "a.raw", "-c:a", MP3, *options.split()]
    run(*source, "-write_xing", 0, tmp_path / "a.mp3")
    heard = sound_of(tmp_path / "a.mp3", RATE, 13.0).astype(float)
    assert np.nanmax(np.abs(lags(heard, sound[:, 0], RATE))) < 0.08
    assert window_of(tmp_path / "a.mp3", "audio") == 10.0, "the longest that is not asked for"


@pytest.mark.parametrize(("whole", "data"), UNKNOWN)
@pytest.mark.parametrize("channels", [1, 2])
def test_a_wav_file_whose_writer_could_not_go_back(tmp_path, whole, data, channels):
    pcm = (noise(RATE, 1.0, channels) * 32767).astype("<i2")
    head = b"RIFF" + whole.to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
    head += np.array([1, channels], "<u2").tobytes() + np.array([RATE, RATE * 2 * channels], "<u4").tobytes()
    head += np.array([2 * channels, 16], "<u2").tobytes() + b"data" + data.to_bytes(4, "little")
    (tmp_path / "a.wav").write_bytes(head + pcm.tobytes())
    heard = sound_of(tmp_path / "a.wav", RATE, 1.2)
    assert snr(heard[:RATE].astype(float), pcm.mean(axis=1) / 32768) > 80
    assert not heard[RATE:].any()


@pytest.mark.parametrize("last", [40, 500, 1800])
def test_the_last_frame_of_a_gif_file_lasts_as_long_as_it_says(tmp_path, last):
    frames = [Image.fromarray(frame) for frame in numbered(3)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:], duration=[100, 100, last])
    seconds = 0.2 + last / 1000
    assert window_of(tmp_path / "a.gif", "rgb") == pytest.approx(np.ceil(seconds * 10) / 10)
    times, read = frames_of(tmp_path / "a.gif", 20, 44)
    assert numbers(read) == [min(int(time * 10), 2) for time in times]


@needs_ffmpeg
@pytest.mark.parametrize("combination", CUTTABLE, ids=lambda combination: combination.name)
@pytest.mark.parametrize("part", [0.3, 0.7])
def test_what_is_cut_before_the_end_that_it_declares_is_refused(tmp_path, combination, part):
    path = combination.make(tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * part)])
    with pytest.raises(AssertionError, match="truncated"):
        sound_of(path, combination.rate, 4.0)


@pytest.mark.parametrize("longest", [0, 1, 35, 41])
def test_a_window_covers_all_files_and_not_only_the_first(tmp_path, longest):
    files = [f"{number}.wav" for number in range(42)]
    for number, file in enumerate(files):
        write_wav(tmp_path / file, noise(RATE, 2.0 if number == longest else 0.5)[:, 0], RATE)
    assert window_of_all(tmp_path, files, "audio") == 2.0
