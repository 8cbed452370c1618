"""Which files of a manifest are one: by resolved path, whatever they are called; and files that lie in two splits."""

import os
import posixpath
from collections import defaultdict
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from raymm.errors import Problems

__all__ = ["Followed", "refuse_shared", "shared_note"]


class Followed:
    """The files and folders that paths below a root lead to: without `.` and double slashes, symbolic links followed.

    Folders are listed once each; files are not opened and need not be there.

    >>> followed = Followed(Path("/none"))
    >>> followed.file("./a.wav"), followed.file("b//a.wav")
    ('/none/a.wav', '/none/b/a.wav')
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self.folder = cache(self._folder)

    def _folder(self, name: str) -> tuple[str, frozenset[str]]:
        """The real path of a folder, and the symbolic links in it."""
        real = os.path.realpath(self._root / name)
        try:
            with os.scandir(real) as entries:
                return real, frozenset(entry.name for entry in entries if entry.is_symlink())
        except OSError:
            return real, frozenset()

    def file(self, name: str) -> str:
        """The real path of a file."""
        above, own = posixpath.split(name)
        real, links = self.folder(above)  # where `..` stands behind a link, it leads to where that one leads
        path = posixpath.normpath(posixpath.join(real, own))
        return os.path.realpath(path) if own in links else path


def refuse_shared(files: Sequence[str], splits: Sequence[str], resolved: dict[str, str], problems: Problems) -> None:
    """Name the files (of N samples, empty where a sample has none) that stand in two splits."""
    for names, where in _shared(files, splits, resolved):
        also = f" (also as {', '.join(map(repr, names[1:]))})" if len(names) > 1 else ""
        problems.add(f"file '{names[0]}'{also} is in two splits: {', '.join(where)}")


def shared_note(files: Sequence[tuple[str, ...]], splits: Sequence[str], resolved: dict[str, str]) -> str:
    """A sentence on further files of samples that stand in two splits; empty where there are none."""
    flat = [(file, split) for own, split in zip(files, splits, strict=True) for file in own]
    found = _shared([file for file, _ in flat], [split for _, split in flat], resolved)
    if not found:
        return ""
    names, where = found[0]
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    return f"file '{names[0]}'{more} belongs to samples of two splits ({', '.join(where)}), which are then not apart"


def _shared(
    files: Sequence[str], splits: Sequence[str], resolved: dict[str, str]
) -> list[tuple[list[str], list[str]]]:
    """Files in two splits or more: their names, and the splits."""
    names: dict[str, dict[str, None]] = defaultdict(dict)
    where: dict[str, set[str]] = defaultdict(set)
    for file, split in zip(files, splits, strict=True):
        if file:
            names[resolved[file]][file] = None
            where[resolved[file]].add(split)
    return [(list(names[path]), sorted(found)) for path, found in where.items() if len(found) > 1]
