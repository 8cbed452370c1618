"""The files that the rows of a manifest name: which they are, and whether they lie in the media root."""

import os
from collections.abc import Sequence
from pathlib import Path

from raymm.data.manifest_rows import Rows
from raymm.data.media.root import MediaRoot
from raymm.data.recordings import resolve
from raymm.errors import Problems

__all__ = ["place_of_row", "resolved_files"]


def resolved_files(
    rows: Rows, ids: Sequence[str], media_root: MediaRoot, allow_outside: bool, problems: Problems
) -> dict[str, str]:
    """Which file each name stands for; names that lead out of the media root go to `problems`."""
    files = dict.fromkeys(file for files in rows.files for file in files)
    if not isinstance(media_root, Path):
        return {file: file for file in files}
    resolved = resolve(files, media_root)
    if not media_root.is_dir():
        problems.add(f"the media root {media_root} is no folder")
    elif not allow_outside:
        _refuse_outside(rows, ids, media_root, resolved, problems)
    return resolved


def place_of_row(row: int, ids: Sequence[str]) -> str:
    """What messages call a row."""
    return f"row {row + 1}, sample '{ids[row]}'"


def _refuse_outside(rows: Rows, ids: Sequence[str], root: Path, resolved: dict[str, str], problems: Problems) -> None:
    """Refuse paths that are not below the media root, by themselves or by a symbolic link on the way."""
    inside = os.path.realpath(root).rstrip("/") + "/"
    for number, files in enumerate(rows.files):
        where = place_of_row(number, ids)
        for file in files:
            if file in rows.embedded:
                continue
            if file.startswith("/") or (".." in file and ".." in file.split("/")):
                problems.add(
                    f"{where}: '{file}' leaves the media root; write paths relative to it, or give --allow-outside"
                )
            elif not resolved[file].startswith(inside):
                problems.add(
                    f"{where}: '{file}' leaves the media root by a symbolic link, to {resolved[file]}; "
                    "copy what it leads to, or give --allow-outside"
                )
