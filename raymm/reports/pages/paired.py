"""Differences of two models on the same samples, and of two methods over the same seeds, with intervals."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from raymm.reports.pages.words import listed, p_text, plus_minus
from raymm.reports.paired_statistics import LEVEL, differences, p_of_mean, seed_interval
from raymm.reports.statistics import Interval, mcnemar, mean_interval, nan_mean

if TYPE_CHECKING:
    from raymm.reports.pages.verdict import Tone
    from raymm.valuation.table import ValuationTable

__all__ = ["PHI", "Difference", "over_samples", "over_seeds", "per_sample", "phi_not_shown", "score_of"]

PHI = "phi "
"""How the figures of contributions begin; the name of the modality follows."""

Figures = Mapping[str, npt.NDArray[np.float64]]
"""By the name of a figure, its values: of samples, in the order of their ids, or of seeds."""


@dataclass(frozen=True)
class Difference:
    """One figure of two models or methods: the first less the second.

    Attributes
    ----------
    figure
        "accuracy" (or another metric), or "phi NAME".
    first, second
        Means of both over the pairs.
    interval
        Of the differences of the pairs, by Student's t, at the level that holds for all differences of this kind
        that are told together (Bonferroni): the scores of all columns, or the contributions of all modalities.
        Without a margin where all pairs have the same difference, which is judged by sign flips.
    only_first, only_second
        Of right answers on samples: those that only the one has; None otherwise.
    p
        Of right answers on samples by McNemar's exact test, of pairs that all have the same difference by sign flips,
        times the number of differences; None otherwise.
    samples
        Of pairs of seeds, the same over test samples: of the differences of a sample, averaged over the seeds.
        Without a margin where the figure is no mean over samples.
    """

    figure: str
    first: float
    second: float
    interval: Interval
    only_first: int | None = None
    only_second: int | None = None
    p: float | None = None
    samples: Interval | None = None

    @property
    def shown(self) -> bool:
        """Whether it is shown: by a test where there is one, else where the interval excludes 0."""
        if self.p is not None:
            return self.p <= LEVEL
        return self.interval.count > 1 and abs(self.interval.mean) > self.interval.margin

    def tone(self, *, higher: bool) -> Tone:
        """Whether the first is shown to be better or worse, where `higher` says which is better of the figure."""
        if not self.shown:
            return "plain"
        return "good" if (self.interval.mean > 0) == higher else "bad"

    def words(self, first: str, second: str) -> str:
        """The difference of two models or methods of these names with its interval, and whether it is shown."""
        text = plus_minus(self.interval, signed=True)
        if self.only_first is not None:
            text += f", {self.only_first:,} right only with {first} and {self.only_second:,} only with {second}"
        elif self.p is not None:
            text += f", the same in all {self.interval.count:,} pairs ({p_text(self.p)} by sign flips)"
        return f"{text}: {'shown' if self.shown else 'not shown'}"


def score_of(table: ValuationTable, metric: str) -> str:
    """What models are compared by: "accuracy" where the task says which answers are right, else `metric`."""
    return "accuracy" if table.shows_right else metric


def per_sample(
    table: ValuationTable, metric: str, read: Collection[str] | None = None
) -> dict[str, npt.NDArray[np.float64]]:
    """What is compared of each sample, in the order of the sample ids: the score, and phi of each modality.

    The score is whether the answer is right, else what `metric` is the mean of; it is left out where it is no mean.
    phi is NaN where a sample lacks the modality, or the model does not read it.
    """
    order, name = np.argsort(table.sample_id, kind="stable"), score_of(table, metric)
    score = table.task.of_samples(name, table.prediction, table.label)
    found = {} if score is None else {name: score.astype(np.float64)[order]}
    for at, name in enumerate(table.info.modalities):
        unread = read is not None and name not in read
        found[f"{PHI}{name}"] = np.full(len(table), np.nan) if unread else table.phi[order, at]
    return found


def over_samples(first: Figures, second: Figures, *, hard: bool, tests: int = 1) -> list[Difference]:
    """Differences of two models, paired by sample.

    Parameters
    ----------
    first, second
        Of `per_sample`, of tables of the same samples.
    hard
        Whether "accuracy" is of answers that are right or wrong, which McNemar's test is for.
    tests
        Pairs of models that are told together.
    """
    return [
        _of_samples(name, first[name], second[name], told, binary=hard and name == "accuracy")
        for name, told in _together(first, second, tests)
    ]


def over_seeds(first: Sequence[Figures], second: Sequence[Figures], tests: int = 1) -> list[Difference]:
    """Differences of two methods, paired by seed.

    Parameters
    ----------
    first, second
        A model a seed, of the same seeds and in the same order: its figures of the samples (`per_sample`), and as one
        value what is no mean over them.
    tests
        Pairs of methods that are told together.
    """
    made = []
    for name, told in _together(first[0], second[0], tests):
        left, right = (np.array([each[name] for each in side]) for side in (first, second))
        means = [np.array([nan_mean(row) for row in side]) for side in (left, right)]
        interval, p = _tested(means[0], means[1], told)
        samples = seed_interval(differences(left.mean(axis=0), right.mean(axis=0)), _level(told))
        made.append(Difference(name, nan_mean(means[0]), nan_mean(means[1]), interval, p=p, samples=samples))
    return made


def phi_not_shown(differences: Sequence[Difference]) -> str:
    """A sentence on the modalities that have pairs and whose phi is not shown to differ; empty without one."""
    phis = [each for each in differences if each.figure.startswith(PHI) and each.interval.count and not each.shown]
    names = listed([each.figure.removeprefix(PHI) for each in phis])
    return f"no difference in phi is shown for {names}." if names else ""


def _together(first: Figures, second: Figures, tests: int) -> list[tuple[str, int]]:
    """Figures that both have, each with how many of its kind are told together."""
    common = [name for name in first if name in second]
    phis = sum(name.startswith(PHI) for name in common)
    return [(name, tests * (phis if name.startswith(PHI) else 1)) for name in common]


def _of_samples(
    name: str, left: npt.NDArray[np.float64], right: npt.NDArray[np.float64], tests: int, *, binary: bool
) -> Difference:
    both = ~np.isnan(left) & ~np.isnan(right)
    left, right = left[both], right[both]
    if not binary:
        interval, p = _tested(left, right, tests)
        return Difference(name, nan_mean(left), nan_mean(right), interval, p=p)
    test = mcnemar(left.astype(bool), right.astype(bool))
    p, interval = min(1.0, tests * test.p), _interval(left - right, tests)
    return Difference(name, nan_mean(left), nan_mean(right), interval, test.only_first, test.only_second, p)


def _tested(
    left: npt.NDArray[np.float64], right: npt.NDArray[np.float64], tests: int
) -> tuple[Interval, float | None]:
    """The interval of the differences of pairs; where they are all the same, no margin but p of sign flips."""
    both = ~np.isnan(left) & ~np.isnan(right)
    apart = differences(left[both], right[both])
    if len(apart) < 2 or np.ptp(apart):
        return _interval(apart, tests), None
    return Interval(float(apart[0]), float("nan"), len(apart)), min(1.0, tests * p_of_mean(apart))


def _interval(values: npt.NDArray[np.float64], tests: int) -> Interval:
    return mean_interval(values, _level(tests))


def _level(tests: int) -> float:
    return 1 - LEVEL / max(1, tests)
