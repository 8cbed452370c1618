"""What end a stream itself declares, so that a file that was cut off is told from one that is short.

Declared is what the header of the stream counts (MP4, AVI, Matroska's DURATION, FLAC, AIFF, AU, CAF, MP3 with a Xing
header), or the last piece of the file that says how long it is (the data of a WAV file, a fragment of an MP4, a tag
of an FLV, a page of an Ogg). How long the file is said to be, or an estimate from its bit rate, is no such claim.
"""

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import av

from raymm.data.media.container import Input, Stream
from raymm.data.media.problem import MediaError

__all__ = ["check_end", "has_frame_count", "known_end"]

SHORTFALL = 0.1
"""Seconds, beside a tenth of the length, by which a stream may be shorter than it says."""
BY_DURATION = ("mov,mp4,m4a,3gp,3g2,mj2", "flac", "aiff", "au", "gif")
BY_FRAMES = ("avi", "caf")
PIPED = 0x7FFF0000
"""Sizes from here on, and 0, are written into a WAV file whose length was not known."""
HEAD = 4096
"""Bytes after the tags of an MP3 file in which its first frame lies."""
PAGE = 2**17
"""Bytes at the end of an Ogg file in which its last page begins."""


def check_end(container: Input, stream: Stream, end: float) -> None:
    """Refuse a stream that ended, at `end` seconds on its own time line, before the end that it declares.

    Raises
    ------
    MediaError
        With what there is and what it says.
    """
    stated = _declared_end(container, stream)
    if stated is not None:
        if end < 0.9 * stated - SHORTFALL:
            what = "sound" if stream.type == "audio" else "video"
            raise MediaError(f"is truncated: {end:.2f} s of {what} of the {stated:.2f} s it says")
        return
    path = Path(container.name.removeprefix("file:"))
    size = path.stat().st_size
    reach = _reach(path, container.format.name)
    if reach > size + 1:
        raise MediaError(f"is truncated: {size} bytes of the {reach} it says")


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
    counted = name in BY_DURATION and not (name == BY_DURATION[0] and not stream.frames)
    if name == "mp3":
        counted = has_frame_count(Path(container.name.removeprefix("file:")))
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


def _reach(path: Path, name: str) -> int:
    """How many bytes the last piece of a file says that there are; 0 where none says it."""
    walk = {"wav": _wav, "w64": _w64, BY_DURATION[0]: _boxes, "matroska,webm": _segment, "flv": _tags, "ogg": _pages}
    if name not in walk:
        return 0
    with path.open("rb") as file:
        return max(walk[name](file), default=0)


def _wav(file: BinaryIO) -> Iterator[int]:
    """The end of the chunk `data`; of RF64, by the chunk `ds64`."""
    file.seek(12)
    long = None
    while len(head := file.read(8)) == 8:
        size = int.from_bytes(head[4:], "little")
        body = file.tell()
        if head[:4] == b"ds64":
            long = int.from_bytes(file.read(16)[8:], "little")
        if head[:4] == b"data":
            size = long if long is not None and size == 0xFFFFFFFF else size if size < PIPED else 0
            yield body + size if size else 0
            return
        file.seek(body + size + size % 2)


def _w64(file: BinaryIO) -> Iterator[int]:
    """The end of the chunk `data`, whose size counts its head."""
    file.seek(40)
    while len(head := file.read(24)) == 24:
        size, start = int.from_bytes(head[16:], "little"), file.tell() - 24
        if head[:4] == b"data":
            yield start + size if size < 2**62 else 0
        if head[:4] == b"data" or size < 24:
            return
        file.seek(start + size + -size % 8)


def _boxes(file: BinaryIO) -> Iterator[int]:
    """The ends of the boxes of an MP4; a size of 0 means the end of the file."""
    end = 0
    while len(head := file.read(8)) == 8:
        size = int.from_bytes(head[:4], "big")
        size = int.from_bytes(file.read(8), "big") if size == 1 else size
        if size < 8:
            return
        end += size
        yield end
        file.seek(end)


def _segment(file: BinaryIO) -> Iterator[int]:
    """The end of the segment of a Matroska file, which follows the EBML header; a live one does not say it."""
    for _ in range(2):
        first = file.read(4)
        length = int.from_bytes(file.read(1), "big")
        more = 8 - length.bit_length()
        size = int.from_bytes(bytes([length & ((1 << (7 - more)) - 1)]) + file.read(max(0, more)), "big")
        if len(first) < 4 or more == 8 or size == (1 << 7 * (more + 1)) - 1:
            return
        file.seek(size, 1)
    yield file.tell()


def _tags(file: BinaryIO) -> Iterator[int]:
    """The ends of the tags of an FLV file."""
    file.seek(13)
    while len(head := file.read(11)) == 11:
        end = file.tell() + int.from_bytes(head[1:4], "big")
        yield end
        file.seek(end + 4)


def _pages(file: BinaryIO) -> Iterator[int]:
    """The end of the last page of an Ogg file."""
    file.seek(0, 2)
    file.seek(max(0, file.tell() - PAGE))
    start, tail = file.tell(), file.read()
    at = tail.rfind(b"OggS")
    if at >= 0 and len(tail) >= at + 27:
        table = tail[at + 27 : at + 27 + tail[at + 26]]
        yield start + at + 27 + tail[at + 26] + sum(table)
