"""The pieces of a file that hold samples and say how long they are, so that a file that ends within one is found.

They are the data of a WAV file, the fragments of an MP4, the clusters or blocks of a Matroska file, the tags of an
FLV and the pages of an Ogg. What lies behind them, such as an index or free space, may be cut: the samples are whole.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

__all__ = ["MP4", "lacking"]

MP4 = "mov,mp4,m4a,3gp,3g2,mj2"
"""FFmpeg's name of the format."""
BEGINNINGS = ((0, b"OggS", "ogg"), (4, b"ftyp", MP4))
"""Bytes at a place of a file that tell its format."""
FAR = 2**62
"""Bytes; no file reaches so far, and no place beyond can be sought."""
PIPED = 0x7FFF0000
"""Sizes from here on, and 0, are written into a WAV file whose length was not known."""
PAGE = 2**17
"""Bytes at the end of an Ogg file in which its last page begins."""
FRAGMENT = (b"moof", b"mdat")
"""Boxes of an MP4 in fragments that hold samples, or say where they lie."""
SOUND_OR_PICTURE = (8, 9)
"""Types of the tags of an FLV file that hold samples; the others hold text."""
SEGMENT, CLUSTER = 0x18538067, 0x1F43B675
BLOCKS = (0xA3, 0xA0, 0xAF)
"""Elements of a cluster of a Matroska file that hold samples."""
ENDLESS = -1
"""The size of an element that does not say how long it is, as in a live recording."""


def lacking(path: Path, form: str | None = None, spared: int = 0) -> str:
    """What is wrong with a file that ends within a piece that holds samples; empty where it does not.

    Parameters
    ----------
    form
        FFmpeg's name of its format; None where FFmpeg does not open it: of some formats, the first bytes tell.
    spared
        Bytes that may be missing.
    """
    size, reach = path.stat().st_size, _reach(path, form)
    return f"is truncated: {size} bytes of the {reach} it says" if reach > size + spared else ""


def _reach(path: Path, form: str | None) -> int:
    """Where the last piece that says its end, ends; 0 where none does."""
    walk = {"wav": _wav, "w64": _w64, MP4: _boxes, "matroska,webm": _clusters, "flv": _tags, "ogg": _pages}
    with path.open("rb") as file:
        begin = file.read(8)
        form = form or next((known for place, mark, known in BEGINNINGS if begin[place:].startswith(mark)), "")
        file.seek(0)
        return max(walk[form](file), default=0) if form in walk else 0


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
            yield start + size if size < FAR else 0
        if head[:4] == b"data" or not 24 <= size < FAR:
            return
        file.seek(start + size + -size % 8)


def _boxes(file: BinaryIO) -> Iterator[int]:
    """The ends of the fragments of an MP4; a size of 0 means the end of the file."""
    end, begun = 0, False
    while len(head := file.read(8)) == 8:
        size = int.from_bytes(head[:4], "big")
        size = int.from_bytes(file.read(8), "big") if size == 1 else size
        if not 8 <= size < FAR:
            return
        end += size
        begun = begun or head[4:] == FRAGMENT[0]
        if begun and head[4:] in FRAGMENT:
            yield end
        file.seek(end)


def _clusters(file: BinaryIO) -> Iterator[int]:
    """The ends of the clusters of a Matroska file; of one that does not say how long it is, those of its blocks."""
    while (kind := _id(file)) and (size := _size(file)) is not None:
        if kind == SEGMENT or (kind == CLUSTER and size == ENDLESS):
            continue
        if size == ENDLESS:
            return
        end = file.tell() + size
        if kind == CLUSTER or kind in BLOCKS:
            yield end
        file.seek(end)


def _id(file: BinaryIO) -> int:
    """The name of the next element of a Matroska file; 0 where there is none."""
    first = file.read(1)
    more = 8 - int.from_bytes(first, "big").bit_length()
    rest = file.read(more) if more < 4 else b""
    return int.from_bytes(first + rest, "big") if first and more < 4 and len(rest) == more else 0


def _size(file: BinaryIO) -> int | None:
    """How long an element is, or `ENDLESS`; None where its size is not there."""
    first = int.from_bytes(file.read(1), "big")
    more = 8 - first.bit_length()
    rest = file.read(more) if more < 8 else b""
    if more == 8 or len(rest) < more:
        return None
    size = int.from_bytes(bytes([first & (0x7F >> more)]) + rest, "big")
    return ENDLESS if size == (1 << 7 * (more + 1)) - 1 else size


def _tags(file: BinaryIO) -> Iterator[int]:
    """The ends of the tags of sound and of pictures of an FLV file."""
    file.seek(13)
    while len(head := file.read(11)) == 11:
        end = file.tell() + int.from_bytes(head[1:4], "big")
        if head[0] & 0x1F in SOUND_OR_PICTURE:
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
