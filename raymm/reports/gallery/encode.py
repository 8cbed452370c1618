"""Sound and pictures as the bytes of small files that every browser plays and shows."""

from __future__ import annotations

import io
from functools import cache

import av
import numpy as np
import numpy.typing as npt
import torch
from matplotlib import colormaps
from PIL import Image

__all__ = ["flac_bytes", "heatmap_bytes", "picture_bytes", "resampled"]

LOSSLESS = 12_000
"""Bytes of a picture up to which it is a PNG; a larger one becomes a JPEG."""

JPEG_QUALITY = 85

SLOWEST = 8_000
"""Samples a second below which browsers refuse a sound."""

Pixels = npt.NDArray[np.uint8]


def flac_bytes(waveform: npt.NDArray[np.float32], rate: int) -> bytes:
    """A mono waveform [samples] from -1 to 1 as FLAC of 16 bits; louder samples are clipped."""
    file = io.BytesIO()
    numbers = np.round(np.clip(waveform, -1, 1) * 32767).astype(np.int16)
    with av.open(file, "w", format="flac") as container:
        stream = container.add_stream("flac", rate=rate, layout="mono")
        stream.codec_context.format = "s16"
        frame = av.AudioFrame.from_ndarray(numbers[None], format="s16", layout="mono")
        frame.sample_rate = rate
        frame.pts = 0
        for part in (frame, None):
            container.mux(stream.encode(part))
    return file.getvalue()


def resampled(waveform: npt.NDArray[np.float32], rate: int, most: int) -> tuple[npt.NDArray[np.float32], int]:
    """A waveform at a rate between `SLOWEST` and `most`, and that rate."""
    wanted = max(SLOWEST, min(rate, most))
    if wanted == rate:
        return waveform, rate
    from torchaudio.functional import resample  # noqa: PLC0415  (slow to import)

    changed: npt.NDArray[np.float32] = resample(torch.from_numpy(np.array(waveform)), rate, wanted).numpy()
    return changed, wanted


def picture_bytes(pixels: Pixels) -> tuple[str, bytes]:
    """Format ("png" or "jpeg") and bytes of a picture [height, width, 3]."""
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    exact = _saved(picture, "PNG", optimize=False)
    if len(exact) <= LOSSLESS:
        return "png", exact
    return "jpeg", _saved(picture, "JPEG", quality=JPEG_QUALITY, subsampling=0)


def heatmap_bytes(levels: Pixels) -> bytes:
    """Levels [height, width] from dark (0) to bright (255) as a PNG, the first row at the bottom."""
    picture = Image.frombytes("P", levels.shape[::-1], levels[::-1].tobytes())
    picture.putpalette(_palette())
    return _saved(picture, "PNG", optimize=False)


@cache
def _palette() -> bytes:
    """256 colours of viridis, which is read alike in grey and by all eyes."""
    colours = np.asarray(colormaps["viridis"](np.arange(256)))[:, :3]
    return np.round(colours * 255).astype(np.uint8).tobytes()


def _saved(picture: Image.Image, form: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, form, **options)
    return file.getvalue()
