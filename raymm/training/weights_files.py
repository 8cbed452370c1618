"""Files of weights that encoders of a run begin with: their hashes are recorded, and a changed file is told.

A file is hashed again only where it may be another: where its size, its times or its inode are not those that it had
when it was hashed. A write changes the time of a file's inode (ctime), which no program sets; and a file that was
hashed so soon after a write that a second one could have had the same time is hashed again.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from raymm.storage.directory import sha256_of

if TYPE_CHECKING:
    from raymm.config.sections import Config

__all__ = ["Looks", "hashes_of_weights", "say_changed_weights"]

log = logging.getLogger(__name__)

SETTLED_NS = 2_000_000_000
"""A file that was not written for so long before it was hashed: file systems tell times to two seconds at worst."""

Looks = dict[str, list[int]]
"""By path of a file, its size, times and inode when it was hashed."""


def hashes_of_weights(config: Config) -> tuple[dict[str, str], Looks]:
    """SHA-256 of each file of weights that the settings name and that is there, by its path in them; and looks."""
    chosen = [config.model.encoder, *config.model.encoders.values()]
    named = {str(one.raw["weights"]) for one in chosen if one.raw.get("weights")}
    hashes: dict[str, str] = {}
    looks: Looks = {}
    for name in sorted(named):
        if Path(name).is_file():
            hashes[name] = _hash(name, looks)
    return hashes, looks


def say_changed_weights(run: Path, recorded: Mapping[str, str], looks: Mapping[str, list[int]]) -> Looks:
    """Say which files are others now than when a run began; one that is gone is no longer needed.

    Returns
    -------
    The looks of the files that are the same, for the next time.
    """
    known: Looks = {}
    for name, then in recorded.items():
        if not Path(name).is_file() or (name in looks and _looks(name) == looks[name]):
            known |= {name: looks[name]} if name in looks else {}
        elif _hash(name, known) != then:
            known.pop(name, None)
            log.warning(
                "%s: the file of weights %s was changed since the run began; what is trained already began with the "
                "former one (SHA-256 %s...), and the run goes on from there",
                run,
                name,
                then[:12],
            )
    return known


def _hash(name: str, looks: Looks) -> str:
    """The SHA-256 of a file; its looks are noted where no other content can have them."""
    before, now = _looks(name), time.time_ns()
    digest = sha256_of(Path(name))
    _, changed, renewed, _ = before
    if before == _looks(name) and max(changed, renewed) < now - SETTLED_NS:
        looks[name] = before
    return digest


def _looks(name: str) -> list[int]:
    about = Path(name).stat()
    return [about.st_size, about.st_mtime_ns, about.st_ctime_ns, about.st_ino]
