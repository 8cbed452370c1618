"""Runs are watched while they are trained, wherever that is, by the file in which each says how far it is."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from raymm.api.progress import Running
from raymm.beside import beside
from raymm.training.live import RunProgress, read_progress

if TYPE_CHECKING:
    from raymm.api.progress import Progress

__all__ = ["watching"]

log = logging.getLogger(__name__)

EVERY = 1.0
"""Seconds between two looks."""


@contextmanager
def watching(
    folders: Callable[[], Mapping[str, Path]],
    told: Progress,
    also: Callable[[list[Running]], None] = lambda _: None,
    epochs: int | None = None,
) -> Iterator[None]:
    """Tell of the runs in some folders once a second, from a thread of this process, until the block ends.

    Parameters
    ----------
    folders
        The folders of runs by what they are called; called before every look.
    also
        Called with the same after `told.on_running`; what either raises is only logged, and ends no training.
    epochs
        Epochs of these runs: one that has said nothing so far is told as starting. None: it is not told.
    """
    look = _Look(folders, epochs)

    def tell(running: Callable[[], list[Running]]) -> None:
        try:
            told.on_running(found := running())
            also(found)
        except Exception:
            log.debug("progress cannot be shown", exc_info=True)

    try:
        with beside(lambda: tell(look), EVERY, "raymm-watch"):
            yield
    finally:
        tell(list)


class _Look:
    """What is trained at this moment; what a process that was killed left behind is passed over."""

    def __init__(self, folders: Callable[[], Mapping[str, Path]], epochs: int | None) -> None:
        self._folders, self._epochs = folders, epochs
        self._left = _states(folders())
        self._seen: set[str] = set()

    def __call__(self) -> list[Running]:
        folders = self._folders()
        states = {name: state for name, state in _states(folders).items() if self._left.get(name) != state}
        self._seen |= states.keys()
        if self._epochs is not None:
            starting = RunProgress(1, self._epochs, "starting")
            states = {
                name: states.get(name, starting) for name in folders if name in states or name not in self._seen
            }
        return [Running(name, state) for name, state in states.items()]


def _states(folders: Mapping[str, Path]) -> dict[str, RunProgress]:
    found = ((name, read_progress(path)) for name, path in folders.items())
    return {name: state for name, state in found if state is not None}
