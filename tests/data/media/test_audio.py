"""Sound is read at its true time, mixed, resampled and cut to the window; bad files are told apart."""

import av
import numpy as np
import pytest

from raymm.data.media.audio import read_audio
from raymm.data.media.problem import MediaError
from raymm.data.media.video import frames_at, to_gray
from raymm.data.media.write import write_clip, write_wav
from tests.data.clips import FPS, RATE, clip, cut, flashes, tone

START = 0.32


def onset(waveform, rate=RATE):
    return np.flatnonzero(np.abs(waveform) > 0.1)[0] / rate


def read_without_timestamps(path):
    """All samples that the decoder gives, one after the other, the way a careless reader takes them."""
    with av.open(str(path), options={"ignore_editlist": "1"}) as container:
        stream = container.streams.audio[0]
        stream.codec_context.flags2 |= av.codec.context.Flags2.skip_manual
        return np.concatenate([frame.to_ndarray().mean(axis=0) for frame in container.decode(stream)])


def test_sound_and_picture_begin_together(tmp_path):
    path = clip(tmp_path / "a.mp4", seconds=0.8, start=START)
    assert abs(onset(read_audio(path, RATE, 0.8)) - START) < 0.003
    times = np.arange(0.0, 0.8, 1 / FPS)
    gray = to_gray(frames_at(path, list(times)), 32, 32).mean(axis=(1, 2))
    assert abs(times[np.flatnonzero(gray > 128)[0]] - START) < 1e-6


def test_a_reader_that_ignores_timestamps_is_late_by_the_priming_samples(tmp_path):
    path = clip(tmp_path / "a.mp4", seconds=0.8, start=START)
    late = onset(read_without_timestamps(path)) - onset(read_audio(path, RATE, 0.8))
    assert abs(late * RATE - 1024) < 48


def test_priming_samples_without_a_mark_are_dropped_from_a_real_clip(shared_data):
    path = min((shared_data / "grid_digits" / "clips").glob("*.mp4"))
    raw = read_without_timestamps(path)
    ours = read_audio(path, RATE, 0.4)
    assert np.argmax(np.correlate(raw, ours[:4000], mode="valid")) == 1024


def test_priming_samples_are_kept_where_the_picture_is_as_long_as_the_sound(tmp_path):
    path = tmp_path / "a.mp4"
    write_clip(path, flashes(0.4), FPS, tone(0.4, start=0.2), RATE)
    assert abs(onset(read_audio(path, RATE, 0.4)) - 0.2) < 0.003


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050])
def test_a_tone_keeps_its_frequency_and_level_when_resampled(tmp_path, rate):
    write_wav(tmp_path / "a.wav", tone(1.0), RATE)
    waveform = read_audio(tmp_path / "a.wav", rate, 1.0)
    spectrum = np.abs(np.fft.rfft(waveform))
    assert waveform.shape == (rate,)
    assert np.argmax(spectrum) == 1000
    assert np.isclose(spectrum.max() / (rate / 2), 0.8, atol=0.02)


def test_stereo_is_mixed_and_the_rest_of_the_window_is_silence(tmp_path):
    write_wav(tmp_path / "a.wav", np.stack([tone(0.1), np.zeros_like(tone(0.1))]), RATE)
    waveform = read_audio(tmp_path / "a.wav", RATE, 0.2)
    assert np.allclose(waveform[:1600], tone(0.1) / 2, atol=1e-3)
    assert not waveform[1600:].any()


def test_a_long_file_is_cut_to_the_window(tmp_path):
    write_wav(tmp_path / "a.wav", tone(2.0), RATE)
    assert np.allclose(read_audio(tmp_path / "a.wav", RATE, 0.5), tone(0.5), atol=1e-3)


def test_a_wav_written_to_a_pipe_states_no_length_and_is_read(tmp_path):
    path = tmp_path / "piped.wav"
    write_wav(path, tone(0.2), RATE)
    content = bytearray(path.read_bytes())
    content[4:8] = b"\xff\xff\xff\xff"
    path.write_bytes(content)
    assert np.allclose(read_audio(path, RATE, 0.2), tone(0.2), atol=1e-3)


def test_a_video_without_sound_is_refused(tmp_path):
    with pytest.raises(MediaError, match="has no audio stream"):
        read_audio(clip(tmp_path / "a.mp4", sound=False), RATE, 0.4)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_float_samples_that_are_no_numbers_are_refused(tmp_path, value):
    waveform = tone()
    waveform[77] = value
    write_wav(tmp_path / "a.wav", waveform, RATE, codec="pcm_f32le")
    with pytest.raises(MediaError, match="holds 1 audio samples that are NaN or infinite"):
        read_audio(tmp_path / "a.wav", RATE, 0.4)


def test_a_wav_without_samples_is_refused(tmp_path):
    path = tmp_path / "a.wav"
    write_wav(path, tone(), RATE)
    content = bytearray(path.read_bytes())
    data = content.index(b"data")
    content[data + 4 : data + 8] = bytes(4)
    content[4:8] = (data + 8 - 8).to_bytes(4, "little")
    path.write_bytes(content[: data + 8])
    with pytest.raises(MediaError, match="zero length"):
        read_audio(path, RATE, 0.4)


def test_a_wav_cut_in_the_middle_is_truncated(tmp_path):
    write_wav(tmp_path / "a.wav", tone(), RATE)
    with pytest.raises(MediaError, match=r"is truncated: \d+ bytes of the \d+ it says"):
        read_audio(cut(tmp_path / "a.wav"), RATE, 0.4)


def test_a_clip_cut_in_the_middle_cannot_be_decoded(tmp_path):
    with pytest.raises(MediaError, match="cannot be decoded"):
        read_audio(cut(clip(tmp_path / "a.mp4")), RATE, 0.4)


def test_a_file_of_something_else_cannot_be_decoded(tmp_path):
    (tmp_path / "a.wav").write_text("this is no sound\n" * 100)
    with pytest.raises(MediaError, match="cannot be decoded"):
        read_audio(tmp_path / "a.wav", RATE, 0.4)
