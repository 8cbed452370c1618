"""Media whose content tells its own time: numbered frames, clicks and chirps, in any container."""

import shutil
import subprocess
from fractions import Fraction

import av
import numpy as np
import pytest

from raymm.data.media.geometry import to_gray

FPS = 25
RATE = 16_000

needs_ffmpeg = pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="the ffmpeg command is not there")


def needs(*codecs):
    missing = [codec for codec in codecs if codec not in av.codecs_available]
    return pytest.mark.skipif(bool(missing), reason=f"this FFmpeg has no {', '.join(missing)}")


def numbered(count=50, size=(32, 48)):
    """Frame k shows its number as six bits, black and white columns, the lowest on the left; [count, H, W, 3]."""
    bits = (np.arange(count)[:, None] >> np.arange(6)) % 2
    columns = np.repeat((bits * 255).astype(np.uint8), size[1] // 6, axis=1)
    return np.broadcast_to(columns[:, None, :, None], (count, *size, 3)).copy()


def numbers(pictures):
    """The numbers of frames of `numbered`."""
    return ((to_gray(pictures, 4, 6).mean(axis=1) > 128) @ (1 << np.arange(6))).tolist()


def click(at=1.0, seconds=2.0, rate=RATE):
    """Silence with a short burst at a time."""
    waveform = np.zeros(round(seconds * rate), np.float32)
    start = round(at * rate)
    waveform[start : start + rate // 500] = 0.9
    return waveform


def chirp(seconds=2.0, rate=RATE):
    """A tone that rises from 200 Hz on."""
    time = np.arange(round(seconds * rate)) / rate
    return (0.3 * np.sin(2 * np.pi * time * (200 + 300 * time))).astype(np.float32)


def onset(waveform, rate=RATE):
    """The time of the first loud sample."""
    return float(np.flatnonzero(np.abs(waveform) > 0.4)[0]) / rate


def snr(waveform, reference):
    """Signal-to-noise ratio in decibels, of what both have."""
    length = min(len(waveform), len(reference))
    noise = waveform[:length].astype(float) - reference[:length]
    return 10 * np.log10((reference[:length].astype(float) ** 2).sum() / max((noise**2).sum(), 1e-12))


def mux(path, streams, form=None, **options):
    """Write packets of streams [(encode, ...)] in the order of their times; each is a function of the container."""
    with av.open(str(path), "w", format=form, options=options) as container:
        packets = [packet for packets in [stream(container) for stream in streams] for packet in packets]
        for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
            container.mux(packet)
    return path


def video(frames, codec="mpeg4", fps=FPS, ticks=None, start=0, bframes=0, turned=None, aspect=None, **options):
    """A video stream; `ticks` are the times of its frames in 1/fps, `turned` the arguments of its display matrix."""

    def encode(container):
        options.setdefault("qscale", "1") if codec in {"mpeg4", "flv", "mjpeg"} else None
        stream = container.add_stream(
            codec, rate=fps, options={**options, **({"bf": str(bframes)} if bframes else {})}
        )
        stream.height, stream.width = frames.shape[1:3]
        stream.pix_fmt = {"mjpeg": "yuvj420p", "png": "rgb24"}.get(codec, "yuv420p")
        stream.codec_context.thread_count = 1
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = Fraction(aspect)
        if turned is not None:
            stream.set_display_rotation(**turned)
        packets = []
        for number, image in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = (ticks[number] if ticks else number) + start, Fraction(1, fps)
            packets += stream.encode(frame)
        return packets + stream.encode(None)

    return encode


def audio(waveform, codec="aac", rate=RATE, start=0, layout=None, gap=None, **options):
    """An audio stream from the sample `start` on; `gap` = (sample, length) leaves timestamps out."""

    def encode(container):
        channels = np.atleast_2d(waveform).astype(np.float32)
        names = layout or {1: "mono", 2: "stereo"}[len(channels)]
        stream = container.add_stream(codec, rate=rate, layout=names, options=options)
        packets = []
        for first in range(0, channels.shape[1], 640):
            piece = np.ascontiguousarray(channels[:, first : first + 640].T).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(piece, format="flt", layout=names)
            frame.sample_rate, frame.time_base = rate, Fraction(1, rate)
            frame.pts = start + first + (gap[1] if gap and first >= gap[0] else 0)
            packets += stream.encode(frame)
        return packets + stream.encode(None)

    return encode


def ffmpeg(*arguments):
    """What the ffmpeg command writes to its standard output."""
    command = ["ffmpeg", "-v", "error", "-nostdin", "-y", *map(str, arguments)]
    return subprocess.run(command, check=True, capture_output=True).stdout


def ffmpeg_sound(path, rate=RATE):
    """The sound of a file by the ffmpeg command."""
    return np.frombuffer(ffmpeg("-i", path, "-map", "0:a:0", "-ac", 1, "-ar", rate, "-f", "f32le", "-"), np.float32)
