"""Runs are watched while they are trained, wherever that is, by the file in which each says how far it is."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from raymm.api.progress import Running
from raymm.training.live import read_progress

if TYPE_CHECKING:
    from raymm.api.progress import Progress
    from raymm.training.live import RunProgress

__all__ = ["watching"]

log = logging.getLogger(__name__)

EVERY = 1.0
"""Seconds between two looks."""


@contextmanager
def watching(
    folders: Callable[[], Mapping[str, Path]],
    told: Progress,
    also: Callable[[list[Running]], None] = lambda _: None,
    first: Sequence[Running] = (),
) -> Iterator[None]:
    """Tell of the runs in some folders once a second, from a thread of this process, until the block ends.

    Parameters
    ----------
    folders
        The folders of runs by what they are called; called before every look. Of one that says nothing nothing is
        told.
    also
        Called with the same after `told.on_running`.
    first
        What is told until one of them has said how far it is, while processes start.
    """
    done, begun = threading.Event(), threading.Event()
    left = _states(folders())  # what a process that was killed left behind

    told.on_running(first)

    def look() -> None:
        running = [Running(name, state) for name, state in _states(folders()).items() if left.get(name) != state]
        if running:
            begun.set()
        told.on_running(running if begun.is_set() else first)
        also(running)

    def follow() -> None:
        while not done.wait(EVERY):
            try:
                look()
            except Exception:
                log.debug("progress cannot be shown", exc_info=True)

    thread = threading.Thread(target=follow, name="raymm-watch", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
        told.on_running([])


def _states(folders: Mapping[str, Path]) -> dict[str, RunProgress]:
    found = ((name, read_progress(path)) for name, path in folders.items())
    return {name: state for name, state in found if state is not None}
