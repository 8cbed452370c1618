"""What is written can be read back: frame count, rates, channels."""

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


@pytest.mark.parametrize(("codec", "error"), [("pcm_s16le", 1e-4), ("pcm_f32le", 0.0)])
def test_a_wav_holds_the_samples(tmp_path, codec, error):
    write_wav(tmp_path / "a.wav", tone(0.1), RATE, codec)
    with av.open(str(tmp_path / "a.wav")) as container:
        to_float = av.AudioResampler(format="fltp")
        frames = [made for frame in container.decode(audio=0) for made in to_float.resample(frame)]
    samples = np.concatenate([frame.to_ndarray()[0] for frame in frames])
    assert np.allclose(samples, tone(0.1), atol=error, rtol=0)
