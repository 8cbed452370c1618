"""Bring a sweep back from its mirror: to a fresh machine, or where its folder lags behind."""

import json
import shutil
from pathlib import Path

from raymm.config import plugins
from raymm.errors import CheckpointError
from raymm.mirror.runs import fetch, fetch_plugins
from raymm.mirror.sweep_upload import BEST, Copy, folder_in, read_if_there
from raymm.storage import layout, write_bytes, write_json
from raymm.storage.layout import (
    CURRENT,
    ENDED,
    SUMMARY,
    SWEEP,
    TRIAL,
    TRIALS,
    WARMUPS,
    committed_epochs,
    epoch_folder,
)
from raymm.storage.remote import Place, below, committed, folders, place
from raymm.sweep.store import Sweep, open_sweep
from raymm.training.run import key_in, move_start

__all__ = ["catch_up", "fetch_sweep"]


def fetch_sweep(uri: str, path: Path) -> Sweep:
    """Bring a sweep from its mirror to a folder of this machine, and let it be mirrored there from now on.

    `sweep.json` comes last, so that a copy that was cut off is made again. What the folder has already of this sweep
    stays, and is brought up where the mirror is ahead.

    Parameters
    ----------
    uri
        The sweep's own place, "s3://bucket/prefix/NAME" or the path of a folder.
    path
        Folder to bring it to.

    Raises
    ------
    CheckpointError
        When there is no sweep, the folder holds something else, or the mirror cannot be read.
    """
    there, path = place(uri), path.absolute()
    try:
        about = (there / SWEEP).read()
        if about is None:
            raise CheckpointError(
                f"{there}: no sweep there ({SWEEP} is missing); give MIRROR/NAME: the cluster.mirror of a sweep, and "
                "the name of its --out"
            )
        values = json.loads(about)
        _refuse_occupied(path, values["key"])
        _fetch_all(there, uri, path)
    except OSError as cause:
        raise CheckpointError(
            f"{there}: cannot be read ({cause}); are the bucket and the credentials right?"
        ) from cause
    except (ValueError, KeyError) as cause:
        raise CheckpointError(f"{there / SWEEP}: cannot be read ({cause})") from cause
    if (path / SWEEP).exists():
        values = json.loads((path / SWEEP).read_bytes())
    write_json(path / SWEEP, {**values, "mirror": uri})
    return open_sweep(path)


def catch_up(sweep: Sweep) -> None:
    """Bring up what lags behind the mirror in the folder of a sweep that goes on where it lies.

    Raises
    ------
    CheckpointError
        When the mirror holds another sweep of this name, or cannot be read.
    """
    if sweep.mirror is None:
        return
    try:
        if Copy(sweep, sweep.mirror).claimed():
            _fetch_all(place(sweep.mirror), sweep.mirror, sweep.path)
    except OSError as cause:
        raise CheckpointError(
            f'{sweep.mirror}: cannot be read ({cause}); to go on without it set "mirror" to null in '
            f"{sweep.path / SWEEP}"
        ) from cause


def _refuse_occupied(path: Path, key: str) -> None:
    """Refuse a folder that holds anything but this sweep, or a part of one that was being fetched."""
    about = read_if_there(path / SWEEP)
    if about is not None:
        if key_in(about, path / SWEEP) != key:
            raise CheckpointError(f"{path} holds another sweep; choose another folder for --out")
        return
    there = {entry.name for entry in path.iterdir()} if path.exists() else set()
    if there - {TRIALS, WARMUPS, SUMMARY, plugins.FOLDER}:
        raise CheckpointError(f"{path}: not empty, and no sweep of raymm; choose another folder for --out")


def _fetch_all(there: Place, uri: str, path: Path) -> None:
    """Plug-ins first, then warm-ups, since runs need the ones and start from the others."""
    fetch_plugins(there, path)
    for name in folders(there / WARMUPS):
        fetch(path / WARMUPS / name, below(uri, WARMUPS))
    for name in folders(there / TRIALS):
        _fetch_trial(there / TRIALS / name, below(uri, f"{TRIALS}/{name}"), path / TRIALS / name)
    best = (there / BEST).read()
    if best is not None and not (path / BEST).exists():
        write_bytes(path / BEST, best)


def _fetch_trial(there: Place, uri: str, here: Path) -> None:
    """Bring a trial, its runs before what points to them; one that has ended here, or is no less far, stays."""
    if (here / ENDED).exists():
        return
    about, ended, pointer = ((there / name).read() for name in (TRIAL, ENDED, CURRENT))
    folder = folder_in(pointer)
    if about is None or (ended is None and not _is_behind(here, there, folder)):
        return
    for name in folders(there / folder):
        run = here / folder / name
        if _is_another(run, there / folder / name):
            shutil.rmtree(run)
        fetch(run, below(uri, folder))
        _point_start_to(run, here.parents[1])
    for name, content in ((CURRENT, pointer), (TRIAL, about), (ENDED, ended)):
        if content is not None:
            write_bytes(here / name, content)


def _is_behind(here: Path, there: Place, folder: str) -> bool:
    """Whether a pending trial lacks epochs, or the runs, that its mirror has in `folder`, the current one there."""
    if not (here / TRIAL).exists():
        return True
    if (here / folder).exists() and folder != folder_in(read_if_there(here / CURRENT)):
        return False  # the trial went on to other runs here, and the mirror has not heard of it
    return any(
        _newest_epoch(there / folder / run) > _newest_here(here / folder / run) for run in folders(there / folder)
    )


def _newest_epoch(run: Place) -> str:
    return max(committed(run / layout.EPOCHS), default="")


def _newest_here(run: Path) -> str:
    return max((epoch_folder(run, epoch).name for epoch in committed_epochs(run)), default="")


def _is_another(run: Path, there: Place) -> bool:
    """Whether a run of this name was made anew, here or on another machine, before it could be mirrored."""
    ours, theirs = read_if_there(run / layout.RUN), (there / layout.RUN).read()
    return None not in {ours, theirs} and key_in(ours, run) != key_in(theirs, there)


def _point_start_to(run: Path, sweep: Path) -> None:
    """Let a run that starts from a run of another machine's copy of the sweep start from the one in this folder."""
    move_start(run, lambda start: sweep / layout.within_sweep(start))
