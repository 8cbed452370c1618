"""A copy of a run on another file system, from which another machine can resume it.

    MIRROR/<name of the run>/run.json
    MIRROR/<name of the run>/epochs/epoch-00007/   the epochs that are committed in the folder of the run
    MIRROR/<name of the run>/result/

The driver copies after each commit, while the workers go on training. A copy that fails during the run is logged,
since the next one includes its files; a copy that fails at the end of the run is an error. A mirror does not replace
the folder that all nodes share: it is the copy that remains when that folder is lost.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raymm.config import plugins
from raymm.errors import CheckpointError, DataError, TrainingError
from raymm.storage import layout
from raymm.storage.atomic import write_bytes
from raymm.storage.directory import is_committed, verify
from raymm.storage.layout import committed_epochs, epoch_folder, result_folder
from raymm.storage.remote import committed, delete, files_below, pull, push, remote_path
from raymm.training.run import create_or_open, key_in, validate_run

if TYPE_CHECKING:
    from raymm.config.sections import Config
    from raymm.data.dataset import Dataset
    from raymm.storage.remote import RemotePath
    from raymm.training.run import Run

__all__ = [
    "fetch",
    "fetch_plugins",
    "is_another",
    "mirrored",
    "newest_epoch",
    "open_mirrored",
    "send",
    "send_plugins",
    "taken",
    "unwritable",
]

log = logging.getLogger(__name__)

Report = Callable[[Sequence[dict[str, Any]]], None]


def fetch(run: Path, mirror: str) -> None:
    """Copy a run from its mirror to its folder, where the mirror has newer epochs.

    `run.json` is written last, so that an interrupted copy to an empty folder is made again.

    Raises
    ------
    CheckpointError
        When the mirror cannot be read.
    DataError
        When all that it holds of a run that is not here is damaged.
    """
    there = remote_path(mirror) / run.name
    try:
        about = (there / layout.RUN).read()
        if about is None or is_another(run, about, there):
            return
        fetch_plugins(there, run)
        _pull_whole(run, there)
    except OSError as cause:
        raise CheckpointError(
            f"{there}: cannot be read ({cause}); unset cluster.mirror to go on without it"
        ) from cause
    if not (run / layout.RUN).exists():
        write_bytes(run / layout.RUN, about)


def send(run: Path, mirror: str) -> None:
    """Copy what the run has committed to its mirror, and delete there the older epochs that the run has deleted.

    Raises
    ------
    CheckpointError
        When the mirror holds another run of this name.
    OSError
        When it cannot be written.
    """
    there = remote_path(mirror) / run.name
    _claim(run, there)
    for epoch in committed_epochs(run):
        _send_unless_dropped(epoch_folder(run, epoch), there / layout.EPOCHS)
    here = [epoch_folder(run, epoch).name for epoch in committed_epochs(run)]
    for name in committed(there / layout.EPOCHS):
        if name not in here and name < max(here, default=""):
            delete(there / layout.EPOCHS / name)
    if is_committed(result_folder(run)):
        push(result_folder(run), there / layout.RESULT)


def send_plugins(folder: Path, there: RemotePath) -> None:
    """Copy the plug-ins of a run or sweep to its mirror; they never change."""
    own = folder / plugins.FOLDER
    for file in sorted(own.rglob("*.py")):
        copy = there / plugins.FOLDER / file.relative_to(own).as_posix()
        if copy.read() is None:
            copy.write(file.read_bytes())


def fetch_plugins(there: RemotePath, folder: Path) -> None:
    """Copy the plug-ins of a run or sweep from its mirror, where the folder lacks them."""
    for name in files_below(there / plugins.FOLDER):
        copy = folder / plugins.FOLDER / name
        if not copy.exists():
            write_bytes(copy, (there / plugins.FOLDER / name).read() or b"")


def open_mirrored(path: Path, config: Config, dataset: Dataset) -> Run:
    """Make or open the folder of a run like `create_or_open`, after copying newer epochs from its mirror."""
    if not config.cluster.mirror:
        return create_or_open(path, config, dataset)
    if not (path / layout.RUN).exists():
        validate_run(config, dataset)
    fetch(path.absolute(), config.cluster.mirror)
    return create_or_open(path, config, dataset, check=False)


@contextmanager
def mirrored(run: Path, mirror: str | None, report: Report) -> Iterator[Report]:
    """Yield a `report` that also copies the run to its mirror; the rest is copied when the block ends.

    Raises
    ------
    CheckpointError
        At the start, when the mirror holds another run of this name or cannot be written.
    TrainingError
        At the end, when the mirror cannot be written; the folder of the run is complete.
    """
    if mirror is None:
        yield report
        return
    _first_send(run, mirror)

    def report_and_send(history: Sequence[dict[str, Any]]) -> None:
        report(history)
        try:
            send(run, mirror)
        except (OSError, DataError) as cause:
            log.warning("%s: not mirrored now, tried again after the next epoch (%s)", mirror, cause)

    yield report_and_send
    try:
        send(run, mirror)
    except OSError as cause:
        raise TrainingError(
            f"{mirror}: does not hold the end of this run ({cause}); {run} does, and the same command sends it again"
        ) from cause


def _first_send(run: Path, mirror: str) -> None:
    """Copy before any work, so that a mirror that cannot be written, or holds another run, is found at the start."""
    try:
        send(run, mirror)
    except OSError as cause:
        raise unwritable(mirror, cause) from cause


def unwritable(mirror: str, cause: OSError) -> CheckpointError:
    """The error of a mirror, of a run or a sweep, that cannot be written."""
    return CheckpointError(
        f"cluster.mirror={mirror}: cannot be written ({cause}); are the bucket and the credentials right?"
    )


def taken(there: RemotePath, what: str) -> CheckpointError:
    """The error of a mirror that holds another "run" or "sweep", `what`, of this name."""
    return CheckpointError(f"{there} holds another {what}; choose another name for --out, or another cluster.mirror")


def _claim(run: Path, there: RemotePath) -> None:
    present = (there / layout.RUN).read()
    if present is None:
        send_plugins(run, there)
        (there / layout.RUN).write((run / layout.RUN).read_bytes())
    elif is_another(run, present, there):
        raise taken(there, "run")


def is_another(run: Path, about: bytes | None, there: RemotePath) -> bool:
    """Whether `about`, the `run.json` of the mirror, belongs to another run than the one in this folder.

    It does not where either of them is missing.
    """
    here = run / layout.RUN
    return (
        about is not None and here.exists() and key_in(here.read_bytes(), here) != key_in(about, there / layout.RUN)
    )


def newest_epoch(run: Path) -> str:
    """Name of the newest committed epoch in the folder of a run; empty where there is none."""
    return max((epoch_folder(run, epoch).name for epoch in committed_epochs(run)), default="")


def _ahead(run: Path, there: RemotePath) -> list[str]:
    """Committed folders of the mirror to copy: all epochs when one is newer than those of the run, and the result."""
    epochs = committed(there / layout.EPOCHS)
    names = [f"{layout.EPOCHS}/{name}" for name in epochs if max(epochs) > newest_epoch(run)]
    if layout.RESULT in committed(there) and not is_committed(result_folder(run)):
        names.append(layout.RESULT)
    return names


def _pull_whole(run: Path, there: RemotePath) -> None:
    """Copy what the mirror has ahead; an epoch whose manifest is damaged there is passed over, unless all are."""
    damaged: list[DataError] = []
    for name in _ahead(run, there):
        try:
            pull(there / name, run / name)
        except DataError as cause:
            log.warning("%s: passed over (%s)", there / name, cause)
            damaged.append(cause)
    if damaged and not committed_epochs(run):
        raise damaged[0]


def _send_unless_dropped(folder: Path, there: RemotePath) -> None:
    """Send an epoch, unless the run deletes it at the same time, or it is damaged and its run passes over it."""
    try:
        push(folder, there / folder.name)
    except (DataError, FileNotFoundError):
        if not is_committed(folder):
            delete(there / folder.name)
        elif not _is_damaged(folder):
            raise


def _is_damaged(folder: Path) -> bool:
    """Whether an epoch is; it is said where that is so."""
    try:
        verify(folder)
    except DataError as cause:
        log.warning("a damaged epoch is not mirrored: %s", cause)
        return True
    return False
