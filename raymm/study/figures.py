"""The figures that a study compares: one number a run, by arm, data set and seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import isfinite
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from raymm.reports.means import exact_mean
from raymm.reports.paired_statistics import ROUNDING, differences, settled
from raymm.tracking.metrics import UNCALIBRATED_TEST, parse, split_metric
from raymm.tracking.units import unit_among

if TYPE_CHECKING:
    from raymm.study.results import RunRecord, StudyResults

__all__ = ["Figure", "Pairing", "Values", "arms_of", "data_of", "figures_of", "macro_mean", "paired", "values_of"]

Values = Mapping[str, Mapping[tuple[str, int], float]]
"""By arm, and by data set and seed."""


@dataclass(frozen=True)
class Figure:
    """What is compared: a metric on the test split.

    Attributes
    ----------
    name
        For people, such as "accuracy" or "accuracy as trained".
    metric
        Such as "accuracy".
    higher
        Whether more is better.
    share
        Whether it is a share, which people write in points.
    splits
        By whose metric it is, the first that a run has: "test", or before it "uncalibrated_test".
    unit
        Of the metric in these runs; "" where that is not known.
    """

    name: str
    metric: str
    higher: bool
    share: bool
    splits: tuple[str, ...] = ("test",)
    unit: str = ""

    def split_of(self, run: RunRecord) -> str | None:
        """The split that the figure of a run is of, which is also that of its test table; None where it has none."""
        return next((split for split in self.splits if split_metric(split, self.metric) in run.metrics), None)

    def of(self, run: RunRecord) -> float:
        """The figure of a run; NaN where it has none."""
        split = self.split_of(run)
        return float("nan") if split is None else float(run.metrics[split_metric(split, self.metric)])


@dataclass(frozen=True)
class Pairing:
    """The pairs of two arms: runs of the same data set and seed.

    Attributes
    ----------
    seeds
        Of each data set, in order.
    by_data
        First arm less second, float64 [seeds], by data set; data sets without a pair are left out.
    rounding
        What means of them may be off by, by data set: they may be in different units.
    """

    seeds: Mapping[str, tuple[int, ...]]
    by_data: Mapping[str, npt.NDArray[np.float64]]
    rounding: Mapping[str, float]

    @property
    def all(self) -> npt.NDArray[np.float64]:
        """The differences of all pairs."""
        return np.concatenate([*self.by_data.values(), np.empty(0)])

    def by_seed(self) -> npt.NDArray[np.float64]:
        """Means over the data sets, of each seed that every data set has a pair of."""
        if not self.seeds:
            return np.empty(0)
        common = sorted(set.intersection(*map(set, self.seeds.values())))
        places = {data: [seeds.index(seed) for seed in common] for data, seeds in self.seeds.items()}
        off = max(self.rounding.values())
        return settled(np.mean([self.by_data[name][at] for name, at in places.items()], axis=0), off)

    def by_mean(self) -> npt.NDArray[np.float64]:
        """Means over the seeds, of each data set."""
        return settled([found.mean() for found in self.by_data.values()], list(self.rounding.values()))


def figures_of(results: StudyResults) -> list[Figure]:
    """The metric on test; where runs have that of the model before calibration too, it comes second."""
    declared = parse(split_metric("test", results.metric))
    share = declared is not None and declared.metric.unit == "share"
    unit = unit_among(split_metric("test", results.metric), results.runs[0].metrics) if results.runs else ""
    found = [Figure(results.metric, results.metric, results.higher, share, unit=unit)]
    trained = replace(found[0], name=f"{results.metric} as trained", splits=(UNCALIBRATED_TEST, "test"))
    if any(trained.split_of(run) == UNCALIBRATED_TEST for run in results.runs):
        found.append(trained)
    return found


def values_of(runs: Sequence[RunRecord], figure: Figure) -> Values:
    """The figure of every run that has it as a finite number."""
    values: dict[str, dict[tuple[str, int], float]] = {run.arm: {} for run in runs}
    for run in runs:
        if isfinite(found := figure.of(run)):
            values[run.arm][run.data, run.seed] = found
    return values


def paired(values: Values, first: str, second: str) -> Pairing:
    """The pairs of two arms, with equal differences made equal (`differences`)."""
    left, right = values.get(first, {}), values.get(second, {})
    common = sorted(set(left) & set(right))
    sides = np.array([[left[pair], right[pair]] for pair in common]).reshape(-1, 2)
    found = differences(*sides.T)
    names = list(dict.fromkeys(data for data, _ in common))
    places = {name: [place for place, (data, _) in enumerate(common) if data == name] for name in names}
    return Pairing(
        {name: tuple(common[place][1] for place in of_data) for name, of_data in places.items()},
        {name: found[of_data] for name, of_data in places.items()},
        {name: ROUNDING * float(np.abs(sides[of_data]).max()) for name, of_data in places.items()},
    )


def macro_mean(values: Values, arm: str, data: Sequence[str]) -> float:
    """The mean over data sets of the mean over seeds; NaN where the arm lacks one of the data sets."""
    of_arm = values.get(arm, {})
    found = [[value for (name, _), value in of_arm.items() if name == each] for each in data]
    return exact_mean([exact_mean(of_data) for of_data in found]) if found and all(found) else float("nan")


def data_of(results: StudyResults) -> list[str]:
    """Names of the data sets, in the order of the runs."""
    return list(dict.fromkeys(run.data for run in results.runs))


def arms_of(results: StudyResults) -> list[str]:
    """Names of the arms, in the order of the runs."""
    return list(dict.fromkeys(run.arm for run in results.runs))
