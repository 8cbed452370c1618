"""The state of a run between two epochs, and how it is committed.

    RUN/run.json                     what the run is: key, data set, configuration; written first
    RUN/epochs/epoch-00007/          state after 7 epochs: model, optimizer, method, plan, history, valuation tables;
                                     with training.ema the model is the average, beside the weights in training
    RUN/result/                      the picked model and its test result; written once, at the end

An epoch folder exists when its manifest does. Randomness is a function of (seed, epoch), so the number of
the epoch is all the generator state there is. Damaged newest epochs are passed over for the one before them, and
deleted when training goes on from there.
"""

from __future__ import annotations

import logging
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from raymm.errors import CheckpointError
from raymm.storage import layout
from raymm.storage.atomic import write_json
from raymm.storage.directory import commit_directory, is_committed, write_manifest
from raymm.storage.layout import committed_epochs, epoch_folder
from raymm.storage.owner import check_own, signed, verify_own
from raymm.storage.tensors import save_tensors
from raymm.training.average import load_trained
from raymm.training.method_state import load_method_state, load_method_tensors, method_tensors
from raymm.training.optimizer_state import load_optimizer_tensors, names_of_positions, optimizer_tensors
from raymm.training.plan_file import read_plan, save_plan
from raymm.training.saved_state import SavedState

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from raymm.data.dataset import Dataset
    from raymm.methods.base import Method
    from raymm.methods.plan import Plan
    from raymm.training.step import Trainer

__all__ = [
    "Checkpoint",
    "clear_unfinished",
    "commit",
    "drop_damaged",
    "link_checkpoint",
    "load_latest",
    "new_epoch",
    "read_checkpoint",
    "read_history",
    "restore",
    "restore_method",
    "restore_method_state",
    "restore_model",
    "restore_weights",
]

log = logging.getLogger(__name__)

REQUIRED = (layout.WEIGHTS, layout.OPTIMIZER, layout.PLAN, layout.STATE)
"""Files that every committed epoch has."""


@dataclass(frozen=True)
class Checkpoint:
    """What the next epoch starts from, beside the weights.

    Attributes
    ----------
    epoch
        Number of epochs done, and the number of the next.
    plan
        Rows of the next epoch.
    phi
        Contributions of the training split that plans are made from, float64 [N, n]; None before the first valuation.
    history
        One entry an epoch: `{"epoch": 0, "metrics": {...}}`.
    best_epoch
        Number of the epoch folder with the best validation metric so far, or None.
    online
        Contributions of the training split from the training pass of this epoch, float64 [N, n], where they are asked
        for; NaN where a sample was not trained whole.
    """

    epoch: int
    plan: Plan
    phi: npt.NDArray[np.float64] | None = None
    history: tuple[dict[str, Any], ...] = field(default=())
    best_epoch: int | None = None
    online: npt.NDArray[np.float64] | None = None


@contextmanager
def new_epoch(run: Path, epoch: int) -> Iterator[Path]:
    """The empty folder of an epoch, which does not exist for readers before `commit`; removed if it comes to none."""
    folder = epoch_folder(run, epoch)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        yield folder
    finally:
        if not is_committed(folder):
            shutil.rmtree(folder, ignore_errors=True)


def commit(
    run: Path,
    state: Checkpoint,
    trainer: Trainer,
    unplanned: Mapping[str, Tensor],
    keep: int,
) -> None:
    """Make `state` the newest of the run, atomically; then drop epochs that are neither new nor best.

    It completes a folder that `new_epoch` made, in which the valuation tables lie.

    Parameters
    ----------
    unplanned
        The state of the method before it made the plan of `state`.
    keep
        Epochs to keep beside the best.
    """
    folder = epoch_folder(run, state.epoch)
    save_tensors(trainer.model.state_dict(), folder / layout.WEIGHTS)
    if trainer.average is not None:
        save_tensors(trainer.average.trained_tensors(), folder / layout.TRAINED)
    save_tensors(optimizer_tensors(trainer.model, trainer.optimizer), folder / layout.OPTIMIZER)
    if method := method_tensors(trainer.method, trainer.optimizer, unplanned):
        save_tensors(method, folder / layout.METHOD)
    save_plan(folder / layout.PLAN, state.plan, state.phi, state.online)
    about = {"epoch": state.epoch, "best_epoch": state.best_epoch, "dropped": state.plan.dropped}
    scaler = trainer.scaler.state_dict()
    values = {"format": SavedState.newest, **about, "history": state.history, "scaler": scaler}
    write_json(folder / layout.STATE, values)
    commit_directory(folder, {"epoch": state.epoch, **signed(run)})
    _prune(run, state, keep)


def clear_unfinished(run: Path) -> None:
    """Delete the epochs that were not committed, or of which a killed process had deleted a part."""
    epochs = run / layout.EPOCHS
    for folder in epochs.iterdir() if epochs.is_dir() else ():
        if folder.is_dir() and not is_committed(folder):
            shutil.rmtree(folder)


def drop_damaged(run: Path, latest: int) -> None:
    """Delete the damaged epochs above the newest whole one (`load_latest`), from which the run goes on.

    Each of them is trained again. If they stayed, they would be kept as the newest instead of what is trained now.
    """
    for epoch in committed_epochs(run):
        if epoch > latest:
            log.warning("%s: deleted, the run goes on from epoch %d", epoch_folder(run, epoch), latest)
            _drop(run, epoch)


def link_checkpoint(source: Path, epoch: int, run: Path) -> None:
    """Make a committed epoch of another run one of this run too; on one drive its files are shared, not copied.

    Only its manifest is written anew: it says whose the epoch is.

    Raises
    ------
    CheckpointError
        When a file of the epoch was changed after it was written, or it is of a third run.
    """
    manifest = verify_own(source, epoch_folder(source, epoch), required=REQUIRED)
    target = epoch_folder(run, epoch)
    shutil.rmtree(target, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".link_checkpoint-") as folder:
        copy = Path(folder) / target.name
        shutil.copytree(epoch_folder(source, epoch), copy, copy_function=_link_or_copy)
        write_manifest(copy, {"epoch": epoch, **signed(run)}, manifest["files"])
        copy.replace(target)


def load_latest(run: Path, dataset: Dataset | None = None) -> Checkpoint | None:
    """The newest whole state of a run, or None when there is none; `dataset` as in `read_checkpoint`.

    Raises
    ------
    CheckpointError
        When epochs were committed and every one of them is damaged.
    """
    epochs = committed_epochs(run)
    damaged = []
    for epoch in reversed(epochs):
        try:
            return read_checkpoint(run, epoch, True, dataset)
        except CheckpointError as cause:
            log.warning("passing over a damaged epoch: %s", cause)
            damaged.append(str(cause))
    if damaged:
        raise CheckpointError(f"{run}: every committed epoch is damaged, start a new run; {'; '.join(damaged)}")
    return None


def read_checkpoint(run: Path, epoch: int, check: bool = False, dataset: Dataset | None = None) -> Checkpoint:
    """Read one committed epoch; with `check`, compare the checksums of all its files first.

    Parameters
    ----------
    dataset
        The data that its plan must be of; None where that is not known.

    Raises
    ------
    CheckpointError
        When the epoch is damaged, of another run, or its plan is not one of this data.
    """
    folder = epoch_folder(run, epoch)
    if check:
        verify_own(run, folder, required=REQUIRED)
    about = SavedState.read(folder / layout.STATE)
    if about.epoch != epoch:
        raise CheckpointError(
            f"{folder}: holds the state after epoch {about.epoch}; bring back a good copy of the run"
        )
    plan, phi, online = read_plan(folder / layout.PLAN, about.dropped, dataset)
    return Checkpoint(epoch, plan, phi, about.entries, about.best_epoch, online)


def read_history(run: Path) -> tuple[dict[str, Any], ...]:
    """The history of the newest committed epoch, for somebody who watches; empty when there is none yet.

    One that cannot be read is passed over: it is damaged, was dropped between the listing and the reading, or is of
    another run.
    """
    for epoch in reversed(committed_epochs(run)):
        with suppress(CheckpointError):
            check_own(run, epoch_folder(run, epoch))
            return SavedState.read(epoch_folder(run, epoch) / layout.STATE).entries
    return ()


def restore(run: Path, epoch: int, trainer: Trainer) -> None:
    """Load a committed epoch into `trainer`: model, optimizer, loss scale, and what the method keeps.

    Raises
    ------
    CheckpointError
        When the epoch cannot be read, its model was changed after it was written, or it is that of another model,
        optimizer or method.
    """
    restore_model(run, epoch, trainer)
    restore_method(run, epoch, trainer)


def restore_model(run: Path, epoch: int, trainer: Trainer) -> None:
    """Load all of a committed epoch but what the method keeps; errors as `restore`."""
    restore_weights(run, epoch, trainer)
    folder = epoch_folder(run, epoch)
    about = SavedState.read(folder / layout.STATE)
    with _fitting(folder, "model and optimizer"):
        trained = load_file(path) if (path := folder / layout.TRAINED).exists() else {}
        if trainer.average is not None:
            trainer.average.load(trained)
        load_trained(trainer.model, trained)
        tensors = load_file(folder / layout.OPTIMIZER)
        if about.optimizer is not None:  # version 0.1.0 named tensors by position, and listed them here
            tensors = names_of_positions(trainer.model, tensors)
        load_optimizer_tensors(trainer.model, trainer.optimizer, tensors)
        trainer.scaler.load_state_dict(about.scaler)


def restore_method(run: Path, epoch: int, trainer: Trainer, *, unplanned: bool = False) -> None:
    """Load what the method keeps, as it was after the plan of the next epoch or before; errors as `restore`."""
    folder = epoch_folder(run, epoch)
    with _fitting(folder, "method"):
        load_method_tensors(trainer.method, trainer.optimizer, _method_file(folder), unplanned=unplanned)


def restore_weights(run: Path, epoch: int, trainer: Trainer) -> None:
    """Load the model of a committed epoch, once its checksum was compared, and nothing else; errors as `restore`."""
    folder = epoch_folder(run, epoch)
    verify_own(run, folder, [layout.WEIGHTS])
    with _fitting(folder, "model and optimizer"):
        trainer.model.load_state_dict(load_file(folder / layout.WEIGHTS, device=str(trainer.device)))


def restore_method_state(run: Path, epoch: int, method: Method) -> None:
    """Load the committed state of a method, so that all ranks have what the first one planned with."""
    folder = epoch_folder(run, epoch)
    with _fitting(folder, "method"):
        load_method_state(method, _method_file(folder))


@contextmanager
def _fitting(folder: Path, what: str) -> Iterator[None]:
    try:
        yield
    except (OSError, KeyError, ValueError, IndexError, RuntimeError, SafetensorError) as cause:
        raise CheckpointError(f"{folder}: does not fit this {what} ({cause})") from cause


def _method_file(folder: Path) -> dict[str, Tensor]:
    path = folder / layout.METHOD
    return load_file(path) if path.exists() else {}


def _prune(run: Path, state: Checkpoint, keep: int) -> None:
    newest = committed_epochs(run)[-keep:]
    for epoch in committed_epochs(run):
        if epoch not in newest and epoch != state.best_epoch:
            _drop(run, epoch)


def _drop(run: Path, epoch: int) -> None:
    """Delete a committed epoch, the manifest first, so that a part of it is none."""
    folder = epoch_folder(run, epoch)
    (folder / layout.MANIFEST).unlink()
    shutil.rmtree(folder)


def _link_or_copy(source: str, target: str) -> None:
    """Committed files are never changed, so one file may be in several runs."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
