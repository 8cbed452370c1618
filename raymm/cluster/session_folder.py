"""The temporary folder of a local Ray: removed at the end, and by the next one where its process was killed.

The process that makes a folder locks a file in it. The lock (`flock`) ends with the process, however that ends, so a
folder whose file can be locked has no owner any more.
"""

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

__all__ = ["session_folder"]

PREFIX = "raymm-"

OWNED = ".owned"
"""The file that the owner of a folder locks."""

LONGEST = 25
"""Ray puts sockets some 75 characters below its folder, and a socket's path may have 103 (macOS) to 107."""

REMOVAL_SECONDS = 10.0
"""Longest wait for the end of the processes that still write there."""


@contextmanager
def session_folder() -> Iterator[Path]:
    """A new temporary folder for the block; those that killed processes of this user left behind are removed."""
    place = _short_place()
    _remove_abandoned(place)
    folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))
    handle = _lock(folder / OWNED, os.O_CREAT)
    try:
        yield folder
    finally:
        _remove(folder)
        if handle is not None:
            os.close(handle)


def _short_place() -> Path:
    """Where the folder goes: the system's place for temporary files, unless its path is too long."""
    usual = tempfile.gettempdir()
    return Path(usual if len(usual) <= LONGEST else "/tmp")  # noqa: S108


def _remove_abandoned(place: Path) -> None:
    for folder in place.glob(f"{PREFIX}*"):
        with suppress(OSError):
            if folder.is_symlink() or folder.stat().st_uid != os.getuid():
                continue
            handle = _lock(folder / OWNED)
            if handle is not None:
                shutil.rmtree(folder, ignore_errors=True)
                os.close(handle)


def _lock(file: Path, create: int = 0) -> int | None:
    """The descriptor of a file that is now locked; None where there is none, or where somebody else holds it."""
    try:
        handle = os.open(file, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | create, 0o600)
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(handle)
        return None
    return handle


def _remove(folder: Path) -> None:
    end = time.monotonic() + REMOVAL_SECONDS
    while folder.exists() and time.monotonic() < end:
        shutil.rmtree(folder, ignore_errors=True)
        if folder.exists():
            time.sleep(0.2)
