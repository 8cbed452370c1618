"""The media files of a source: folders are listed once, and files are found by the name that a list gives them."""

import os
from collections.abc import Sequence
from pathlib import Path

from raymm.data.sources.base import Absent
from raymm.errors import Problems

__all__ = ["SOUND", "VIDEO", "Files"]

VIDEO = (".mp4", ".mkv", ".webm", ".avi", ".flv", ".mov")
SOUND = (".wav", ".flac", ".mp3", ".m4a")


class Files:
    """Files of some folders, and of the folders in them, by their name without the suffix.

    Parameters
    ----------
    root
        Folder of the data set.
    folders
        Names relative to it under which the files may lie; at least one must be there. Where a name lies in two, the
        first one counts.
    suffixes
        Of the files, the better one first.
    what
        What the files are, for the message when none of the folders is there; empty where they may be absent.
    """

    def __init__(
        self, root: Path, folders: Sequence[str], suffixes: Sequence[str], what: str, problems: Problems
    ) -> None:
        self._expected = f"{folders[0]}/{{}}{suffixes[0]}"
        self._found: dict[str, str] = {}
        there = [folder for folder in folders if (root / folder).is_dir()]
        if there:
            self._expected = f"{there[0]}/{{}}{suffixes[0]}"
        elif what:
            problems.add(f"there is no folder {' or '.join(folders)}: {what}")
        for folder in there:
            self._add(root, folder, suffixes)

    @property
    def names(self) -> list[str]:
        """Names of all files, without suffixes, in order."""
        return sorted(self._found)

    def find(self, *names: str) -> str | Absent:
        """The file of the first of some names that there is, relative to the root; else where the first would lie."""
        found = next((self._found[name] for name in names if name in self._found), None)
        return found or Absent(self._expected.format(names[0]))

    def _add(self, root: Path, folder: str, suffixes: Sequence[str]) -> None:
        found: list[tuple[int, str, str]] = []
        for above, _, files in os.walk(root / folder):
            for file in files:
                stem, suffix = os.path.splitext(file)  # noqa: PTH122  (a path object for each of 200,000 files)
                if suffix.lower() in suffixes:
                    path = Path(above, file).relative_to(root).as_posix()
                    found.append((suffixes.index(suffix.lower()), path, stem))
        for _, path, stem in sorted(found):
            self._found.setdefault(stem, path)
