"""What files hold, by their suffixes."""

import re
from pathlib import PurePosixPath

__all__ = ["SUFFIXES", "holds"]

SUFFIXES = {
    "sound": (".wav", ".flac", ".mp3", ".ogg", ".opus", ".m4a", ".aac", ".aif", ".aiff"),
    "video": (".mp4", ".avi", ".mkv", ".webm", ".mov", ".flv", ".mpg", ".mpeg", ".ts", ".gif"),
    "picture": (".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"),
    "array": (".npy", ".npz"),
    "text": (".txt",),
}

NAME = re.compile(r".*?(?P<suffix>\.\w+)(#.*)?")
"""The name of a file, which a key or a second may follow (`x.npz#audio[3]`, `a.mp4#t=4.6`)."""


def holds(file: str, *kinds: str) -> bool:
    """Whether a file is of one of some kinds, by its suffix.

    >>> holds("clips/a.v2.MP4#t=4.6", "sound", "video"), holds("x.npz#audio[3]", "array"), holds("a", "text")
    (True, True, False)
    """
    match = NAME.fullmatch(PurePosixPath(file).name)
    return match is not None and any(match["suffix"].lower() in SUFFIXES[kind] for kind in kinds)
