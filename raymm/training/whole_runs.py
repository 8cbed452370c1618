"""Training whole runs by their folders, one after the other: what a lane of a study does."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from raymm.errors import RaymmError, in_one_line
from raymm.storage.atomic import remove_unfinished
from raymm.storage.layout import lock_of_folder
from raymm.storage.lock import PATIENCE, writing
from raymm.training.devices import any_device, require_device
from raymm.training.loop import Backends, iter_epochs
from raymm.training.run import open_run
from raymm.training.warm_process import warm_process

if TYPE_CHECKING:
    import torch

    from raymm.training.run import Run

__all__ = ["train_folder", "train_here"]

Loop = Callable[["Run", int | None], object]
"""`(run, until)`: trains a run until so many epochs are done, or to its end."""


def train_here(run: Run, until: int | None, device: torch.device | None = None) -> None:
    """Train a run in this process, which has loaded what trainings load when the first epoch begins.

    `device` is by default the GPU where there is one; raises `ConfigError` for one that is not here.
    """
    dataset, device = run.dataset(), require_device(device or any_device(), "device=")
    warm_process(run.config, dataset, device)
    for state in iter_epochs(run, dataset, Backends(device=device)):
        if state.epoch >= (math.inf if until is None else until):
            break


def train_folder(path: Path, until: int | None = None, loop: Loop = train_here) -> str:
    """Train the run of a folder from its newest committed epoch on.

    Parameters
    ----------
    until
        Epochs after which to leave off, the run unfinished and its test split unread; None trains to the end.
    loop
        How it is trained; default: in this process.

    Returns
    -------
    Why it failed, in a line; empty when it did not.
    """
    try:
        with writing(lock_of_folder(path), f"the run {path}", patience=PATIENCE):
            remove_unfinished(path)
            loop(open_run(path), until)
    except RaymmError as cause:
        return " ".join(str(cause).split())
    except Exception as cause:  # noqa: BLE001  (one run that failed must not end the others)
        return in_one_line(cause)
    return ""
