"""Pictures in a folder that stand for the frames of a clip, in the order of the numbers in their names."""

import re
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

__all__ = ["SUFFIXES", "frame_pictures", "numbered"]

SUFFIXES = (".jpg", ".jpeg", ".png")
NUMBER = re.compile(r"(\d+)\D*$")


def numbered(paths: Iterable[Path]) -> list[Path]:
    """Paths by the last number in their name, then by name.

    >>> [path.name for path in numbered([Path("img_10.jpg"), Path("img_9.jpg")])]
    ['img_9.jpg', 'img_10.jpg']
    """
    return sorted(paths, key=lambda path: (_number(path), path.name))


def frame_pictures(first: Path) -> list[Path]:
    """The pictures from `first` on in its folder."""
    pictures = _listed(str(first.parent), first.parent.stat().st_mtime_ns)
    return list(pictures[pictures.index(first) :]) if first in pictures else [first]


@lru_cache(maxsize=4)
def _listed(folder: str, changed: int) -> tuple[Path, ...]:
    """Pictures of a folder, cached until it changes."""
    del changed
    return tuple(numbered(path for path in Path(folder).iterdir() if path.suffix.lower() in SUFFIXES))


def _number(path: Path) -> int:
    match = NUMBER.search(path.stem)
    return int(match[1]) if match else 0
