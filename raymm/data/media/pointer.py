"""Small text files that Git LFS leaves in the place of those that it has not fetched."""

from pathlib import Path

from raymm.data.media.problem import MediaError

__all__ = ["refuse_pointer"]

BEGINS = (b"version https://git-lfs", b"version https://hawser.", b"version http://git-media.")
"""What a pointer begins with; the last two are of Git LFS before its first version."""
MOST_BYTES = 1024
"""Pointers are smaller."""


def refuse_pointer(path: Path) -> None:
    """Raise `MediaError` where a file only points to what it should be."""
    if path.is_file() and path.stat().st_size < MOST_BYTES and path.read_bytes().startswith(BEGINS):
        raise MediaError("is a pointer of Git LFS, not the file itself; fetch it with `git lfs pull`")
