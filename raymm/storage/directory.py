"""A directory whose `manifest.json` is written last: without the manifest it does not exist.

The manifest holds the size and SHA-256 of every other file, and whatever the writer wants to say of them.
Readers need no locks; a crash leaves only files that are never read.
"""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from raymm.errors import DataError, Problems, RaymmError
from raymm.storage.atomic import write_json
from raymm.storage.layout import MANIFEST

__all__ = ["MANIFEST", "commit_directory", "is_committed", "read_manifest", "sha256_of", "verify"]


def commit_directory(directory: Path, about: dict[str, Any]) -> dict[str, Any]:
    """Flush the files in `directory` and write the manifest over them, which makes it exist; return it."""
    files = {
        path.relative_to(directory).as_posix(): {
            "bytes": path.stat().st_size,
            "sha256": sha256_of(path, flush=True),
        }
        for path in sorted(directory.rglob("*"))
        if path.is_file() and path.name != MANIFEST and not path.name.startswith(".")
    }
    manifest = {**about, "files": files}
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
        When there is no manifest, or it is not JSON.
    """
    path = directory / MANIFEST
    try:
        content = json.loads(path.read_text())
    except FileNotFoundError:
        raise error(f"{directory}: no {MANIFEST} there, so it was never finished or is another folder") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as cause:
        raise error(f"{path}: not readable as JSON ({cause}); write it again") from cause
    if not isinstance(content, dict) or not isinstance(content.get("files"), dict):
        raise error(f"{path}: holds no list of files; write it again")
    return content


def verify(directory: Path, error: type[RaymmError] = DataError) -> dict[str, Any]:
    """Check the size and SHA-256 of every file of the manifest, and return the manifest.

    Raises
    ------
    error
        Naming every file that is missing, of another size, or changed.
    """
    manifest = read_manifest(directory, error)
    problems = Problems(str(directory))
    for name, entry in manifest["files"].items():
        path = directory / name
        if not path.is_file():
            problems.add(f"{name} is missing")
        elif path.stat().st_size != entry["bytes"]:
            problems.add(f"{name} has {path.stat().st_size} bytes, {entry['bytes']} were written")
        elif sha256_of(path) != entry["sha256"]:
            problems.add(f"{name} was changed after it was written (SHA-256 differs)")
    problems.raise_if_any(error)
    return manifest


def sha256_of(path: Path, flush: bool = False) -> str:
    """The SHA-256 of a file, in hex; with `flush`, after its content has reached the disk."""
    with path.open("rb") as file:
        if flush:
            os.fsync(file.fileno())
        return hashlib.file_digest(file, "sha256").hexdigest()
