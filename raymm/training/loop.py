"""The training loop: train an epoch, value it, plan the next, commit; select on validation; read the test split once.

    load_or_init -> train_epoch -> value (a backend) -> evaluate -> plan_epoch -> commit -> next

The same function runs in one process and on every rank of a worker group. Rank 0 values and commits; all
ranks then read the committed plan, so the rows that are trained are those on disk. A resumed run takes the same way.
A run may branch off another (`Run.start`): it takes over a committed epoch and plans the next by its own settings.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from raymm.storage.layout import lock_of_folder
from raymm.storage.lock import writing
from raymm.training.backends import Backends, Report, ValueFn
from raymm.training.context import RunContext
from raymm.training.result import finished, read_result

if TYPE_CHECKING:
    from raymm.data.dataset import Dataset
    from raymm.training.checkpoint import Checkpoint
    from raymm.training.result import Result
    from raymm.training.run import Run

__all__ = ["Backends", "Report", "ValueFn", "iter_epochs", "train"]


def train(run: Run, dataset: Dataset, backends: Backends) -> Result:
    """Train a run to its end, from its newest committed epoch on, and return its result.

    Raises
    ------
    LockedError
        When somebody else is training the run.
    """
    with writing(lock_of_folder(run.path), f"the run {run.path}"):
        for _ in iter_epochs(run, dataset, backends):
            pass
    return read_result(run.path)


def iter_epochs(run: Run, dataset: Dataset, backends: Backends) -> Iterator[Checkpoint]:
    """Train epoch by epoch: yield the checkpoint that training starts from and the one after each epoch, then finish.

    A caller that stops iterating leaves a run that can be resumed and whose test split was not read.
    """
    if finished(run.path):
        return
    with RunContext.build(run, dataset, backends) as context:
        state = context.load_or_init()
        yield state
        while state.epoch < run.config.training.epochs:
            state = context.advance(state)
            yield state
        context.finish(state)
