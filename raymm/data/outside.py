"""The files that the rows of a manifest stand for: which they are, and whether they lie in the media root."""

import os
from collections.abc import Sequence
from pathlib import Path

from raymm.data.kinds.base import ModalitySpec
from raymm.data.manifest_rows import Rows
from raymm.data.media.root import MediaRoot
from raymm.data.recordings import Followed
from raymm.errors import Problems

__all__ = ["place_of_row", "resolved_files"]


def resolved_files(
    rows: Rows, ids: Sequence[str], media_root: MediaRoot, allow_outside: bool, problems: Problems
) -> dict[str, str]:
    """Which file each name stands for; names that lead out of the media root go to `problems`."""
    files = dict.fromkeys(file for files in rows.files for file in files)
    if not isinstance(media_root, Path):
        _refuse_folders(rows, problems)
        return {file: file for file in files}
    followed = Followed(media_root)
    resolved = {file: followed.file(file) for file in files}
    if not media_root.is_dir():
        problems.add(f"the media root {media_root} is no folder")
    elif not allow_outside:
        _refuse_outside(rows, ids, media_root, resolved, followed, problems)
    return resolved


def _refuse_folders(rows: Rows, problems: Problems) -> None:
    """Refuse kinds that read a folder: an archive has none, and its files lie unpacked beside those of others."""
    for name, spec in rows.specs.items():
        if any(spec.folders_of(cell) for cell in rows.cells[name]):
            kind = spec.model_fields["kind"].default
            problems.add(f"modality '{name}' of kind '{kind}' reads folders, of which an archive has none; unpack it")


def place_of_row(row: int, ids: Sequence[str]) -> str:
    """What messages call a row."""
    return f"row {row + 1}, sample '{ids[row]}'"


def _refuse_outside(
    rows: Rows, ids: Sequence[str], root: Path, resolved: dict[str, str], followed: Followed, problems: Problems
) -> None:
    """Refuse files that are not below the media root, by their paths or by a symbolic link on the way."""
    inside = os.path.realpath(root).rstrip("/") + "/"
    texts_only = all(spec.is_text for spec in rows.specs.values())
    for number, files in enumerate(rows.files):
        if texts_only and not files:
            continue
        troubles = [_trouble(file, resolved[file], inside) for file in files if file not in rows.embedded]
        if not any(troubles):
            troubles = [
                _trouble_beside(spec, cell, root, followed, inside) for spec, cell in rows.named_cells(number)
            ]
        for trouble in dict.fromkeys(filter(None, troubles)):
            problems.add(f"{place_of_row(number, ids)}: {trouble}")


def _trouble(file: str, real: str, inside: str) -> str:
    """What is wrong with where a file lies that a row names; empty where nothing is."""
    if file.startswith("/") or (".." in file and ".." in file.split("/")):
        return f"'{file}' leaves the media root; write paths relative to it, or give --allow-outside"
    return "" if real.startswith(inside) else _leaves(file, real)


def _trouble_beside(spec: type[ModalitySpec], cell: str, root: Path, followed: Followed, inside: str) -> str:
    """What is wrong with where files lie that a cell stands for without naming them.

    They are listed only where one of their folders, or a symbolic link in it, may lead out.
    """
    folders = [followed.folder(folder) for folder in spec.folders_of(cell)]
    if all(f"{real}/".startswith(inside) and not links for real, links in folders):
        return ""
    resolved = {file: followed.file(file) for file in spec.unnamed_files(cell, root)}
    leaving = [(file, real) for file, real in resolved.items() if not real.startswith(inside)]
    more = f" (so do {len(leaving) - 1} more files of its folder)" if len(leaving) > 1 else ""
    return _leaves(*leaving[0], more) if leaving else ""


def _leaves(file: str, real: str, more: str = "") -> str:
    return (
        f"'{file}' leaves the media root by a symbolic link, to {real}{more}; copy what it leads to, or give "
        "--allow-outside"
    )
