"""The end of a run, on rank 0: the picked model is loaded, calibrated, tested once, and written."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from raymm.tracking import metrics as names
from raymm.tracking.of_an_epoch import picked_metrics
from raymm.training.calibrate import calibrate
from raymm.training.checkpoint import restore_weights
from raymm.training.evaluate import evaluate, final_metrics, finite
from raymm.training.online import online_gap
from raymm.training.result import Result, write_result

if TYPE_CHECKING:
    from raymm.training.checkpoint import Checkpoint
    from raymm.training.context import RunContext
    from raymm.valuation.table import ValuationTable

__all__ = ["conclude"]

log = logging.getLogger(__name__)


def conclude(context: RunContext, state: Checkpoint) -> None:
    """Load the picked model, value the test split for the first and only time, write the result."""
    assert state.best_epoch is not None
    gap = {} if state.online is None else online_gap(context, state.online, state.epoch)
    restore_weights(context.run.path, state.best_epoch, context.trainer)
    chosen = state.history[state.best_epoch - 1]
    tables, measured = _tested(context, state.best_epoch)
    best = picked_metrics(chosen["metrics"])
    if state.epoch < context.config.training.epochs:
        measured[names.STOPPED_EPOCH] = float(state.epoch)
        log.warning(
            "training ended after %d of %d epochs: %s was no better for training.patience=%d epochs",
            state.epoch,
            context.config.training.epochs,
            names.split_metric("val", context.config.training.selection),
            context.config.training.patience,
        )
    result = Result(
        best_epoch=chosen["epoch"],
        metrics=finite({**best, **measured, **gap, names.BEST_EPOCH: float(chosen["epoch"])}),
        history=state.history,
    )
    write_result(context.run, result, context.trainer.model, tables, context.dataset)


def _tested(context: RunContext, epoch: int) -> tuple[dict[str, ValuationTable], dict[str, float]]:
    """Tables and metrics of the test split: of the model that is exported, and of it before it was calibrated."""
    model, rows, classes = context.trainer.model, context.dataset.rows("test"), len(context.dataset.schema.classes)
    tables: dict[str, ValuationTable] = {}
    if model.calibration is not None:
        tables[names.UNCALIBRATED_TEST] = context.value(rows, epoch)
        calibrate(model, context.loader.reader, context.config)
    tables["test"] = context.value(rows, epoch)
    measured: dict[str, float] = {}
    for split, table in tables.items():
        measured |= evaluate(table, classes, split) | final_metrics(table, split)
    return tables, measured
