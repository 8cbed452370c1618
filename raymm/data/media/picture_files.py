"""Pictures in a folder that stand for the frames of a clip, in the order of the numbers in their names."""

import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

__all__ = ["SUFFIXES", "frame_pictures", "numbered"]

SUFFIXES = (".jpg", ".jpeg", ".png")
NUMBER = re.compile(r"(\d+)\D*$")
DIGITS = re.compile(r"\d+")


def numbered(paths: Iterable[Path]) -> list[Path]:
    """Paths by the last number in their name, then by name.

    >>> [path.name for path in numbered([Path("img_10.jpg"), Path("img_9.jpg")])]
    ['img_9.jpg', 'img_10.jpg']
    """
    return sorted(paths, key=lambda path: (_number(path), path.name))


def frame_pictures(first: Path) -> list[Path]:
    """The pictures from `first` on in its folder; where its name has a number, those named alike.

    Flow beside the frames (`img_00001.jpg`, `flow_x_00001.jpg`) is none of them.
    """
    pictures = _listed(str(first.parent), first.parent.stat().st_mtime_ns)
    if DIGITS.search(first.stem):
        letters = _letters(first)
        pictures = tuple(path for path in pictures if _letters(path) == letters)
    return list(pictures[pictures.index(first) :]) if first in pictures else [first]


@lru_cache(maxsize=4)
def _listed(folder: str, changed: int) -> tuple[Path, ...]:
    """Pictures of a folder, cached until it changes."""
    del changed
    return tuple(numbered(path for path in Path(folder).iterdir() if path.suffix.lower() in SUFFIXES))


def _letters(path: Path) -> str:
    """The name of a picture without its numbers and suffix."""
    return DIGITS.sub("#", path.stem)


def _number(path: Path) -> int:
    match = NUMBER.search(path.stem)
    return int(match[1]) if match else 0
