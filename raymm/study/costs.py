"""What runs cost: totals of a run, and what an epoch costs before and after its warm-up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean, median
from typing import TYPE_CHECKING, Any

from raymm.methods.registry import get_method
from raymm.tracking import metrics as names
from raymm.tracking.of_an_epoch import epoch_seconds

if TYPE_CHECKING:
    from raymm.config.sections import Config

__all__ = [
    "COSTS",
    "TIMES",
    "EpochCost",
    "cost_of_epoch",
    "cost_of_run",
    "epoch_cost",
    "least",
    "pilot_epochs",
    "slower",
    "warmup_of_plan",
]

COSTS = ("rows", "encodings", "fusions", "backwards", "seconds", "cpu_seconds")
"""Costs that add up over epochs, those of valuing the training split included."""

RECORDED = {
    "rows": (names.ROWS,),
    "encodings": (names.ENCODINGS, names.VALUE_ENCODINGS),
    "fusions": (names.FUSIONS, names.VALUE_FUSIONS),
    "backwards": (names.BACKWARDS,),
    "cpu_seconds": (names.CPU_SECONDS,),
}
"""The metrics of an epoch that make up a cost."""

TIMES = ("seconds", "cpu_seconds")
"""Costs that the same work need not have again: other work on the machine adds to them, nothing takes away."""

AFTER = 3
"""Epochs after the warm-up that a pilot trains at least."""

ROUNDS = 2
"""Rounds of valuing the training split that a pilot trains at least."""

History = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class EpochCost:
    """What an epoch of an arm costs on a data set.

    Attributes
    ----------
    warmup
        Epochs before the first plan of extra rows; 0 for a method without one.
    before, after
        Cost of an epoch among them, and of one after them.
    """

    warmup: int
    before: float
    after: float

    def total(self, epochs: int) -> float:
        """Cost of a run of so many epochs.

        >>> EpochCost(warmup=5, before=10.0, after=25.0).total(9)
        150.0
        """
        return min(epochs, self.warmup) * self.before + max(0, epochs - self.warmup) * self.after

    def scaled(self, factor: float) -> EpochCost:
        """The costs where everything takes so many times as long."""
        return EpochCost(self.warmup, self.before * factor, self.after * factor)

    def epochs_for(self, budget: float) -> int:
        """Epochs whose cost comes nearest to a budget: one at least, and one after the warm-up.

        >>> cost = EpochCost(warmup=5, before=10.0, after=25.0)
        >>> cost.epochs_for(150.0), cost.epochs_for(161.0), cost.epochs_for(163.0), cost.epochs_for(1.0)
        (9, 9, 10, 6)
        """
        return max(1, self.warmup + max(round((budget - self.warmup * self.before) / self.after), self.warmup and 1))


def cost_of_epoch(metrics: Mapping[str, float], cost: str) -> float:
    """One of `COSTS` of an epoch, from its metrics; 0 where the run did not record it."""
    if cost == "seconds":
        return epoch_seconds(metrics)
    return float(sum(metrics.get(name, 0.0) for name in RECORDED[cost]))


def cost_of_run(history: History) -> dict[str, float]:
    """All `COSTS` of a run, and `memory`, its largest in bytes; 0 for what was not recorded."""
    totals = {cost: _sum(history, cost) for cost in COSTS}
    memory = max((entry["metrics"].get(names.MEMORY, 0.0) for entry in history), default=0.0)
    return {**totals, "memory": memory * 2**20}


def warmup_of_plan(config: Config) -> int:
    """Epochs before the first plan of extra rows; 0 for a method that makes none."""
    return 0 if get_method(config.method.name).needs == "nothing" else config.method.warmup


def pilot_epochs(config: Config) -> int:
    """Epochs of a pilot: the warm-up, and whole rounds of valuing after it, `ROUNDS` and `AFTER` epochs at least."""
    every = _round(config)
    return warmup_of_plan(config) + max(ROUNDS, -(-AFTER // every)) * every


def epoch_cost(history: History, config: Config, cost: str) -> EpochCost:
    """What an epoch costs, from the history of a pilot that was left before its last epoch.

    The last epoch of the warm-up is left out where there is another, since the training split is valued for the first
    time in it: a run of E epochs values the split after E - warm-up of its epochs, so that each of those that follow
    the warm-up pays for one valuation. Of seconds the first epoch is left out where there is another, since libraries
    load in it, and the median counts in the place of the mean: after the warm-up that of the means of whole rounds of
    `method.every` epochs, each with one valuation.
    """
    return _epoch_cost([cost_of_epoch(entry["metrics"], cost) for entry in history], config, timed=cost in TIMES)


def _epoch_cost(spent: Sequence[float], config: Config, *, timed: bool) -> EpochCost:
    warmup = warmup_of_plan(config)
    cold, average = (1, median) if timed else (0, fmean)
    first, rest = spent[:warmup], spent[warmup:] if warmup else spent[cold:] or spent
    before = first[cold:-1] or first[:-1] or first
    return EpochCost(warmup, average(before) if before else 0.0, average(_means_of_rounds(rest, _round(config))))


def least(histories: Sequence[History], cost: str) -> History:
    """Of each epoch the one that cost least, from histories of the same work."""
    measured = zip(*histories, strict=True)
    return [min(entries, key=lambda entry: cost_of_epoch(entry["metrics"], cost)) for entries in measured]


def slower(run: History, pilot: History, config: Config, cost: str) -> float:
    """How many times what a run should cost by the pilot of its arm it did cost, in seconds.

    What the pilot foretells of the whole run is corrected by how many more passes its encoders made, as a run of
    another seed does, and one whose copies become fewer. Of a method whose first epochs train other models than the
    rest (`Method.stage_epochs`), only the epochs of the pilot are compared.
    """
    if get_method(config.method.name).stage_epochs(config.method.settings, len(run)):
        run, pilot = run[1 : len(pilot)] or run[:1], pilot[1 : len(run)] or pilot[:1]
        return _sum(run, cost) / _sum(pilot, cost)
    passes, foretold = ([_encoder_passes(entry["metrics"]) for entry in history] for history in (run, pilot))
    more = sum(passes) / _epoch_cost(foretold, config, timed=False).total(len(run)) if any(foretold) else 1.0
    return _sum(run, cost) / (epoch_cost(pilot, config, cost).total(len(run)) * more)


def _sum(history: History, cost: str) -> float:
    return sum(cost_of_epoch(entry["metrics"], cost) for entry in history)


def _encoder_passes(metrics: Mapping[str, float]) -> float:
    """Encoder rows, those that are trained three times: a backward pass costs two forward passes."""
    return 3 * metrics.get(names.ENCODINGS, 0.0) + metrics.get(names.VALUE_ENCODINGS, 0.0)


def _round(config: Config) -> int:
    """Epochs from one valuation of the training split to the next; 1 for a method that has none."""
    return 1 if get_method(config.method.name).needs == "nothing" else config.method.every


def _means_of_rounds(spent: Sequence[float], every: int) -> list[float]:
    """The mean of each whole round; of all epochs where there is no whole one."""
    return [fmean(spent[end - every : end]) for end in range(every, len(spent) + 1, every)] or [fmean(spent)]
