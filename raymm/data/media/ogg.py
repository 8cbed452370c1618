"""Where the links of a chained Ogg file begin: files that were joined, each with streams of its own."""

from pathlib import Path

__all__ = ["second_link"]

BEGINS = 2
"""Mark of the first page of a stream."""
HEAD = 27
"""Bytes of a page before the sizes of its segments."""


def second_link(path: Path) -> int | None:
    """The byte at which a stream begins after pages of others; None where all streams begin with the file."""
    going_on = False
    with path.open("rb") as file:
        place = 0
        while (head := file.read(HEAD))[:4] == b"OggS" and len(head) == HEAD:
            begins = bool(head[5] & BEGINS)
            if begins and going_on:
                return place
            going_on = going_on or not begins
            file.seek(sum(file.read(head[26])), 1)
            place = file.tell()
    return None
