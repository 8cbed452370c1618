"""One writer for a folder or a file; the second is told who the first is.

The lock is the kernel's (`flock`), so it ends with its process, however that ends. The lock file says who holds it,
for people, and is removed at the end; one that was left behind, or was copied with its folder, locks nothing.

Some network file systems lock within one machine only, or not at all. So a lock file that another machine left is
watched before it is taken over: a holder that lives touches its file every few seconds. No two clocks are compared.
"""

import errno
import fcntl
import json
import logging
import os
import platform
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

from raymm.errors import DataError, LockedError
from raymm.storage.atomic import naming
from raymm.storage.records import parse_json

__all__ = ["PATIENCE", "Owner", "writing"]

log = logging.getLogger(__name__)

BEAT = 5.0
"""Seconds between two signs of life of a holder."""

WATCHED = 20.0
"""Seconds without a sign of life after which a holder on another machine counts as dead."""

POLL = 0.2

PATIENCE = 30.0
"""Seconds to wait for a process that trained a run before, and has not ended yet."""

SINCE = "%Y-%m-%d %H:%M:%S UTC"
"""How a lock file says when it was taken."""

NO_LOCKS = {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL}
"""What file systems without locks answer."""

_held: ContextVar[frozenset[Path]] = ContextVar("_held", default=frozenset())


@dataclass(frozen=True)
class Owner:
    """Who holds a lock: machine (its name, and what identifies its present start), process, time, and the file."""

    host: str
    boot: str
    pid: int
    since: str
    inode: int

    @classmethod
    def read(cls, content: bytes) -> Self | None:
        """Who wrote a lock file; None where it is of another form, as one that is just being written."""
        try:
            owner = cls(**parse_json(content, "a lock file"))
        except (DataError, TypeError):
            return None
        return owner if isinstance(owner.pid, int) and isinstance(owner.since, str) else None

    @property
    def began(self) -> float | None:
        """When it began to hold the lock, in seconds since 1970; None where `since` is no such time."""
        try:
            return datetime.strptime(self.since, SINCE).replace(tzinfo=UTC).timestamp()
        except ValueError:
            return None

    def is_here(self) -> bool:
        """Whether it is a process of this machine, also of another container on it or of an earlier start."""
        return self.host == platform.node() or (bool(self.boot) and self.boot == _boot())

    def __str__(self) -> str:
        where = "this machine" if self.is_here() else f"the machine {self.host}"
        return f"process {self.pid} on {where} ({self.host}) since {self.since}"


@contextmanager
def writing(file: Path, what: str, patience: float = 0.0) -> Iterator[None]:
    """Hold the lock `file` for the block; a call within such a block holds it already.

    Parameters
    ----------
    file
        The lock file, see `raymm.storage.layout`; its folder is made, and removed again if it stays empty.
    what
        What is written, as it is called in an error: "the run runs/sample".
    patience
        Seconds to wait for somebody else's end.

    Raises
    ------
    LockedError
        When somebody else holds it, saying who.
    OSError
        When the folder cannot be made or written.
    """
    place = Path(os.path.realpath(file.parent)) / file.name
    if place in _held.get():
        yield
        return
    made = [folder for folder in (place.parent, *place.parent.parents) if not folder.exists()]
    try:
        handle = _acquire(place, what, patience)
        stop = threading.Event()
        threading.Thread(target=_beat, args=(handle, stop), name="raymm-lock", daemon=True).start()
        token = _held.set(_held.get() | {place})
        try:
            yield
        finally:
            _held.reset(token)
            stop.set()
            _release(place, handle)
    finally:
        for folder in made:
            with suppress(OSError):  # it is not empty
                folder.rmdir()


def _acquire(file: Path, what: str, patience: float) -> int:
    """The descriptor of the lock file, locked, once this process is its owner."""
    end = time.monotonic() + patience
    while True:
        handle = _open(file)
        try:
            locked = _flock(handle)
            owner = _owner_in(handle)
            if locked is False:
                _refuse_or_wait(owner, what, file, end)
            elif _is_at(file, handle):  # else the holder has just removed it
                _refuse_if_alive(owner, what, file, handle, locked)
                _become_owner(file, handle)
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)


def _open(file: Path, attempts: int = 100) -> int:
    """Open the lock file, whose folder somebody else may be removing."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        return os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    except (FileNotFoundError, FileExistsError):  # mkdir says that it exists, and then it is gone
        if not attempts:
            raise
        return _open(file, attempts - 1)
    except OSError as cause:
        cause.filename = str(file.parent)  # it is the folder that cannot be written
        raise


def _release(file: Path, handle: int) -> None:
    with suppress(OSError):
        if _is_at(file, handle):
            file.unlink()
    os.close(handle)


def _flock(handle: int) -> bool | None:
    """Whether this process holds the kernel's lock now; None where the file system has no locks."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as cause:
        if cause.errno in NO_LOCKS:
            return None
        raise
    return True


def _refuse_or_wait(owner: Owner | None, what: str, file: Path, end: float) -> None:
    if time.monotonic() >= end:
        raise LockedError(f"{what} is in use by {owner or 'another process'}; {_advice(owner, file)}")
    time.sleep(POLL)


def _advice(owner: Owner | None, file: Path) -> str:
    if owner is not None and owner.is_here():
        return f"wait for its end, or end it (kill {owner.pid}), and repeat the command"
    return f"wait for its end, or end it there, and repeat the command; if it does not live any more, delete {file}"


def _refuse_if_alive(owner: Owner | None, what: str, file: Path, handle: int, locked: bool | None) -> None:
    """Where the kernel's lock proves nothing, refuse when the owner in the file gives a sign of life."""
    if owner is None or owner.inode != os.fstat(handle).st_ino or (locked and owner.is_here()):
        return
    log.warning("%s was left by %s; watching it for %.0f s for a sign of life", file, owner, WATCHED)
    before, end = _sign(file), time.monotonic() + WATCHED
    while time.monotonic() < end:
        time.sleep(POLL)
        if _sign(file) not in {before, None}:
            raise LockedError(f"{what} is in use by {owner}; {_advice(owner, file)}")


def _sign(file: Path) -> int | None:
    """The time of a lock file; opened for it, since network file systems look at the server only then."""
    try:
        with file.open("rb") as opened:
            return os.fstat(opened.fileno()).st_mtime_ns
    except FileNotFoundError:
        return None


def _beat(handle: int, stop: threading.Event) -> None:
    while not stop.wait(BEAT):
        with suppress(OSError):
            os.utime(handle)


def _is_at(file: Path, handle: int) -> bool:
    """Whether the path still leads to the opened file."""
    try:
        return os.path.samestat(file.stat(), os.fstat(handle))
    except FileNotFoundError:
        return False


def _owner_in(handle: int) -> Owner | None:
    """Who wrote the lock file last; None for an empty or damaged one."""
    return Owner.read(os.pread(handle, 4096, 0))


def _become_owner(file: Path, handle: int) -> None:
    """Write this process into the lock file; one that cannot be written, as on a full disk, does not stay."""
    try:
        with naming(file):
            _write_owner(handle)
    except OSError:
        file.unlink(missing_ok=True)
        raise


def _write_owner(handle: int) -> None:
    since = f"{datetime.now(UTC):{SINCE}}"
    owner = Owner(platform.node(), _boot(), os.getpid(), since, os.fstat(handle).st_ino)
    os.ftruncate(handle, 0)
    os.pwrite(handle, (json.dumps(asdict(owner)) + "\n").encode(), 0)


def _boot() -> str:
    """What identifies the present start of this machine, the same in its containers; empty where there is nothing."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""
