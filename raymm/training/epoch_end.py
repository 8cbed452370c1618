"""What follows the training pass of an epoch, on rank 0: evaluate, value, plan the next epoch, commit."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from raymm.errors import DataError, TrainingError
from raymm.methods.extra_rows import mean_contributions
from raymm.storage.layout import epoch_folder, valuation_file
from raymm.tracking import metrics as names
from raymm.training import planning
from raymm.training.checkpoint import Checkpoint, commit, new_epoch
from raymm.training.evaluate import diagnostic_metrics, evaluate, finite
from raymm.training.method_hooks import after_evaluation
from raymm.training.method_state import state_of
from raymm.training.selection import best_epoch, stops_early
from raymm.valuation.table_file import read_table, write_table, write_tables

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from raymm.training.context import RunContext
    from raymm.valuation.engine import Rows
    from raymm.valuation.table import ValuationTable

__all__ = ["evaluate_and_commit", "plan_and_commit"]

log = logging.getLogger(__name__)


def evaluate_and_commit(
    context: RunContext, state: Checkpoint, measured: dict[str, float], online: npt.NDArray[np.float64] | None
) -> None:
    """Evaluate the epoch that follows `state`, then value, plan and commit.

    `online` are the contributions of the training split from the training pass, where they come from there.
    """
    started, cpu = time.perf_counter(), time.process_time()
    table = context.value(context.dataset.rows("val"), state.epoch + 1)
    figures = evaluate(table, len(context.dataset.schema.classes), "val")
    selection = context.config.training.selection
    if names.split_metric("val", selection) not in figures:
        raise TrainingError(
            f"metrics of the task '{table.task.name}' has no '{selection}', which picks the model; return it, or "
            "choose another training.selection"
        )
    metrics = {
        **measured,
        **figures,
        **diagnostic_metrics(table, _validation_before(context, state), context.trainer.model.reads.cpu().numpy()),
        names.ROWS: float(len(state.plan)),
        names.ROWS_TOTAL: float(len(state.plan) + sum(entry["metrics"][names.ROWS] for entry in state.history)),
        names.ROWS_DROPPED: float(state.plan.dropped),
        names.VALUE_SECONDS: time.perf_counter() - started,
    }
    after_evaluation(context, state.epoch, table, metrics)
    metrics[names.CPU_SECONDS] += time.process_time() - cpu
    tables = {"val": table}
    del table  # `plan_and_commit` writes it and lets go of it
    plan_and_commit(context, state, tables, metrics, online)


def _validation_before(context: RunContext, state: Checkpoint) -> ValuationTable | None:
    """The valuation of validation after the epoch before; None for the first, or where it cannot be read."""
    if state.epoch == 0:
        return None
    try:
        return read_table(valuation_file(epoch_folder(context.run.path, state.epoch), "val"))
    except DataError as cause:
        log.warning(
            "how far contributions of epoch %d are those of the one before is not known: %s",
            state.epoch + 1,
            cause,
        )
        return None


def plan_and_commit(
    context: RunContext,
    before: Checkpoint,
    tables: dict[str, ValuationTable],
    metrics: dict[str, float],
    online: npt.NDArray[np.float64] | None,
) -> None:
    """Value the training split where that is due, plan the next epoch, and commit the one that was trained.

    The tables are written first, and taken out of `tables`, so that they are not in memory beside what follows.
    """
    with new_epoch(context.run.path, before.epoch + 1) as folder:
        for split in tuple(tables):
            write_table(valuation_file(folder, split), tables.pop(split))
        _plan_and_commit(context, before, valuation_file(folder, "train"), metrics, online)


def _plan_and_commit(
    context: RunContext,
    before: Checkpoint,
    file: Path,
    metrics: dict[str, float],
    online: npt.NDArray[np.float64] | None,
) -> None:
    """The same once its tables are written; the valuation of the training split becomes `file`."""
    started, cpu = time.perf_counter(), time.process_time()
    dataset, config, epoch = context.dataset, context.config, before.epoch + 1
    unplanned = state_of(context.trainer.method)
    entry = {"epoch": before.epoch, "metrics": metrics}
    last = stops_early((*before.history, entry), config, dataset.schema.task)
    phi = before.phi if last else _contributions(context, before, file, metrics, online)
    newest = phi if online is None and phi is not before.phi else online
    if newest is not None:
        for name, mean in zip(dataset.schema.names, mean_contributions(newest), strict=True):
            metrics[names.phi_metric("train", name)] = float(mean)
    plan = planning.plan_epoch(context.trainer.method, dataset, config, epoch, phi)
    metrics[names.VALUE_SECONDS] += time.perf_counter() - started
    metrics[names.CPU_SECONDS] = metrics.get(names.CPU_SECONDS, 0.0) + time.process_time() - cpu
    history = (*before.history, {"epoch": before.epoch, "metrics": finite(metrics)})
    best = best_epoch(history, config.training.selection, dataset.schema.task)
    following = Checkpoint(epoch, plan, phi, history, best, online)
    commit(context.run.path, following, context.trainer, unplanned, config.training.keep)


def _contributions(
    context: RunContext,
    before: Checkpoint,
    file: Path,
    metrics: dict[str, float],
    online: npt.NDArray[np.float64] | None,
) -> npt.NDArray[np.float64] | None:
    """Contributions of the training split for the next plan: new ones where they are due, else those from before.

    A valuation is written to `file`, and what it cost to `metrics`.
    """
    method, dataset, config, epoch = context.trainer.method, context.dataset, context.config, before.epoch + 1
    if not planning.valuation_due(method, config, epoch):
        return before.phi
    if method.needs == "state":
        return np.full((len(dataset.rows("train")), len(dataset.schema.names)), np.nan)
    if online is not None:
        return planning.only_asked(online, method, dataset, config, epoch)
    rows = planning.rows_to_value(method, dataset, config, epoch)
    phi = _valued(context, rows, epoch, file)
    metrics[names.VALUE_ENCODINGS] = float(dataset.present[rows].sum())
    metrics[names.VALUE_FUSIONS] = float(len(rows) * 2.0 ** len(dataset.schema.names))
    return phi


def _valued(context: RunContext, rows: Rows, epoch: int, file: Path) -> npt.NDArray[np.float64]:
    """Contributions of the training split [N, n], NaN where a sample is not in `rows`; their table goes into `file`.

    Of the table, which is many times as large, only a part is in memory at a time.
    """
    train = context.dataset.rows("train")
    phi = np.full((len(train), len(context.dataset.schema.names)), np.nan)

    def noted() -> Iterator[ValuationTable]:
        start = 0
        for part in context.value_parts(rows, epoch):
            phi[np.searchsorted(train, rows[start : start + len(part)])] = part.phi
            start += len(part)
            yield part

    write_tables(file, noted())
    return phi
