"""What is wrong with one value of one sample, for the person who has the file; and what any file may be instead."""

from pathlib import Path

__all__ = ["MediaError", "refuse_pointer"]

POINTER_BEGINS = (b"version https://git-lfs", b"version https://hawser.", b"version http://git-media.")
"""What a pointer of Git LFS begins with; the last two are older than its first version."""
POINTER_BYTES = 1024
"""Pointers are smaller."""


class MediaError(Exception):
    """A file cannot be used; the message says why, without naming the file (the caller knows it)."""


def refuse_pointer(path: Path) -> None:
    """Raise `MediaError` for the small text that Git LFS leaves in the place of a file that it has not fetched."""
    if path.is_file() and path.stat().st_size < POINTER_BYTES and path.read_bytes().startswith(POINTER_BEGINS):
        raise MediaError("is a pointer of Git LFS, not the file itself; fetch it with `git lfs pull`")
