"""The training loop: train an epoch, value it, plan the next, commit; select on validation; read the test split once.

    load_or_init -> train_epoch -> value (a backend) -> evaluate -> plan_epoch -> commit -> next

The same function runs in one process and on every rank of a worker group. Rank 0 values and commits; all
ranks then read the committed plan, so the rows that are trained are those on disk. A resumed run takes the same way.
A run may branch off another (`Run.start`): it takes over a committed epoch and plans the next by its own settings.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING

from raymm.data.threads import on_threads
from raymm.storage.layout import committed_epochs, lock_of_folder
from raymm.storage.lock import writing
from raymm.tracking import metrics as names
from raymm.training import planning
from raymm.training.backends import Backends, Report, ValueFn
from raymm.training.branch import take_over
from raymm.training.checkpoint import (
    Checkpoint,
    clear_unfinished,
    drop_damaged,
    load_latest,
    read_checkpoint,
    restore,
    restore_method_state,
)
from raymm.training.conclude import conclude
from raymm.training.context import RunContext
from raymm.training.epoch import train_epoch, updates_of
from raymm.training.epoch_end import evaluate_and_commit, plan_and_commit
from raymm.training.memory import most_memory, watch_memory
from raymm.training.method_hooks import before_epoch
from raymm.training.result import finished, read_result, set_aside
from raymm.training.schedule import epoch_rates
from raymm.training.selection import stops_early

if TYPE_CHECKING:
    from raymm.data.dataset import Dataset
    from raymm.training.result import Result
    from raymm.training.run import Run

__all__ = ["Backends", "Report", "ValueFn", "advance", "iter_epochs", "load_or_init", "train"]


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

    A caller that stops iterating leaves a run that can be resumed and whose test split was not read. Between two
    epochs the process has the threads that it had before: another run may be trained there in turn.
    """
    with closing(_epochs(run, dataset, backends)) as epochs:
        while True:
            with on_threads(run.config.training.threads):
                state = next(epochs, None)
            if state is None:
                return
            yield state


def _epochs(run: Run, dataset: Dataset, backends: Backends) -> Generator[Checkpoint, None, None]:
    """The same, with the threads that the process has."""
    if finished(run.path):
        return
    with RunContext.build(run, dataset, backends) as context:
        state, task = load_or_init(context), dataset.schema.task
        context.journal.begin(state)
        yield state
        while state.epoch < run.config.training.epochs and not stops_early(state.history, run.config, task):
            state = advance(context, state)
            yield state
        context.journal.phase("testing")
        context.on_first_rank(partial(conclude, context, state))


def load_or_init(context: RunContext) -> Checkpoint:
    """Restore the newest whole epoch, after committing the branch point where there is one; report it."""
    run = context.run
    context.on_first_rank(partial(_leave_whole_epochs, context))
    committed = committed_epochs(run.path)  # the newest is whole: the first rank has compared its checksums
    if not committed:
        return _reported(context, Checkpoint(0, planning.joint_plan(context.dataset)))
    state = read_checkpoint(run.path, committed[-1])
    restore(run.path, state.epoch, context.trainer)
    return _reported(context, state)


def advance(context: RunContext, state: Checkpoint) -> Checkpoint:
    """Train one epoch on all ranks; evaluate, value, plan and commit on rank 0; return the committed state."""
    started, cpu, trainer = time.perf_counter(), time.process_time(), context.trainer
    updates = updates_of(context.config, state.plan, state.epoch)
    rates = epoch_rates(context.config, state.epoch, updates, state.history, context.dataset.schema.task)
    context.verify_shards(state)
    watch_memory(trainer.device)
    trainer.begin_epoch(state.epoch)  # what is frozen is so for the method too
    before_epoch(context, state.epoch)
    began = time.perf_counter()
    context.journal.begin_epoch(state)
    report = train_epoch(trainer, context.loader, state.plan, state.epoch, rates, context.journal.add_rows)
    context.journal.phase("valuing")
    measured = {
        names.TRAIN_LOSS: report.loss,
        names.LEARNING_RATE: rates[-1],
        names.UPDATES: float(updates),
        names.SAMPLES_PER_SECOND: report.rows / (time.perf_counter() - began),
        **report.metrics,
        names.MEMORY: most_memory(trainer.device),
        names.TRAIN_SECONDS: time.perf_counter() - started,
        names.CPU_SECONDS: time.process_time() - cpu,
    }
    with trainer.evaluated():
        context.on_first_rank(partial(evaluate_and_commit, context, state, measured, report.phi))
    restore_method_state(context.run.path, state.epoch + 1, trainer.method)
    state = read_checkpoint(context.run.path, state.epoch + 1)
    context.journal.committed(state)
    return _reported(context, state)


def _leave_whole_epochs(context: RunContext) -> None:
    """Clear away what was not committed or is damaged; commit the branch point where there is one that was not.

    It is planned anew. The branch point is then an epoch of this run, as if it had been trained here.
    """
    run = context.run
    set_aside(run.path)
    clear_unfinished(run.path)
    latest = load_latest(run.path, context.dataset)
    if latest is not None:
        drop_damaged(run.path, latest.epoch)
    if run.start is not None and (latest is None or latest.epoch < run.start.epoch):  # an earlier one was only linked
        taken = take_over(context, run.start)
        with context.trainer.evaluated():
            plan_and_commit(context, *taken)


def _reported(context: RunContext, state: Checkpoint) -> Checkpoint:
    context.backends.report(state.history)
    return state
