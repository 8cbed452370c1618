"""A directory whose `manifest.json` is written last: without the manifest it does not exist.

The manifest holds the size, SHA-256 and CRC-32 of every other file, whatever the writer wants to say of them, and a
checksum of itself. Readers need no locks; a crash leaves only files that are never read.
"""

import hashlib
import json
import os
import zlib
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from raymm.errors import DataError, Problems, RaymmError
from raymm.storage.atomic import write_json
from raymm.storage.layout import MANIFEST
from raymm.storage.records import check_shape, parse_json

__all__ = [
    "CHANGED",
    "MANIFEST",
    "commit_directory",
    "differs",
    "is_committed",
    "parse_manifest",
    "read_manifest",
    "sha256_of",
    "trouble_with",
    "verify",
    "write_manifest",
]

REMEDY = "bring back a good copy of the folder, or write it again"

CHANGED = "was changed after it was written (its checksum differs)"

CHUNK = 1_048_576
"""Bytes that are read at a time."""


def _inside(name: str) -> str:
    path = PurePosixPath(name)
    if not name or path.is_absolute() or ".." in path.parts or "\0" in name:
        raise ValueError("leaves the folder")
    return name


class _Entry(BaseModel):
    model_config = ConfigDict(strict=True)

    bytes: int = Field(ge=0)
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    crc32: int | None = Field(default=None, ge=0)


class _Manifest(BaseModel):
    files: dict[Annotated[str, AfterValidator(_inside)], _Entry]
    checksum: str | None = None


def commit_directory(directory: Path, about: dict[str, Any], without: Collection[str] = ()) -> dict[str, Any]:
    """Flush the files in `directory` and write the manifest over them, which makes it exist; return it.

    Parameters
    ----------
    about
        What else the manifest says.
    without
        Names of folders directly in `directory` whose files are not part of it.
    """
    names = sorted(path.relative_to(directory) for path in directory.rglob("*") if path.is_file())
    files = {
        name.as_posix(): _entry(directory / name)
        for name in names
        if name.as_posix() != MANIFEST and not name.name.startswith(".") and name.parts[0] not in without
    }
    return write_manifest(directory, about, files)


def write_manifest(directory: Path, about: Mapping[str, Any], files: Mapping[str, Any]) -> dict[str, Any]:
    """Write the manifest of files that have reached the disk, of which another one has said size and checksums."""
    manifest = {**about, "files": files}
    manifest["checksum"] = _checksum(manifest)
    write_json(directory / MANIFEST, manifest)
    return manifest


def is_committed(directory: Path) -> bool:
    """Whether `directory` was committed (its content may still be damaged: see `verify`)."""
    return (directory / MANIFEST).is_file()


def read_manifest(directory: Path, error: type[RaymmError] = DataError) -> dict[str, Any]:
    """Read the manifest of a committed directory.

    Raises
    ------
    error
        When there is no manifest, it holds no list of files, or it was changed after it was written.
    """
    path = directory / MANIFEST
    try:
        content = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        raise error(f"{directory}: no {MANIFEST} there, so it was never finished or is another folder") from None
    except OSError as cause:
        raise error(f"{path}: cannot be read ({cause.strerror or cause}); {REMEDY}") from cause
    return parse_manifest(content, path, error)


def parse_manifest(content: bytes, where: object, error: type[RaymmError] = DataError) -> dict[str, Any]:
    """The same from the content of a manifest, at `where`."""
    values = parse_json(content, where, error, REMEDY)
    found = check_shape(_Manifest, values, where, error, REMEDY)
    if found.checksum is not None and found.checksum != _checksum(values):
        raise error(f"{where}: was changed after it was written (its checksum differs); {REMEDY}")
    return values


def verify(
    directory: Path,
    error: type[RaymmError] = DataError,
    names: Iterable[str] | None = None,
    required: Iterable[str] = (),
) -> dict[str, Any]:
    """Check the size and SHA-256 of files of a committed directory, and return the manifest.

    Parameters
    ----------
    names
        The files to check; default: all that the manifest names.
    required
        Files that the manifest must name.

    Raises
    ------
    error
        Naming every file that is missing, of another size, or changed.
    """
    manifest = read_manifest(directory, error)
    files = manifest["files"]
    checked = list(files if names is None else names)
    problems = Problems(str(directory))
    for name in dict.fromkeys([*checked, *required]):
        if name not in files:
            problems.add(f"{name} is not in {MANIFEST}")
        elif name in checked and (trouble := trouble_with(directory / name, files[name])):
            problems.add(f"{name} {trouble}")
    problems.raise_if_any(error, note=REMEDY)
    return manifest


def trouble_with(path: Path, entry: dict[str, Any]) -> str:
    """How a file differs from its entry in the manifest, in words that follow its name; empty when it does not."""
    try:
        if not path.is_file():
            return "is missing"
        size = path.stat().st_size
        if size != entry["bytes"]:
            return f"has {size} bytes, {entry['bytes']} were written"
        return "" if sha256_of(path) == entry["sha256"] else CHANGED
    except OSError as cause:
        return f"cannot be read ({cause.strerror or cause})"


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def differs(content: Any, entry: Mapping[str, Any]) -> bool:
    """Whether the content of a file (bytes, or a buffer) is another than its entry in the manifest says.

    The CRC-32 is compared, which finds what happens to files by accident and takes a fraction of the time of a
    SHA-256; manifests of version 0.1.0 have the SHA-256 alone.
    """
    if entry.get("crc32") is None:
        return hashlib.sha256(content).hexdigest() != entry["sha256"]
    return zlib.crc32(content) != entry["crc32"]


def _entry(path: Path) -> dict[str, Any]:
    """Size and checksums of a file, after its content has reached the disk."""
    size, crc32, sha256 = 0, 0, hashlib.sha256()
    with path.open("rb") as file:
        os.fsync(file.fileno())
        while content := file.read(CHUNK):
            size, crc32 = size + len(content), zlib.crc32(content, crc32)
            sha256.update(content)
    return {"bytes": size, "sha256": sha256.hexdigest(), "crc32": crc32}


def _checksum(manifest: dict[str, Any]) -> str:
    """The SHA-256 over all of a manifest but its checksum, whatever the order of its keys."""
    rest = {key: value for key, value in manifest.items() if key != "checksum"}
    return hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()
