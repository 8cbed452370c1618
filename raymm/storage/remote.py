"""Committed folders on another file system: an object store, or a drive, through pyarrow.

The rule of `raymm.storage.directory` holds on both sides. The manifest is taken away before files change and comes
back after them, so a half-copied folder does not exist; files whose size and SHA-256 the other manifest already
names stay where they are. Sending and fetching are one function with its sides exchanged.

Credentials are those that the file system finds by itself: environment, profile, or the machine's role.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyarrow.fs import FileSelector, FileSystem, FileType, LocalFileSystem, copy_files

from raymm.errors import ConfigError, DataError
from raymm.storage.atomic import write_bytes
from raymm.storage.layout import MANIFEST

__all__ = ["Place", "below", "committed", "drop", "files", "folders", "place", "pull", "push"]


@dataclass(frozen=True)
class Place:
    """A folder or file on a file system; `place / "name"` is below it."""

    system: FileSystem
    path: str

    def __truediv__(self, name: str) -> "Place":
        return Place(self.system, f"{self.path.rstrip('/')}/{name}")

    def __str__(self) -> str:
        return f"{self.system.type_name}:{self.path}"

    def read(self) -> bytes | None:
        """The content of a file, or None when there is none."""
        try:
            with self.system.open_input_stream(self.path) as stream:
                return bytes(stream.read())
        except FileNotFoundError:
            return None

    def write(self, content: bytes) -> None:
        """Write a file, with the folders above it; it is whole or not there, as object stores have it."""
        if self.system.type_name == "local":
            write_bytes(Path(self.path), content)
            return
        self.system.create_dir(self.path.rpartition("/")[0], recursive=True)
        with self.system.open_output_stream(self.path) as stream:
            stream.write(content)

    def remove(self) -> None:
        """Delete a file, also one that is not there."""
        (info,) = self.system.get_file_info([self.path])
        if info.type == FileType.File:
            self.system.delete_file(self.path)


def below(uri: str, name: str) -> str:
    """The URI of what lies below another; options of the file system stay at the end.

    >>> below("s3://bucket/runs?scheme=http", "a/b")
    's3://bucket/runs/a/b?scheme=http'
    """
    path, mark, options = uri.partition("?") if "://" in uri else (uri, "", "")
    return f"{path.rstrip('/')}/{name}{mark}{options}"


def place(uri: str) -> Place:
    """Find the file system of a URI.

    Parameters
    ----------
    uri
        "s3://bucket/prefix", "gs://bucket/prefix", ..., or an absolute path. Options of the file system follow a
        question mark, for example "s3://bucket/prefix?endpoint_override=minio:9000&scheme=http".

    Raises
    ------
    ConfigError
        When pyarrow knows no such file system.
    """
    try:
        return Place(*FileSystem.from_uri(uri))
    except ValueError as cause:
        raise ConfigError(
            f"{uri}: {cause}; give s3://bucket/prefix, gs://bucket/prefix or an absolute path"
        ) from cause


def push(folder: Path, there: Place) -> list[str]:
    """Make `there` hold the committed `folder`; returns the names of the files that had to be sent.

    Raises
    ------
    DataError
        When `folder` is not committed.
    FileNotFoundError
        When a file went away meanwhile; nothing is then committed there.
    OSError
        As the file system gives it.
    """
    return _copy(_local(folder), there)


def pull(there: Place, folder: Path) -> list[str]:
    """Make `folder` hold what is committed `there`; the other direction of `push`, with the same errors."""
    return _copy(there, _local(folder))


def folders(there: Place) -> list[str]:
    """Names of the folders directly below a place, in order; empty when it is not there."""
    selector = FileSelector(there.path, allow_not_found=True)
    infos = there.system.get_file_info(selector)
    return sorted(info.base_name for info in infos if info.type == FileType.Directory)


def files(there: Place) -> list[str]:
    """Names of the files directly below a place, in order; empty when it is not there."""
    selector = FileSelector(there.path, allow_not_found=True)
    infos = there.system.get_file_info(selector)
    return sorted(info.base_name for info in infos if info.type == FileType.File)


def committed(there: Place) -> list[str]:
    """Names of the committed folders directly below a place, in order; empty when it is not there."""
    names = folders(there)
    manifests = [(there / name / MANIFEST).path for name in names]
    found = there.system.get_file_info(manifests) if manifests else []
    return [name for name, info in zip(names, found, strict=True) if info.type == FileType.File]


def drop(there: Place) -> None:
    """Remove a folder, also one that was cut off or is not there; its manifest goes before its files."""
    manifest, folder = there.system.get_file_info([(there / MANIFEST).path, there.path])
    if manifest.type == FileType.File:
        _remove_manifest(there)
    if folder.type == FileType.Directory:
        there.system.delete_dir(there.path)


def _copy(source: Place, target: Place) -> list[str]:
    wanted = (source / MANIFEST).read()
    if wanted is None:
        raise DataError(f"{source}: no {MANIFEST} there, so it was never finished or is another folder")
    files = _files(wanted)
    if files is None:
        raise DataError(f"{source / MANIFEST}: holds no list of files; write the folder again")
    present = (target / MANIFEST).read()
    if present == wanted:
        return []
    known = _files(present or b"") or {}
    names = [name for name, entry in files.items() if known.get(name) != entry]
    if present is not None:
        _remove_manifest(target)
    for name in names:
        _copy_file(source / name, target / name)
    for name in known.keys() - files.keys():
        target.system.delete_file((target / name).path)
    (target / MANIFEST).write(wanted)
    return names


def _copy_file(source: Place, target: Place) -> None:
    target.system.create_dir(target.path.rpartition("/")[0], recursive=True)
    copy_files(source.path, target.path, source_filesystem=source.system, destination_filesystem=target.system)


def _remove_manifest(there: Place) -> None:
    there.system.delete_file((there / MANIFEST).path)


def _files(manifest: bytes) -> dict[str, Any] | None:
    """Size and SHA-256 of each file; None where a manifest is damaged, as one that was cut off on a plain drive."""
    try:
        files: dict[str, Any] = json.loads(manifest)["files"]
    except (ValueError, KeyError, TypeError):
        return None
    return files


def _local(folder: Path) -> Place:
    return Place(LocalFileSystem(), folder.absolute().as_posix())
