"""WAV files as no writer of good files makes them."""

import struct

from tests.data.clips import RATE

__all__ = ["wav"]

INTEGERS, FLOATS = 1, 3


def wav(values, channels=1, rate=RATE, declared=None):
    """The bytes of a WAV file of interleaved values, little-endian int16, float32 or float64.

    Parameters
    ----------
    declared
        Bytes of sound that the headers say; default: those that there are.
    """
    width = values.dtype.itemsize
    form = FLOATS if values.dtype.kind == "f" else INTEGERS
    content = values.tobytes()
    size = len(content) if declared is None else declared
    about = struct.pack("<HHIIHH", form, channels, rate, rate * channels * width, channels * width, 8 * width)
    return b"".join(
        [
            b"RIFF",
            struct.pack("<I", 36 + size),
            b"WAVEfmt ",
            struct.pack("<I", len(about)),
            about,
            b"data",
            struct.pack("<I", size),
            content,
        ]
    )
