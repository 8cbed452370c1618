"""Committed folders on another file system: an object store, or a drive, through pyarrow.

The rule of `raymm.storage.directory` holds on both sides: the manifest is removed before files change and is written
after them, so a half-copied folder counts as absent. Files whose size and SHA-256 stand in the target's manifest are
not copied again. `push` and `pull` are one function with source and target exchanged.

The file system finds credentials by itself: in the environment, a profile, or the role of the machine.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pyarrow.fs import FileSelector, FileSystem, FileType, LocalFileSystem, copy_files

from raymm.errors import ConfigError, DataError
from raymm.storage.atomic import write_bytes
from raymm.storage.directory import parse_manifest
from raymm.storage.layout import MANIFEST

__all__ = [
    "RemotePath",
    "committed",
    "delete",
    "files_below",
    "folders",
    "join_uri",
    "pull",
    "push",
    "remote_path",
]


PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
"""One that begins no escaped letter."""


@dataclass(frozen=True)
class RemotePath:
    """A folder or file on any file system of pyarrow; `path / "name"` is below it."""

    system: FileSystem
    path: str

    def __truediv__(self, name: str) -> "RemotePath":
        return RemotePath(self.system, f"{self.path.rstrip('/')}/{name}")

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
        """Write a file, and the folders above it. A reader sees the whole file or none, as in an object store."""
        if self.system.type_name == "local":
            write_bytes(Path(self.path), content)
            return
        self.system.create_dir(self.path.rpartition("/")[0], recursive=True)
        with self.system.open_output_stream(self.path) as stream:
            stream.write(content)

    def remove(self) -> None:
        """Delete a file; nothing happens when there is none."""
        (info,) = self.system.get_file_info([self.path])
        if info.type == FileType.File:
            self.system.delete_file(self.path)


def join_uri(uri: str, name: str) -> str:
    """The URI of a file or folder below another URI; options of the file system stay at the end.

    >>> join_uri("s3://bucket/runs?scheme=http", "a/b")
    's3://bucket/runs/a/b?scheme=http'
    """
    path, mark, options = uri.partition("?") if "://" in uri else (uri, "", "")
    return f"{path.rstrip('/')}/{name}{mark}{options}"


def remote_path(uri: str) -> RemotePath:
    """Open a URI as a path on its file system.

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
    if "://" in uri and "#" in uri.partition("?")[0]:
        place = uri.partition("?")[0]
        raise ConfigError(f"{place}: in an address # begins something else; {_as_address(place)}")
    try:
        return RemotePath(*FileSystem.from_uri(uri))
    except ValueError as cause:
        place = uri.partition("?")[0]  # options may hold what nobody else should read
        words = str(cause).replace(uri, place)
        give = _as_address(place) or "give s3://bucket/prefix, gs://bucket/prefix or an absolute path"
        raise ConfigError(f"{place}: {words}; {give}") from cause


def _as_address(place: str) -> str:
    """How a place is written as an address, where it has letters that may not stand in one; empty where it has none.

    >>> _as_address("file:///tmp/with space"), _as_address("s3://bucket/a")
    ('write it as file:///tmp/with%20space, or as the plain path /tmp/with space', '')
    """
    scheme, mark, path = place.partition("://")
    escaped = quote(PERCENT.sub("%25", path), safe="/:@!$&'()*+,;=%-._~")
    if not mark or escaped == path:
        return ""
    plain = f", or as the plain path {path}" if scheme == "file" else ""
    return f"write it as {scheme}://{escaped}{plain}"


def push(folder: Path, there: RemotePath) -> list[str]:
    """Copy the committed `folder` to `there`; returns the names of the files that had to be sent.

    Raises
    ------
    DataError
        When `folder` is not committed.
    FileNotFoundError
        When a file disappeared while it was copied; nothing is then committed there.
    OSError
        As the file system gives it.
    """
    return _copy(_local(folder), there)


def pull(there: RemotePath, folder: Path) -> list[str]:
    """Copy the folder that is committed at `there` to `folder`; the opposite of `push`, with the same errors."""
    return _copy(there, _local(folder))


def folders(there: RemotePath) -> list[str]:
    """Names of the folders directly below a path, in order; empty when the path does not exist."""
    selector = FileSelector(there.path, allow_not_found=True)
    infos = there.system.get_file_info(selector)
    return sorted(info.base_name for info in infos if info.type == FileType.Directory)


def files_below(there: RemotePath) -> list[str]:
    """Names of all files below a path, those in its folders as "folder/name", in order; empty where there is none."""
    selector = FileSelector(there.path, allow_not_found=True, recursive=True)
    infos = [info for info in there.system.get_file_info(selector) if info.type == FileType.File]
    return sorted(info.path[len(there.path.rstrip("/")) + 1 :] for info in infos)


def committed(there: RemotePath) -> list[str]:
    """Names of the committed folders directly below a path, in order; empty when the path does not exist."""
    names = folders(there)
    manifests = [(there / name / MANIFEST).path for name in names]
    found = there.system.get_file_info(manifests) if manifests else []
    return [name for name, info in zip(names, found, strict=True) if info.type == FileType.File]


def delete(there: RemotePath) -> None:
    """Delete a folder, committed or not, the manifest before the files; nothing happens when there is none."""
    manifest, folder = there.system.get_file_info([(there / MANIFEST).path, there.path])
    if manifest.type == FileType.File:
        _remove_manifest(there)
    if folder.type == FileType.Directory:
        there.system.delete_dir(there.path)


def _copy(source: RemotePath, target: RemotePath) -> list[str]:
    wanted = (source / MANIFEST).read()
    if wanted is None:
        raise DataError(f"{source}: no {MANIFEST} there, so it was never finished or is another folder")
    files = parse_manifest(wanted, source / MANIFEST)["files"]
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


def _copy_file(source: RemotePath, target: RemotePath) -> None:
    target.system.create_dir(target.path.rpartition("/")[0], recursive=True)
    copy_files(source.path, target.path, source_filesystem=source.system, destination_filesystem=target.system)


def _remove_manifest(there: RemotePath) -> None:
    there.system.delete_file((there / MANIFEST).path)


def _files(manifest: bytes) -> dict[str, Any] | None:
    """Size and SHA-256 of each file; None for a damaged manifest, such as one that was written only in part."""
    try:
        files: dict[str, Any] = parse_manifest(manifest, MANIFEST)["files"]
    except DataError:
        return None
    return files


def _local(folder: Path) -> RemotePath:
    return RemotePath(LocalFileSystem(), folder.absolute().as_posix())
