"""Which epoch validation picks, and whether training has stopped to improve it."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from raymm.config.own_parts import own_part
from raymm.config.registries import METHODS
from raymm.tracking import metrics as names

if TYPE_CHECKING:
    from raymm.config.sections import Config
    from raymm.tasks.base import Task

__all__ = ["badness", "best_epoch", "best_score", "stops_early"]

History = Sequence[Mapping[str, Any]]

ROUNDING = 1e-9
"""Part of `training.min_delta` by which a gain must exceed it."""


def badness(history: History, selection: str, task: Task) -> npt.NDArray[np.float64]:
    """The metric that picks the model, of each epoch, with its sign such that the lower is the better.

    An epoch without the metric, which was not finite, is worse than any other.
    """
    found = [entry["metrics"].get(names.split_metric("val", selection), np.nan) for entry in history]
    scores = np.array(found, dtype=np.float64)
    return np.nan_to_num(-scores if task.selection[selection] else scores, nan=np.inf, posinf=np.inf, neginf=-np.inf)


def best_score(history: History, selection: str) -> float | None:
    """The best value on validation of the metric that picks the model; None where no epoch has it.

    >>> best_score([{"metrics": {"val/loss": 0.5}}, {"metrics": {}}, {"metrics": {"val/loss": 0.75}}], "loss")
    0.5
    """
    name = names.split_metric("val", selection)
    scores: list[float] = [entry["metrics"][name] for entry in history if name in entry["metrics"]]
    return (max if names.higher_is_better(name) else min)(scores, default=None)


def best_epoch(history: History, selection: str, task: Task) -> int:
    """Folder number of the epoch that validation picks: of equals the one with the lower loss, then the earliest."""
    losses = [entry["metrics"].get(names.split_metric("val", "loss"), np.inf) for entry in history]
    return int(np.lexsort((losses, badness(history, selection, task)))[0]) + 1


def stops_early(history: History, config: Config, task: Task) -> bool:
    """Whether `training.patience` epochs in a row were not better than the best before by more than `min_delta`.

    Epochs before the method acts (`method.warmup`, of one that adds rows) are not counted, so that it always does.
    Those of a stage that trains other models (`Method.stage_epochs`) are left out, whatever they reached.
    """
    patience = config.training.patience
    if patience is None:
        return False
    method = METHODS.get(config.method.name)
    with own_part(method, "stage_epochs"):
        stage = int(method.stage_epochs(config.method.settings, config.training.epochs))
    best, since, acts = np.inf, 0, config.acts_from
    for epoch, score in enumerate(badness(history, config.training.selection, task)[stage:], stage):
        better = _is_better(float(score), float(best), config.training.min_delta)
        since = 0 if better or epoch < acts else since + 1
        best = score if better else best
    return since >= patience


def _is_better(score: float, best: float, least: float) -> bool:
    """Whether a score, the lower the better, is below the best by more than `least`; rounding counts for neither.

    >>> 0.06 < 0.07 - 0.01, 0.03 < 0.04 - 0.01, _is_better(0.06, 0.07, 0.01), _is_better(0.03, 0.04, 0.01)
    (True, False, False, False)
    >>> _is_better(0.06, 0.0700001, 0.01), _is_better(0.06, 0.07, 0.0)
    (True, True)
    """
    gain = best - score
    if not least or not math.isfinite(gain):
        return gain > least
    return gain > least * (1 + ROUNDING) + 4 * sys.float_info.epsilon * max(abs(best), abs(score))
