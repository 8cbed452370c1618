"""Copy a sweep from its mirror: to an empty folder, or to a folder that is behind."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from raymm.config import plugins
from raymm.config.cluster import check_mirror
from raymm.errors import CheckpointError, ConfigError
from raymm.mirror.runs import fetch, fetch_plugins, is_another, newest_epoch
from raymm.mirror.sweep_upload import BEST, SweepUploader, folder_in, read_if_there
from raymm.storage import layout
from raymm.storage.atomic import write_bytes, write_json
from raymm.storage.layout import (
    CURRENT,
    ENDED,
    SUMMARY,
    SWEEP,
    TRIAL,
    TRIALS,
    WARMUPS,
)
from raymm.storage.records import parse_json, read_json
from raymm.storage.remote import committed, folders, join_uri, remote_path
from raymm.sweep.saved import SavedSweep
from raymm.sweep.store import open_sweep
from raymm.training.run import key_in, move_start

if TYPE_CHECKING:
    from raymm.storage.remote import RemotePath
    from raymm.sweep.store import Sweep

__all__ = ["catch_up", "fetch_sweep"]


def fetch_sweep(uri: str, path: Path) -> Sweep:
    """Copy a sweep from its mirror to a folder of this machine; from then on the sweep is mirrored there.

    `sweep.json` is written last, so that an interrupted copy is made again. A folder that holds this sweep already is
    updated where the mirror is ahead.

    Parameters
    ----------
    uri
        The URI of the sweep itself, "s3://bucket/prefix/NAME" or the path of a folder.
    path
        Folder to copy it to.

    Raises
    ------
    CheckpointError
        When there is no sweep at the mirror, the folder holds something else, or the mirror cannot be read.
    ConfigError
        When the URI is no place, or holds credentials; nothing is then asked for or written.
    """
    try:
        check_mirror(uri)
    except ValueError as cause:
        raise ConfigError(f"the mirror of the sweep {cause}") from None
    there, path = remote_path(uri), path.absolute()
    try:
        about = (there / SWEEP).read()
        if about is None:
            raise CheckpointError(
                f"{there}: no sweep there ({SWEEP} is missing); give MIRROR/NAME: the cluster.mirror of a sweep, and "
                "the name of its --out"
            )
        values = parse_json(about, there / SWEEP, CheckpointError)
        _refuse_occupied(path, SavedSweep.of(values, there / SWEEP).key)
        _fetch_all(there, uri, path)
    except OSError as cause:
        raise CheckpointError(
            f"{there}: cannot be read ({cause}); are the bucket and the credentials right?"
        ) from cause
    if (path / SWEEP).exists():
        values = read_json(path / SWEEP, CheckpointError)
    write_json(path / SWEEP, {**values, "mirror": uri})
    return open_sweep(path)


def catch_up(sweep: Sweep) -> None:
    """Copy from the mirror what is newer there than in the folder of a sweep, before the sweep is resumed.

    Raises
    ------
    CheckpointError
        When the mirror holds another sweep of this name, or cannot be read.
    """
    if sweep.mirror is None:
        return
    try:
        if SweepUploader(sweep, sweep.mirror).claimed():
            _fetch_all(remote_path(sweep.mirror), sweep.mirror, sweep.path)
    except OSError as cause:
        raise CheckpointError(
            f'{sweep.mirror}: cannot be read ({cause}); to go on without it set "mirror" to null in '
            f"{sweep.path / SWEEP}"
        ) from cause


def _refuse_occupied(path: Path, key: str) -> None:
    """Refuse a folder that holds anything but this sweep or a partial copy of one."""
    about = read_if_there(path / SWEEP)
    if about is not None:
        if key_in(about, path / SWEEP) != key:
            raise CheckpointError(f"{path} holds another sweep; choose another folder for --out")
        return
    there = {entry.name for entry in path.iterdir()} if path.exists() else set()
    if there - {TRIALS, WARMUPS, SUMMARY, layout.LOCK, plugins.FOLDER}:
        raise CheckpointError(f"{path}: not empty, and no sweep of raymm; choose another folder for --out")


def _fetch_all(there: RemotePath, uri: str, path: Path) -> None:
    """Copy plug-ins, warm-ups, trials, whose runs start from warm-ups, and the record of the best trial."""
    fetch_plugins(there, path)
    for name in folders(there / WARMUPS):
        fetch(path / WARMUPS / name, join_uri(uri, WARMUPS))
    for name in folders(there / TRIALS):
        _fetch_trial(there / TRIALS / name, join_uri(uri, f"{TRIALS}/{name}"), path / TRIALS / name)
    best = (there / BEST).read()
    if best is not None and not (path / BEST).exists():
        write_bytes(path / BEST, best)


def _fetch_trial(there: RemotePath, uri: str, here: Path) -> None:
    """Copy a trial that has not ended here and is behind; its runs come before the files that point to them."""
    if (here / ENDED).exists():
        return
    about, ended, pointer = ((there / name).read() for name in (TRIAL, ENDED, CURRENT))
    folder = folder_in(pointer)
    if about is None or (ended is None and not _is_behind(here, there, folder)):
        return
    for name in folders(there / folder):
        run = here / folder / name
        if is_another(run, (there / folder / name / layout.RUN).read(), there / folder / name):
            shutil.rmtree(run)  # one of the two was made anew before the other was mirrored
        fetch(run, join_uri(uri, folder))
        _point_start_to(run, here.parents[1])
    for name, content in ((CURRENT, pointer), (TRIAL, about), (ENDED, ended)):
        if content is not None:
            write_bytes(here / name, content)


def _is_behind(here: Path, there: RemotePath, folder: str) -> bool:
    """Whether a pending trial lacks epochs that its mirror has in `folder`, the current folder of runs there."""
    if not (here / TRIAL).exists():
        return True
    if (here / folder).exists() and folder != folder_in(read_if_there(here / CURRENT)):
        return False  # here the trial has gone on to newer runs, which have not been sent
    return any(
        _newest_there(there / folder / run) > newest_epoch(here / folder / run) for run in folders(there / folder)
    )


def _newest_there(run: RemotePath) -> str:
    return max(committed(run / layout.EPOCHS), default="")


def _point_start_to(run: Path, sweep: Path) -> None:
    """Point the start of a run, which was made in another folder of the sweep, to the same run in this folder."""
    move_start(run, lambda start: sweep / layout.within_sweep(start))
