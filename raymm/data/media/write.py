"""Write small media files: what the demo and the tests prepare.

Pictures are H.264, as in most collections, or MPEG-4 part 2 where the FFmpeg of PyAV was built without libx264.
"""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

__all__ = ["write_clip", "write_wav"]

Frames = npt.NDArray[np.uint8]
Waveform = npt.NDArray[np.float32]

ENCODERS = (
    ("libx264", {"crf": "16", "preset": "veryfast", "threads": "1", "x264-params": "cpu-independent=1"}),
    ("mpeg4", {"qscale": "3"}),
)
"""Video encoders that may be there, the better one first, with their settings of quality.

Without `cpu-independent` the AVX-512 code of x264 (mbtree) takes in what lies in memory behind a row of macroblocks
wherever their number is no multiple of 8, so equal frames give unequal files.
"""


def write_wav(path: Path, waveform: Waveform, rate: int, codec: str = "pcm_s16le") -> None:
    """Write a waveform [samples] or [channels, samples] in [-1, 1] as WAV; `pcm_f32le` keeps floats."""
    with av.open(str(path), "w", format="wav") as container:
        stream = container.add_stream(codec, rate=rate, layout=_layout(waveform))
        _encode_audio(container, stream, waveform, rate)


def write_clip(path: Path, frames: Frames, fps: int, waveform: Waveform | None, rate: int = 16_000) -> None:
    """Write frames [T, H, W, 3] and sound as MP4 (H.264 video, AAC sound); H and W must be even."""
    with av.open(str(path), "w", format="mp4") as container:
        codec, options = _video_encoder()
        video = container.add_stream(codec, rate=fps, options=options)
        video.width, video.height, video.pix_fmt = frames.shape[2], frames.shape[1], "yuv420p"
        audio = None
        if waveform is not None:
            audio = container.add_stream("aac", rate=rate, layout=_layout(waveform))
        for image in frames:
            container.mux(video.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(video.encode(None))
        if audio is not None and waveform is not None:
            _encode_audio(container, audio, waveform, rate)


def _video_encoder() -> tuple[str, dict[str, str]]:
    return next((name, dict(options)) for name, options in ENCODERS if name in av.codecs_available)


def _encode_audio(
    container: "av.container.OutputContainer", stream: "av.AudioStream", waveform: Waveform, rate: int
) -> None:
    channels = np.atleast_2d(waveform).astype(np.float32)
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(channels), format="fltp", layout=_layout(waveform))
    frame.sample_rate, frame.pts, frame.time_base = rate, 0, Fraction(1, rate)
    container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def _layout(waveform: Waveform) -> str:
    return {1: "mono", 2: "stereo", 4: "quad"}[np.atleast_2d(waveform).shape[0]]
