"""What a lock file says to somebody who only looks: who holds it, and whether the holder lives.

Looking takes no lock: a process that was just starting would be refused. So what is known is what the holder wrote,
whether its process lives on this machine, and when it last touched its file, as it does every few seconds.
"""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from raymm.storage.layout import lock_of_folder
from raymm.storage.lock import WATCHED, Owner

__all__ = ["LockState", "left_since", "lock_state"]


CLOCKS = 60.0
"""Seconds by which the time of a lock and that of a process may differ, where the clock was set in between."""


@dataclass(frozen=True)
class LockState:
    """What is known of the holder of a lock file that is there.

    Attributes
    ----------
    state
        "held"; "silent" where its process is there and gives no sign of life; "left" where nobody holds it any more.
    owner
        Who wrote the file; None where that cannot be read.
    seen
        When the holder last gave a sign of life, in seconds of the clock of the file system.
    """

    state: Literal["held", "silent", "left"]
    owner: Owner | None
    seen: float


def lock_state(file: Path) -> LockState | None:
    """Who holds a lock file; None where there is none."""
    try:
        with file.open("rb") as opened:
            about, content = os.fstat(opened.fileno()), opened.read(4096)
    except OSError:
        return None
    fresh = time.time() - about.st_mtime <= WATCHED
    owner = Owner.read(content)
    if owner is None:
        return LockState("held" if fresh else "left", None, about.st_mtime)
    if owner.inode != about.st_ino:  # a copy of the file, which locks nothing
        return LockState("left", owner, about.st_mtime)
    if owner.host == platform.node() and not _lives(owner):
        return LockState("left", owner, about.st_mtime)
    silent: Literal["silent", "left"] = "silent" if owner.host == platform.node() else "left"
    return LockState("held" if fresh else silent, owner, about.st_mtime)


def left_since(folder: Path) -> float | None:
    """When the last holder of a folder's lock gave its last sign of life, where it surely lives no more.

    Locks of the folders around it count too: of a study or sweep, whose process works on the run as well. Containers
    may share a name and not see each other's processes, so a holder also has to be silent for as long as `WATCHED`.

    Returns
    -------
    Seconds of the clock of the file system; None where there is no lock, or some holder may live, be it on another
    machine.
    """
    places = [folder.absolute(), *folder.absolute().parents]
    states = [state for place in places if (state := lock_state(lock_of_folder(place))) is not None]
    surely = all(state.state == "left" and _was_here(state) for state in states)
    return max(state.seen for state in states) if states and surely else None


def _was_here(state: LockState) -> bool:
    """Whether the holder was a process of this machine, and gave no sign of life for long."""
    here = state.owner is not None and state.owner.host == platform.node()
    return here and time.time() - state.seen > WATCHED


def _lives(owner: Owner) -> bool:
    """Whether a process of this machine lives, and is no later one that got the same number."""
    try:
        os.kill(owner.pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        pass
    began, since = _began(owner.pid), owner.began
    return began is None or since is None or began <= since + CLOCKS


def _began(pid: int) -> float | None:
    """When a process began, in seconds since 1970; None where the system does not say."""
    try:
        ticks = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
        lines = Path("/proc/stat").read_text().splitlines()
        booted = next(int(line.split()[1]) for line in lines if line.startswith("btime "))
    except (OSError, ValueError, IndexError, StopIteration):
        return None
    return booted + ticks / os.sysconf("SC_CLK_TCK")
