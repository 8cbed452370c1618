"""The learning rate as a function of the epoch, the update within it and the history: a schedule keeps no state."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from raymm.tracking import metrics as names
from raymm.training.selection import badness

if TYPE_CHECKING:
    from raymm.config.optimizer import OptimizerConfig
    from raymm.config.sections import Config
    from raymm.tasks.base import Task

__all__ = ["epoch_rates", "updates_in"]

History = Sequence[Mapping[str, Any]]

ROUNDING = 1e-9
"""Epochs that a difference of two times may lack by rounding: 2.3 - 1.3 is below 1."""

FALLS: dict[str, Callable[[float], float]] = {
    "linear": lambda part: 1 - part,
    "cosine": lambda part: 0.5 * (1 + math.cos(math.pi * part)),
    "sqrt": lambda part: 1 - math.sqrt(part),
}
"""From 1 to 0 while the part of the time that is over goes from 0 to 1."""


def epoch_rates(config: Config, epoch: int, updates: int, history: History, task: Task) -> list[float]:
    """Learning rate of every update of an epoch.

    Parameters
    ----------
    epoch, updates
        Number of the epoch, from 0, and how many updates it has.
    history
        The epochs before it.
    task
        Says whether more of `training.selection` is better, for `plateau`.
    """
    settings, done = config.optimizer, [updates_in(entry, config) for entry in history]
    until = _warmup_epochs(settings, [*done, updates])
    settled = _settled_rate(settings, history, config.training.selection, task)
    rates = []
    for update in range(updates):
        now = epoch + update / updates
        if until is None or now < until:
            rates.append(settings.lr * _risen(settings, sum(done) + update, epoch + (update + 1) / updates))
        elif settled is not None:
            rates.append(settled)
        else:
            since = max(0.0, (now if settings.per == "step" else epoch) - until)
            rates.append(_scheduled(settings, since, config.training.epochs - until))
    return rates


def updates_in(entry: Mapping[str, Any], config: Config) -> int:
    """Updates of an epoch of the history; of one that version 0.1.0 trained, by its rows."""
    rows = entry["metrics"][names.ROWS]
    return int(entry["metrics"].get(names.UPDATES, math.ceil(rows / config.training.batch_size)))


def _warmup_epochs(settings: OptimizerConfig, updates: Sequence[int]) -> float | None:
    """Epochs of the warm-up, in parts of them too; None where it goes on beyond those whose updates are given."""
    steps = settings.warmup_steps
    if steps is None:
        return float(settings.warmup)
    for epoch, count in enumerate(updates):
        if steps <= count:
            return epoch + steps / count
        steps -= count
    return None


def _risen(settings: OptimizerConfig, update: int, reached: float) -> float:
    """Part of the rate in an update of the warm-up; `reached` is the time at its end, in epochs."""
    steps = settings.warmup_steps
    return min(1.0, reached / float(settings.warmup) if steps is None else (update + 1) / steps)


def _settled_rate(settings: OptimizerConfig, history: History, selection: str, task: Task) -> float | None:
    """The rate where it follows from no time: constant, or after the plateaus so far."""
    if settings.schedule == "plateau":
        drops = _plateaus(badness(history, selection, task).tolist(), settings.plateau_patience)
        return max(settings.min_lr, settings.lr * settings.plateau_factor**drops)
    return settings.lr if settings.schedule == "constant" else None


def _plateaus(scores: Sequence[float], patience: int) -> int:
    """How often more than `patience` scores in a row, the lower the better, were not below the lowest before."""
    best, since, drops = math.inf, 0, 0
    for score in scores:
        since = 0 if score < best else since + 1
        best = min(best, score)
        if since > patience:
            since, drops = 0, drops + 1
    return drops


def _scheduled(settings: OptimizerConfig, since: float, span: float) -> float:
    """The rate so many epochs after the warm-up, of `span` until the end."""
    if settings.schedule == "step":
        return settings.lr * settings.step_factor ** int((since + ROUNDING) // settings.step_epochs)
    low, height = settings.min_lr, settings.lr - settings.min_lr
    if settings.schedule == "cosine":
        return low + height * 0.5 * (1 + math.cos(math.pi * since / span))
    if settings.schedule == "linear":
        return low + height * (1 - since / span)
    stable = settings.wsd_stable * span
    if since <= stable:
        return settings.lr
    return low + height * FALLS[settings.wsd_decay]((since - stable) / (span - stable))
