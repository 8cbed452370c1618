"""Successive halving by promotion: which trial of a sweep trains next, and until which epoch.

Every trial trains until the first level; one in `factor` of those that reached a level is promoted to the next, and
the last level is the end of training (Jamieson and Talwalkar, "Non-stochastic Best Arm Identification and
Hyperparameter Optimization", AISTATS 2016). Nobody waits for a level to be full: a place that is free goes to a new
trial, and once all have begun to the highest level that has somebody to promote. Algorithm 2 (ASHA) of Li et al., "A
System for Massively Parallel Hyperparameter Tuning", MLSys 2020, promotes first, since it does not know how many will
come; here all are known, and who is promoted before the others were seen is often one too many. The scheduler of that
name in Ray Tune promotes nobody: it stops trials at the levels, and lets those pass that come first, since nothing is
known to compare them with.

Pure: what trains, and where its scores come from, is not known here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

__all__ = ["Halving", "Job", "first_level", "levels_of"]


@dataclass(frozen=True)
class Job:
    """A trial to train until the level of this index; the last is the end."""

    name: str
    level: int


def first_level(trials: int, warmup: int, epochs: int, factor: int) -> int:
    """The latest first level from which so many trials are divided by `factor` down to the last one.

    >>> first_level(trials=12, warmup=5, epochs=60, factor=3)  # divided twice: 55 / 9 epochs after the warm-up
    11
    """
    divisions = 1
    while factor ** (divisions + 1) <= trials:
        divisions += 1
    return min(epochs, warmup + max(1, round((epochs - warmup) / factor**divisions)))


def levels_of(first: int, warmup: int, epochs: int, factor: int) -> tuple[int, ...]:
    """Epochs at which trials are compared, and the end: from the first in equal ratios near `factor`.

    The epochs of a warm-up, in which all are alike, count for nothing where the first level is after them.

    >>> levels_of(first=11, warmup=5, epochs=60, factor=3)
    (11, 23, 60)
    >>> levels_of(first=6, warmup=0, epochs=10, factor=3)
    (6, 10)
    >>> levels_of(first=10, warmup=5, epochs=10, factor=3)
    (10,)
    """
    if first >= epochs:
        return (epochs,)
    alike = warmup if warmup < first else 0
    whole = (epochs - alike) / (first - alike)
    steps = max(1, round(math.log(whole, factor)))
    return tuple(sorted({alike + round((first - alike) * whole ** (step / steps)) for step in range(steps + 1)}))


@dataclass
class Halving:
    """The state of successive halving; a function of the calls, in their order.

    Parameters
    ----------
    names
        Trials, in the order in which they begin; of equal scores the first is the better.
    levels
        How many levels there are.
    factor
        One trial in so many is promoted.
    """

    names: Sequence[str]
    levels: int
    factor: int
    _scores: list[dict[str, float]] = field(init=False)
    _aims: dict[str, int] = field(default_factory=dict, init=False)
    """The level that each trial that began aims at, or has reached."""
    _running: set[str] = field(default_factory=set, init=False)
    _ended: set[str] = field(default_factory=set, init=False)
    _interrupted: list[str] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self._scores = [{} for _ in range(self.levels)]

    def restore(self, name: str, scores: Sequence[float], *, under_way: bool, ended: bool) -> None:
        """What is known of a trial from before: its score at each level that it reached.

        Parameters
        ----------
        name
            The trial.
        scores
            Of the levels, from the first.
        under_way
            Whether it was interrupted on the way to the next level, for which it goes on first.
        ended
            Whether it counts in comparisons only: it failed, or was stopped or finished.
        """
        for level, score in enumerate(scores):
            self._scores[level][name] = score
        if scores or under_way or ended:
            self._aims[name] = len(scores) if under_way else max(len(scores) - 1, 0)
        if ended:
            self._ended.add(name)
        elif under_way:
            self._interrupted.append(name)

    @property
    def over(self) -> bool:
        """Whether nothing trains and nothing is left to train."""
        return not self._running and self._choose() is None

    @property
    def waiting(self) -> list[str]:
        """Trials that reached a level and were not promoted."""
        return [name for name in self.names if name in self._aims and name not in self._ended | self._running]

    def take(self) -> Job | None:
        """The next job, which counts as begun; None when there is none before another one ends."""
        job = self._choose()
        if job is not None:
            self._interrupted = [name for name in self._interrupted if name != job.name]
            self._aims[job.name] = job.level
            self._running.add(job.name)
        return job

    def done(self, name: str, score: float) -> None:
        """A job has reached its level with this score; higher is better, and NaN the worst."""
        self._running.discard(name)
        self._scores[self._aims[name]][name] = score
        if self._aims[name] == self.levels - 1:
            self._ended.add(name)

    def lost(self, name: str) -> None:
        """A job has failed."""
        self._running.discard(name)
        self._ended.add(name)

    def _choose(self) -> Job | None:
        if self._interrupted:
            return Job(self._interrupted[0], self._aims[self._interrupted[0]])
        new = next((name for name in self.names if name not in self._aims), None)
        if new is not None:
            return Job(new, 0)
        for level in reversed(range(self.levels - 1)):
            for name in self._best(level)[: len(self._scores[level]) // self.factor]:
                if self._waits(name, level):
                    return Job(name, level + 1)
        return None if self._running or self._scores[-1] else self._last_resort()

    def _last_resort(self) -> Job | None:
        """Too few are left for one in so many, and none has trained to the end: the best of the highest level."""
        for level in reversed(range(self.levels - 1)):
            waiting = [name for name in self._best(level) if self._waits(name, level)]
            if waiting:
                return Job(waiting[0], level + 1)
        return None

    def _waits(self, name: str, level: int) -> bool:
        return self._aims[name] == level and name not in self._ended and name not in self._running

    def _best(self, level: int) -> list[str]:
        scores = self._scores[level]
        in_order = [name for name in self.names if name in scores]
        return sorted(in_order, key=lambda name: _worst_if_nan(scores[name]), reverse=True)


def _worst_if_nan(score: float) -> float:
    return -math.inf if math.isnan(score) else score
