"""Training whole runs in this process, one after the other, by their folders: what a lane of a study does."""

from __future__ import annotations

import math
from pathlib import Path

import torch

from raymm.errors import RaymmError, in_one_line
from raymm.storage.atomic import remove_unfinished
from raymm.storage.layout import lock_of_folder
from raymm.storage.lock import writing
from raymm.training.loop import Backends, iter_epochs
from raymm.training.run import open_run

__all__ = ["PATIENCE", "train_folder"]

PATIENCE = 30.0
"""Seconds to wait for a process that trained the run before, and has not ended yet."""


def train_folder(path: Path, until: int | None = None) -> str:
    """Train the run of a folder from its newest committed epoch on.

    Parameters
    ----------
    until
        Epochs after which to leave off, the run unfinished and its test split unread; None trains to the end.

    Returns
    -------
    Why it failed, in a line; empty when it did not.
    """
    try:
        with writing(lock_of_folder(path), f"the run {path}", patience=PATIENCE):
            remove_unfinished(path)
            run = open_run(path)
            device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
            for state in iter_epochs(run, run.dataset(), Backends(device=device)):
                if state.epoch >= (math.inf if until is None else until):
                    break
    except RaymmError as cause:
        return " ".join(str(cause).split())
    except Exception as cause:  # noqa: BLE001  (one run that failed must not end the others)
        return in_one_line(cause)
    return ""
