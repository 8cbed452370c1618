"""The first batches of a run, trained and valued for what they tell of the whole: time, memory and size on disk."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from itertools import islice
from statistics import median
from typing import TYPE_CHECKING, Any

import torch

from raymm.data.schema import SPLITS
from raymm.data.threads import on_threads
from raymm.methods.plan import epoch_batches
from raymm.storage import layout
from raymm.storage.layout import epoch_folder, valuation_file
from raymm.training import planning
from raymm.training.checkpoint import Checkpoint, commit, new_epoch
from raymm.training.context import RunContext
from raymm.training.epoch import check_losses, rank_parts, updates_of
from raymm.training.memory import most_memory, watch_memory
from raymm.training.method_hooks import before_epoch
from raymm.training.method_state import state_of
from raymm.training.parameter_groups import set_learning_rate
from raymm.training.schedule import epoch_rates
from raymm.training.step import parameters_of
from raymm.valuation.table_file import write_table

if TYPE_CHECKING:
    from raymm.data.dataset import Dataset
    from raymm.methods.plan import Plan
    from raymm.training.backends import Backends
    from raymm.training.run import Run

__all__ = ["Rehearsal", "rehearse"]

UPDATES = 4
"""Updates that are tried; the first one, which takes longer, tells no time where there are more."""


@dataclass(frozen=True)
class Rehearsal:
    """What the first batches tell of a run, trained by one process, without rows that the method adds.

    Attributes
    ----------
    device, parameters
        Where it was tried, and how many numbers are trained.
    rows
        Samples of each split.
    epochs, batches, tried
        Epochs of the run, global batches of an epoch, and how many of these were tried.
    memory
        MiB at the most: allocated on the GPU, or held by the process.
    batch_seconds, epoch_seconds
        Of one batch (read, forward, backward, update), and of the training of an epoch.
    validation_seconds, valuation_seconds, valuations
        Of valuing validation, which every epoch does; of valuing the training split, and how often that is done.
    seconds
        Of the whole run.
    bytes
        Of the folder of the run: the epochs that are kept at the same time, and the result.
    """

    device: str
    parameters: int
    rows: dict[str, int]
    epochs: int
    batches: int
    tried: int
    memory: float
    batch_seconds: float
    epoch_seconds: float
    validation_seconds: float
    valuation_seconds: float
    valuations: int
    seconds: float
    bytes: int

    def to_dict(self) -> dict[str, Any]:
        """Everything, as plain values."""
        return asdict(self)


def rehearse(run: Run, dataset: Dataset, backends: Backends) -> Rehearsal:
    """Train the first batches of a run, value a few samples, and write one epoch into its folder.

    Parameters
    ----------
    run
        Its folder may hold nothing, and is for the caller to remove; no record of the run is made.

    Raises
    ------
    TrainingError
        When a loss is not finite, or the method returns what is no loss.
    """
    with on_threads(run.config.training.threads), RunContext.build(run, dataset, backends) as context:
        return _rehearse(context)


def _rehearse(context: RunContext) -> Rehearsal:
    config, dataset, trainer = context.config, context.dataset, context.trainer
    rows = {split: len(dataset.rows(split)) for split in SPLITS}
    plan = planning.joint_plan(dataset)
    watch_memory(trainer.device)
    times = _train(context, plan)
    sample_seconds, epoch_bytes, table_bytes = _end(context, plan)
    batches = len(epoch_batches(plan, config.training.batch_size, config.training.seed, 0))
    valued = _valued_rows(context)
    epochs, batch = config.training.epochs, median(times[1:] or times)
    trained, validation = batch * batches, sample_seconds * rows["val"]
    kept = min(config.training.keep + 1, epochs)
    size = kept * (epoch_bytes + table_bytes * (rows["val"] + max(valued, default=0)))
    size += _weight_bytes(context) + table_bytes * (rows["val"] + rows["test"])
    return Rehearsal(
        device=str(trainer.device),
        parameters=sum(one.numel() for one in parameters_of(trainer.model, trainer.method) if one.requires_grad),
        rows=rows,
        epochs=epochs,
        batches=batches,
        tried=len(times),
        memory=most_memory(trainer.device),
        batch_seconds=batch,
        epoch_seconds=trained,
        validation_seconds=validation,
        valuation_seconds=sample_seconds * max(valued, default=0),
        valuations=len(valued),
        seconds=epochs * (trained + validation) + sample_seconds * (sum(valued) + rows["test"]),
        bytes=round(size),
    )


def _train(context: RunContext, plan: Plan) -> list[float]:
    """Seconds of each of the first batches, which update the weights as in the first epoch."""
    trainer, config = context.trainer, context.config
    rates = epoch_rates(config, 0, updates_of(config, plan, 0), (), context.dataset.schema.task)
    torch.manual_seed(config.training.seed)
    trainer.begin_epoch(0)
    before_epoch(context, 0)
    set_learning_rate(trainer.optimizer, max(rates))
    times, began = [], time.perf_counter()
    for part in islice(rank_parts(trainer, context.loader, plan, 0), UPDATES * config.training.accumulate):
        step = trainer.step(part)
        if part.ends_update:
            check_losses(list(step.loss.reshape(-1)), trainer, context.loader, plan, 0)  # waits for the device
        times.append(time.perf_counter() - began)
        began = time.perf_counter()
    return times


def _end(context: RunContext, plan: Plan) -> tuple[float, int, float]:
    """Seconds of valuing a sample; bytes of an epoch without its tables, and of a sample in a table."""
    config, trainer, run = context.config, context.trainer, context.run
    rows = context.dataset.rows("val")[: config.valuation.batch_size]
    unplanned = state_of(trainer.method)
    with trainer.evaluated(), new_epoch(run.path, 1) as folder:
        context.value(rows[:2], 1)
        began = time.perf_counter()
        table = context.value(rows, 1)
        seconds = (time.perf_counter() - began) / len(rows)
        write_table(valuation_file(folder, "val"), table)
        commit(run.path, Checkpoint(1, plan, None, (), 0), trainer, unplanned, config.training.keep)
    tables = valuation_file(folder, "val").stat().st_size
    whole = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return seconds, whole - tables, tables / len(rows)


def _weight_bytes(context: RunContext) -> int:
    """Bytes of the weights, which the result holds once more."""
    return (epoch_folder(context.run.path, 1) / layout.WEIGHTS).stat().st_size


def _valued_rows(context: RunContext) -> list[int]:
    """Training samples of each valuation by a pass over them."""
    config, method, dataset = context.config, context.trainer.method, context.dataset
    if method.needs == "state" or config.valuation.source == "online":
        return []
    epochs = range(1, config.training.epochs + 1)
    due = [epoch for epoch in epochs if planning.valuation_due(method, config, epoch)]
    return [len(planning.rows_to_value(method, dataset, config, epoch)) for epoch in due]
