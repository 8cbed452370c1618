"""A copy of a run on another file system, so that a fresh machine can go on with it.

    MIRROR/<name of the run>/run.json
    MIRROR/<name of the run>/epochs/epoch-00007/   what is committed here, and no more
    MIRROR/<name of the run>/result/

It is the driver that copies, after each commit, while the workers train on. A copy that fails in between is only
said, since the next one makes up for it; at the end of the run it is an error. A mirror does not take the place of
the folder that all nodes share: it is what outlives that folder.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from raymm.config import Config, plugins
from raymm.data import Dataset
from raymm.errors import CheckpointError, DataError, TrainingError
from raymm.storage import is_committed, layout, write_bytes
from raymm.storage.layout import committed_epochs, epoch_folder, result_folder
from raymm.storage.remote import Place, committed, drop, files, place, pull, push
from raymm.training.run import Run, create_or_open, key_in, validate_run

__all__ = ["fetch", "fetch_plugins", "mirrored", "open_mirrored", "send", "send_plugins"]

log = logging.getLogger(__name__)

Report = Callable[[Sequence[dict[str, Any]]], None]


def fetch(run: Path, mirror: str) -> None:
    """Bring a run from its mirror, when the mirror is ahead of this folder.

    `run.json` comes last, so that on a fresh machine a copy that was cut off is made again.

    Raises
    ------
    CheckpointError
        When the mirror cannot be read.
    """
    there = place(mirror) / run.name
    try:
        about = (there / layout.RUN).read()
        if about is None or _is_another(run, about, there):
            return
        fetch_plugins(there, run)
        for name in _ahead(run, there):
            pull(there / name, run / name)
    except OSError as cause:
        raise CheckpointError(
            f"{there}: cannot be read ({cause}); unset cluster.mirror to go on without it"
        ) from cause
    if not (run / layout.RUN).exists():
        write_bytes(run / layout.RUN, about)


def send(run: Path, mirror: str) -> None:
    """Make the mirror hold what the run has committed; older epochs that the run has dropped go there too.

    Raises
    ------
    CheckpointError
        When the mirror holds another run of this name.
    OSError
        When it cannot be written.
    """
    there = place(mirror) / run.name
    _claim(run, there)
    for epoch in committed_epochs(run):
        _send_unless_dropped(epoch_folder(run, epoch), there / layout.EPOCHS)
    here = [epoch_folder(run, epoch).name for epoch in committed_epochs(run)]
    for name in committed(there / layout.EPOCHS):
        if name not in here and name < max(here, default=""):
            drop(there / layout.EPOCHS / name)
    if is_committed(result_folder(run)):
        push(result_folder(run), there / layout.RESULT)


def send_plugins(folder: Path, there: Place) -> None:
    """Copy the plug-ins of a run or sweep to its mirror; they never change."""
    for file in sorted((folder / plugins.FOLDER).glob("*.py")):
        copy = there / plugins.FOLDER / file.name
        if copy.read() is None:
            copy.write(file.read_bytes())


def fetch_plugins(there: Place, folder: Path) -> None:
    """Bring the plug-ins of a run or sweep from its mirror, as far as they are not here."""
    for name in files(there / plugins.FOLDER):
        copy = folder / plugins.FOLDER / name
        if not copy.exists():
            write_bytes(copy, (there / plugins.FOLDER / name).read() or b"")


def open_mirrored(path: Path, config: Config, dataset: Dataset) -> Run:
    """Make or open the folder of a run as `create_or_open`, after bringing it from its mirror where that is ahead."""
    if config.cluster.mirror:
        validate_run(config, dataset)
        fetch(path.absolute(), config.cluster.mirror)
    return create_or_open(path, config, dataset)


@contextmanager
def mirrored(run: Path, mirror: str | None, report: Report) -> Iterator[Report]:
    """Yield a `report` that also sends the run to its mirror, and send what is left when the block ends.

    Raises
    ------
    CheckpointError
        At the start, when the mirror holds another run of this name or cannot be written.
    TrainingError
        At the end, when the run is whole here and the mirror could not be written.
    """
    if mirror is None:
        yield report
        return
    _first_send(run, mirror)

    def report_and_send(history: Sequence[dict[str, Any]]) -> None:
        report(history)
        try:
            send(run, mirror)
        except OSError as cause:
            log.warning("%s: not mirrored now, tried again after the next epoch (%s)", mirror, cause)

    yield report_and_send
    try:
        send(run, mirror)
    except OSError as cause:
        raise TrainingError(
            f"{mirror}: does not hold the end of this run ({cause}); {run} does, and the same command sends it again"
        ) from cause


def _first_send(run: Path, mirror: str) -> None:
    """Before any work: a mirror that cannot be written, or is taken, is a mistake of the settings."""
    try:
        send(run, mirror)
    except OSError as cause:
        raise CheckpointError(
            f"cluster.mirror={mirror}: cannot be written ({cause}); are the bucket and the credentials right?"
        ) from cause


def _claim(run: Path, there: Place) -> None:
    present = (there / layout.RUN).read()
    if present is None:
        send_plugins(run, there)
        (there / layout.RUN).write((run / layout.RUN).read_bytes())
    elif _is_another(run, present, there):
        raise CheckpointError(f"{there} holds another run; choose another name for --out, or another cluster.mirror")


def _is_another(run: Path, about: bytes, there: Place) -> bool:
    """Whether `about`, the mirror's `run.json`, is of another run than the one that is here."""
    here = run / layout.RUN
    return here.exists() and key_in(here.read_bytes(), here) != key_in(about, there / layout.RUN)


def _ahead(run: Path, there: Place) -> list[str]:
    """Committed folders of the mirror that the run lacks: its epochs when it has a newer one, and its result."""
    newest = max((epoch_folder(run, epoch).name for epoch in committed_epochs(run)), default="")
    epochs = committed(there / layout.EPOCHS)
    names = [f"{layout.EPOCHS}/{name}" for name in epochs if max(epochs) > newest]
    if layout.RESULT in committed(there) and not is_committed(result_folder(run)):
        names.append(layout.RESULT)
    return names


def _send_unless_dropped(folder: Path, there: Place) -> None:
    """Send an epoch that the run may drop at the same time."""
    try:
        push(folder, there / folder.name)
    except (DataError, FileNotFoundError):
        if is_committed(folder):
            raise
        drop(there / folder.name)
