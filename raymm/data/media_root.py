"""Files that a media root does not hold; where it holds none, that is said once, with the folder that was meant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from raymm.data.kinds.base import ModalitySpec, kind_of
from raymm.data.media.root import Archive, MediaRoot
from raymm.data.quarantine import BadValue
from raymm.errors import DataError

if TYPE_CHECKING:
    from raymm.data.manifest import Kinds
    from raymm.data.record import Record

__all__ = ["file_size", "files_of", "folder_in_words", "missing_files", "require_some_media"]

TRIED = 500
"""Folders that are looked into for the files."""

FEW = 20
"""Files that are looked for in each of them."""


def files_of(records: Sequence[Record], kinds: Kinds) -> list[str]:
    """Files that records name, relative to the media root, each once."""
    specs = {name: kind_of(kind) for name, kind in kinds.items()}
    files = (spec.file_of(record.cells[name]) for record in records for name, spec in specs.items())
    return list(dict.fromkeys(file for file in files if file))


def file_size(root: MediaRoot, file: str) -> int | None:
    """Bytes of a file; None where it is not there."""
    if isinstance(root, Archive):
        return root.size(file)
    path = root / file
    return path.stat().st_size if path.is_file() else None


def missing_files(
    records: Sequence[Record], specs: Mapping[str, ModalitySpec | type[ModalitySpec]], root: MediaRoot
) -> list[BadValue]:
    """Files that records name and that are not there, or empty; nothing is decoded."""
    bad = []
    for name, spec in specs.items():
        if spec.from_text if isinstance(spec, ModalitySpec) else spec.is_text:
            continue
        for record in records:
            file = "" if record.cells[name] is None else spec.file_of(record.cells[name])
            size = file_size(root, file) if file else 1
            if not size:
                trouble = _missing(root, file, spec) if size is None else "is an empty file (zero bytes)"
                bad.append(BadValue(record.sample_id, file, name, trouble))
    return bad


def _missing(root: MediaRoot, file: str, spec: ModalitySpec | type[ModalitySpec]) -> str:
    if isinstance(root, Path) and (root / file).is_dir():
        return folder_in_words(root / file, [spec])
    return f"there is no file {file}"


def folder_in_words(folder: Path, specs: Sequence[ModalitySpec | type[ModalitySpec]]) -> str:
    """What is said of a folder where a file is needed: with one of its files that a modality reads."""
    fit = (path for path in folder.iterdir() if path.is_file() and any(spec.reads(path.name) for spec in specs))
    first = min(fit, default=None)
    return f"is a folder; give the files in it{'' if first is None else f', such as {first}'}"


def require_some_media(files: Sequence[str], media_root: Path, near: Path) -> None:
    """Refuse a media root that holds none of the files; some missing files are a matter for each sample.

    Parameters
    ----------
    files
        Paths relative to the media root; may be empty.
    near
        A folder to look for them as well, such as that of the manifest.

    Raises
    ------
    DataError
        When there are files and none is there, with a folder that holds some of them, if one is near.
    """
    if not files or any((media_root / file).is_file() for file in files):
        return
    few = files[:: max(1, len(files) // FEW)]
    folders = list(islice(_folders(media_root, near), TRIED))
    best = max(folders, key=lambda folder: _held(folder, few), default=media_root)
    held = _held(best, files)
    hint = f"did you mean --media-root {best} (it holds {held} of them)?" if held else "check --media-root"
    raise DataError(
        f"none of {len(files)} files is there; the media root is {media_root}, and the first file would be "
        f"{media_root / files[0]}; {hint}"
    )


def _held(folder: Path, files: Sequence[str]) -> int:
    return sum((folder / file).is_file() for file in files)


def _folders(media_root: Path, near: Path) -> Iterator[Path]:
    """Folders in and around the media root, nearest first."""
    for start in (media_root, near, media_root.absolute().parent):
        yield start
        yield from _below(start, "*")
    for start in (media_root, near, media_root.absolute().parent):
        yield from _below(start, "*/*")


def _below(start: Path, pattern: str) -> Iterator[Path]:
    return (path for path in sorted(start.glob(pattern)) if path.is_dir())
