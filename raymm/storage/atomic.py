"""Write to a temporary name, flush to the disk, rename: a reader sees the old file or the new one."""

import errno
import glob
import json
import os
import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = [
    "atomic_path",
    "fsync_directory",
    "is_unfinished",
    "naming",
    "remove_unfinished",
    "require_writable",
    "write_bytes",
    "write_json",
]

UNFINISHED = re.compile(r"\..+\.[a-z0-9_]{8}\.tmp")
"""The temporary names of `atomic_path`."""


@contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; it replaces `path` when the block ends without an error.

    Raises
    ------
    OSError
        As the file system gives it, for example when the disk is full, naming `path`, which is then untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    os.close(handle)
    temporary = Path(name)
    try:
        with naming(path):
            yield temporary
            with temporary.open("rb+") as file:
                os.fsync(file.fileno())
            temporary.chmod(0o644)
            if path.is_dir():  # what the system says of a rename names the temporary file first
                raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
            temporary.replace(path)
            fsync_directory(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Name the file in an `OSError` of the block that names none, as that of a write to a full disk."""
    try:
        yield
    except OSError as cause:
        if cause.filename is None and cause.errno is not None:
            cause.filename = str(path)
        raise


def write_bytes(path: Path, content: bytes) -> None:
    """Write `content` to `path` atomically."""
    with atomic_path(path) as temporary:
        temporary.write_bytes(content)


def write_json(path: Path, value: object) -> None:
    """Write `value` as indented JSON to `path` atomically; NaN and infinity are refused."""
    text = json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False)
    write_bytes(path, (text + "\n").encode())


def fsync_directory(path: Path) -> None:
    """Make renames in `path` durable."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def require_writable(folder: Path) -> None:
    """Make a folder and try to write into it, before work is done whose outcome goes there.

    Raises
    ------
    OSError
        As the file system gives it, naming the folder.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            file.write(b"1")
    except OSError as cause:
        cause.filename = cause.filename2 = None
        with naming(folder):
            raise


def is_unfinished(path: Path) -> bool:
    """Whether the name of a file is a temporary one of `atomic_path`."""
    return UNFINISHED.fullmatch(path.name) is not None


def remove_unfinished(path: Path) -> None:
    """Delete what `atomic_path` left of a file, or below a folder, when its process was killed.

    Only for whoever holds the lock: the file that another process is just writing is such a file, too.
    """
    beside = path.parent.glob(f".{glob.escape(path.name)}.*.tmp")
    below = (Path(folder) / name for folder, _, names in os.walk(path) for name in names)
    for file in (*beside, *below):
        if is_unfinished(file):
            file.unlink(missing_ok=True)
