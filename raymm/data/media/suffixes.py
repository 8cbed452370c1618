"""What files hold, by their suffixes."""

import re
from pathlib import PurePosixPath

__all__ = ["SUFFIXES", "holds", "split_start"]

SUFFIXES = {
    "sound": (".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a", ".aac", ".aif", ".aiff"),
    "video": (".mp4", ".avi", ".mkv", ".webm", ".mov", ".flv", ".mpg", ".mpeg", ".ts", ".gif"),
    "picture": (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"),
    "array": (".npy", ".npz"),
    "text": (".txt",),
}

NAME = re.compile(r".*?(?P<suffix>\.\w+)(#.*)?", re.DOTALL)
"""The name of a file, which a key or a second may follow (`x.npz#audio[3]`, `a.mp4#t=4.6`)."""

START = re.compile(r"(?P<file>.+)#t=(?P<start>\d+(\.\d+)?)", re.DOTALL)
"""A cell that names the second at which the window begins, as the fragment of a URI of media does (W3C)."""


def holds(file: str, *kinds: str) -> bool:
    """Whether a file is of one of some kinds, by its suffix.

    >>> holds("clips/a.v2.MP4#t=4.6", "sound", "video"), holds("x.npz#audio[3]", "array"), holds("a", "text")
    (True, True, False)
    """
    match = NAME.fullmatch(PurePosixPath(file).name)
    return match is not None and any(match["suffix"].lower() in SUFFIXES[kind] for kind in kinds)


def split_start(cell: str) -> tuple[str, float]:
    """The file of a cell, and the second at which its window begins.

    >>> split_start("class_01/subject1_r0/sk_color.avi#t=4.6"), split_start("a.mp4")
    (('class_01/subject1_r0/sk_color.avi', 4.6), ('a.mp4', 0.0))
    """
    match = START.fullmatch(cell)
    return (match["file"], float(match["start"])) if match else (cell, 0.0)
