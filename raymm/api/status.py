"""`raymm.status`: what runs, has ended or was left below a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from raymm.api.public import public
from raymm.api.shown import Placed, place_of
from raymm.api.status_entry import Status, StatusList
from raymm.api.status_of import parts_of, status_of
from raymm.errors import DataError
from raymm.storage import layout

__all__ = ["status"]

OPENED = {layout.RUN, layout.SWEEP, layout.STUDY}
"""Files that make a folder a run, sweep or study, whose inside is not searched."""

CLOSED = {layout.MANIFEST, "mlflow.db"}
"""Files of data sets, indexes, models and tracking stores, which hold no runs, but copies of their files."""

SKIPPED = {"node_modules", "__pycache__", "site-packages", "shards"}


@public
def status(folder: str | Path | Placed = ".") -> StatusList:
    """Look for runs, sweeps and studies below a folder, and say how far they are; nothing is opened or locked.

    Of a sweep or study whose own folder is given, its runs are listed too.

    Parameters
    ----------
    folder
        Where to look. Hidden folders, data sets, local tracking stores and links are passed over.

    Returns
    -------
    A list of `Status`: state, epochs, best score, seconds, last sign of life, who holds the lock. What runs comes
    first. `summary()` is the table of the command.

    Raises
    ------
    DataError
        When there is no such folder.

    Examples
    --------
    >>> import tempfile
    >>> import raymm
    >>> print(raymm.status(tempfile.mkdtemp()).summary())
    no run, sweep or study there
    """
    place = Path(place_of(folder))
    if not place.is_dir():
        raise DataError(f"{place}: there is no such folder; give one below which runs lie")
    whole = status_of(place)
    return StatusList([*_found(place), *(parts_of(whole) if whole and whole.kind != "run" else [])])


def _found(folder: Path) -> Iterator[Status]:
    try:
        entries = list(os.scandir(folder))
    except OSError:  # not ours to read
        return
    names = {entry.name for entry in entries}
    if names & OPENED and (found := status_of(folder)) is not None:
        yield found
        return
    if names & CLOSED:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False) and entry.name not in SKIPPED and not entry.name.startswith("."):
            yield from _found(Path(entry.path))
