"""What is written can be read back: frame count, rates, channels; and equal frames give equal files."""

import ctypes
import sys

import av
import numpy as np
import pytest

from raymm.data.media import write
from raymm.data.media.write import write_clip, write_wav
from tests.data.clips import FPS, RATE, flashes, tone


def test_a_clip_holds_what_was_given(tmp_path):
    write_clip(tmp_path / "a.mp4", flashes(0.8, size=48), FPS, np.stack([tone(0.8)] * 2), RATE)
    with av.open(str(tmp_path / "a.mp4")) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert (video.frames, video.width, video.height, float(video.average_rate)) == (20, 48, 48, FPS)
        assert (audio.rate, audio.channels, audio.codec_context.name) == (RATE, 2, "aac")


def streams_of(path):
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        return video.codec_context.name, video.pix_fmt, [frame.time for frame in container.decode(video)]


def test_pictures_are_h264_with_one_frame_for_each_given_at_its_time(tmp_path):
    write_clip(tmp_path / "a.mp4", flashes(0.8), FPS, None)
    codec, form, times = streams_of(tmp_path / "a.mp4")
    assert (codec, form) == ("h264", "yuv420p")
    assert np.allclose(times, np.arange(20) / FPS)


def test_without_libx264_pictures_are_mpeg4(tmp_path, monkeypatch):
    monkeypatch.setattr(write.av, "codecs_available", set(av.codecs_available) - {"libx264"})
    write_clip(tmp_path / "a.mp4", flashes(0.8), FPS, None)
    codec, _, times = streams_of(tmp_path / "a.mp4")
    assert (codec, len(times)) == ("mpeg4", 20)


def moving_noise(seed, frames=20, size=48):
    """Noise that wanders to the right by two pixels a frame, uint8 [frames, size, size, 3]."""
    first = np.random.default_rng(seed).normal(120, 35, (size, size, 3)).clip(0, 255).astype(np.uint8)
    return np.stack([np.roll(first, 2 * number, axis=1) for number in range(frames)])


@pytest.fixture
def fill_memory():
    """Choose the byte that glibc puts into the memory it hands out (0: what lay there stays)."""
    perturb = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if perturb is None:
        pytest.skip("the allocator is not glibc's")
    yield lambda byte: perturb(-6, byte)
    perturb(-6, 0)


@pytest.mark.parametrize("codecs", [{"libx264", "mpeg4"}, {"mpeg4"}], ids=["h264", "mpeg4"])
def test_a_file_does_not_depend_on_what_lay_in_memory(tmp_path, monkeypatch, fill_memory, codecs):
    monkeypatch.setattr(write.av, "codecs_available", codecs & set(av.codecs_available))
    clips = [moving_noise(seed) for seed in range(20)]

    def written(byte):
        fill_memory(byte)
        for number, frames in enumerate(clips):
            write_clip(tmp_path / f"{number}.mp4", frames, FPS, tone(0.8), RATE)
        return [(tmp_path / f"{number}.mp4").read_bytes() for number in range(len(clips))]

    once, again = written(85), written(170)
    assert [number for number in range(len(clips)) if once[number] != again[number]] == []
    assert len(set(once)) == len(clips)


@pytest.mark.parametrize(("codec", "error"), [("pcm_s16le", 1e-4), ("pcm_f32le", 0.0)])
def test_a_wav_holds_the_samples(tmp_path, codec, error):
    write_wav(tmp_path / "a.wav", tone(0.1), RATE, codec)
    with av.open(str(tmp_path / "a.wav")) as container:
        to_float = av.AudioResampler(format="fltp")
        frames = [made for frame in container.decode(audio=0) for made in to_float.resample(frame)]
    samples = np.concatenate([frame.to_ndarray()[0] for frame in frames])
    assert np.allclose(samples, tone(0.1), atol=error, rtol=0)
