"""Logs that people read: lines of text are added at the end of a file, as things happen."""

import time
from collections.abc import Iterable
from pathlib import Path

__all__ = ["add_lines", "stamp"]


def add_lines(file: Path, lines: Iterable[str]) -> None:
    """Add lines to a file, in UTF-8 whatever the locale; what UTF-8 lacks, as in some names of files, is escaped."""
    with file.open("a", encoding="utf-8", errors="backslashreplace") as opened:
        opened.write("".join(f"{line}\n" for line in lines))


def stamp() -> str:
    """The time of this machine's clock, to the second, as logs have it."""
    return time.strftime("%Y-%m-%d %H:%M:%S")
