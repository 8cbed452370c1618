"""What end a stream itself declares, so that a file that was cut off is told from one that is short.

Declared is what the header of the stream counts (MP4, AVI, Matroska's DURATION, FLAC, AIFF, AU, CAF, MP3 with a Xing
header), or else the last piece that holds samples and says how long it is (`raymm.data.media.pieces`). How long the
file is said to be, or an estimate from its bit rate, is no such claim.
"""

from fractions import Fraction
from pathlib import Path

import av

from raymm.data.media.container import Input, Stream, path_of
from raymm.data.media.pieces import MP4, lacking
from raymm.data.media.problem import MediaError

__all__ = ["check_end", "has_frame_count", "known_end"]

SHORTFALL = 0.1
"""Seconds, beside a tenth of the length, by which a stream may be shorter than it says."""
ROUNDED = 0.001
"""Seconds by which it may be shorter where decoding failed at its end."""
BY_DURATION = (MP4, "flac", "aiff", "au", "gif")
BY_FRAMES = ("avi", "caf")
HEAD = 4096
"""Bytes after the tags of an MP3 file in which its first frame lies."""


def check_end(container: Input, stream: Stream, end: float, failed: bool = False) -> None:
    """Refuse a stream that ended, at `end` seconds on its own time line, before the end that it declares.

    Parameters
    ----------
    failed
        Whether decoding failed there: then it need not be much before it.

    Raises
    ------
    MediaError
        With what there is and what it says.
    """
    stated = _declared_end(container, stream)
    if stated is not None:
        if end < (stated - ROUNDED if failed else 0.9 * stated - SHORTFALL):
            what = "sound" if stream.type == "audio" else "video"
            raise MediaError(f"is truncated: {end:.2f} s of {what} of the {stated:.2f} s it says")
        return
    if said := lacking(path_of(container), container.format.name, spared=0 if failed else 1):
        raise MediaError(said)


def known_end(container: Input, stream: Stream) -> float | None:
    """Where a stream, or else its file, is said to end, in seconds on its own time line; for information."""
    stated = _declared_end(container, stream)
    if stated is not None:
        return stated
    if stream.duration is not None:
        return _start(stream) + float(stream.duration * stream.time_base)
    return None if container.duration is None else (container.start_time + container.duration) / av.time_base


def has_frame_count(path: Path) -> bool:
    """Whether an MP3 file counts its frames (a Xing, Info or VBRI header), not only those of a first part."""
    with path.open("rb") as file:
        head = file.read(10)
        if head[:3] == b"ID3":
            file.seek(10 + sum(byte << shift for byte, shift in zip(head[6:], (21, 14, 7, 0), strict=True)))
        else:
            file.seek(0)
        start, first = file.tell(), file.read(HEAD)
    places = [(first.find(mark), mark) for mark in (b"Xing", b"Info", b"VBRI") if mark in first]
    if not places:
        return False
    counted = _counted_bytes(first[places[0][0] :])
    return not counted or path.stat().st_size - start <= 1.1 * counted + HEAD


def _counted_bytes(header: bytes) -> int:
    """The bytes that an MP3 header says that its frames have; 0 where it does not say it."""
    if header[:4] == b"VBRI":
        return int.from_bytes(header[10:14], "big")
    flags = int.from_bytes(header[4:8], "big")
    at = 12 if flags & 1 else 8
    return int.from_bytes(header[at : at + 4], "big") if flags & 2 else 0


def _declared_end(container: Input, stream: Stream) -> float | None:
    name = container.format.name
    if name in BY_FRAMES and stream.frames:
        period = stream.time_base if name == "avi" else Fraction(1, stream.codec_context.sample_rate)
        return _start(stream) + float(stream.frames * period)
    if name == "matroska,webm":
        return _seconds(stream.metadata.get("DURATION", ""))
    counted = name in BY_DURATION and not (name == MP4 and not stream.frames)
    if name == "mp3":
        counted = has_frame_count(path_of(container))
    if not counted or stream.duration is None:
        return None
    return _start(stream) + float(stream.duration * stream.time_base)


def _start(stream: Stream) -> float:
    return 0.0 if stream.start_time is None else float(stream.start_time * stream.time_base)


def _seconds(clock: str) -> float | None:
    """From "00:00:02.023000000"; None where it is not of that form."""
    try:
        hours, minutes, seconds = (float(part) for part in clock.split(":"))
    except ValueError:
        return None
    return 3600 * hours + 60 * minutes + seconds or None
