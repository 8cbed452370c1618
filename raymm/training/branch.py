"""What a run that branches off another takes over from it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from raymm.storage import layout
from raymm.storage.layout import epoch_folder, valuation_file
from raymm.tracking import metrics as names
from raymm.training.checkpoint import (
    Checkpoint,
    link_checkpoint,
    read_checkpoint,
    restore_method,
    restore_model,
)
from raymm.training.run import open_run
from raymm.valuation.table_file import read_table

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from raymm.training.context import RunContext
    from raymm.training.run import BranchPoint
    from raymm.valuation.table import ValuationTable

__all__ = ["TakenOver", "take_over"]

TakenOver = tuple[Checkpoint, dict[str, "ValuationTable"], dict[str, float], "npt.NDArray[np.float64] | None"]
"""What `raymm.training.epoch_end.plan_and_commit` is given: the epoch before the branch point, and of the branch
point its valuation tables, its metrics, and contributions from its training pass."""


def take_over(context: RunContext, start: BranchPoint) -> TakenOver:
    """Load the epoch that the run branches off at, which it has not committed yet.

    What the method keeps is taken over where the other run had the same method with the same settings. Else it
    begins here: what another method kept, or this one by other settings, decides nothing that follows.
    """
    reached = read_checkpoint(start.run, start.epoch, check=True, dataset=context.dataset)
    restore_model(start.run, start.epoch, context.trainer)
    if _method_goes_on(context, start):
        restore_method(start.run, start.epoch, context.trainer, unplanned=True)
    if reached.best_epoch not in {None, start.epoch}:
        link_checkpoint(start.run, reached.best_epoch, context.run.path)
    metrics = _without_valuation_of_training(reached.history[-1]["metrics"])
    tables = {"val": read_table(valuation_file(epoch_folder(start.run, start.epoch), "val"))}
    online = reached.online if context.config.valuation.source == "online" else None
    before = Checkpoint(start.epoch - 1, reached.plan, reached.phi, reached.history[:-1])
    return before, tables, metrics, online


def _method_goes_on(context: RunContext, start: BranchPoint) -> bool:
    """Whether the other run kept something of its method, and had the same one with the same settings."""
    if not (epoch_folder(start.run, start.epoch) / layout.METHOD).exists():
        return False
    there, here = open_run(start.run).config.method, context.config.method
    return (there.name, there.settings) == (here.name, here.settings)


def _without_valuation_of_training(metrics: Mapping[str, float]) -> dict[str, float]:
    """Metrics of an epoch without what valuing the training split after it gave and cost."""
    cost, contributions = {names.VALUE_ENCODINGS, names.VALUE_FUSIONS}, names.phi_metric("train", "")
    return {name: value for name, value in metrics.items() if name not in cost and not name.startswith(contributions)}
