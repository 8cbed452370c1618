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

from raymm.storage.lock import WATCHED, Owner

__all__ = ["LockState", "lock_state"]


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
    if owner.host == platform.node() and not _lives(owner.pid):
        return LockState("left", owner, about.st_mtime)
    silent: Literal["silent", "left"] = "silent" if owner.host == platform.node() else "left"
    return LockState("held" if fresh else silent, owner, about.st_mtime)


def _lives(pid: int) -> bool:
    """Whether a process of this machine lives."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
