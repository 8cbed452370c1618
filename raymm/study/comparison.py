"""Arms compared with the controls of a study: every statistic of each pair of arms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from raymm.reports.paired_statistics import effect_size, holm, p_of_mean, seed_interval, sign_flip, t_test
from raymm.reports.statistics import Interval, McNemar, mcnemar
from raymm.study.bootstrap import Range, hierarchical, over_samples, over_seeds
from raymm.study.figures import Figure, Pairing, Values, arms_of, paired, values_of
from raymm.study.samples import Samples

if TYPE_CHECKING:
    from raymm.study.results import StudyResults

__all__ = ["CONTROLS", "Against", "Comparison", "compare_all", "compare_arms", "controls_of"]

CONTROLS = ("joint", "joint_matched", "random", "multitask")
"""The arms that others are compared with, where a study has them."""


@dataclass(frozen=True)
class Comparison:
    """Two arms, by their differences in one figure: first less second, in pairs of the same data set and seed.

    Attributes
    ----------
    first, second
        Names of the arms.
    figure
        What is compared.
    by_data
        Student's t over the seeds of each data set; as of all intervals, the margin is NaN where all are equal.
    over_pairs, p_t
        Student's t over all pairs: mean, margin, p. Margin and p are NaN with one pair and where all are equal.
    over_seeds
        Student's t over the macro means of the seeds that every data set has a pair of.
    over_data
        Student's t over the means of the data sets: what another data set like them may show.
    by_seeds, by_samples, by_all
        Bootstrap intervals of the macro mean: over seeds, over test samples, over data sets, seeds and samples; None
        where they cannot be had.
    p_flips
        Of the sign-flip test over pairs.
    mcnemar
        McNemar's test in each data set, the predictions of its seeds pooled.
    effect
        Cohen's d_z over pairs.
    won, tied, lost
        Pairs in which the first is better, equal, worse.
    p
        The p value that is corrected: that of the t test, or of the sign flips where all differences are equal.
    p_holm
        After Holm's correction over the comparisons of the table that this one stands in.
    """

    first: str
    second: str
    figure: Figure
    by_data: Mapping[str, Interval]
    over_pairs: Interval
    p_t: float
    over_seeds: Interval
    over_data: Interval
    by_seeds: Range | None
    by_samples: Range | None
    by_all: Range | None
    p_flips: float
    mcnemar: Mapping[str, McNemar]
    effect: float
    won: int
    tied: int
    lost: int
    p: float
    data_sets: int
    p_holm: float = float("nan")

    @property
    def missing(self) -> int:
        """Data sets of the study without a pair."""
        return self.data_sets - len(self.by_data)

    @property
    def seeds(self) -> int:
        """The most seeds that a data set has pairs of."""
        return max((interval.count for interval in self.by_data.values()), default=0)

    @property
    def balanced(self) -> bool:
        """Whether all data sets that have pairs have as many."""
        return len({interval.count for interval in self.by_data.values()}) <= 1


@dataclass(frozen=True)
class Against:
    """All arms compared with one, in one figure: a family for Holm's correction."""

    second: str
    figure: Figure
    comparisons: tuple[Comparison, ...]


def controls_of(results: StudyResults) -> list[str]:
    """The controls among the arms, the reference first where it is none of them."""
    arms = arms_of(results)
    found = [name for name in CONTROLS if name in arms]
    return found if results.reference in found or results.reference not in arms else [results.reference, *found]


def compare_all(results: StudyResults, samples: Mapping[Figure, Samples]) -> list[Against]:
    """Every arm against every control, in every figure; two controls are compared once, under the earlier one.

    Parameters
    ----------
    samples
        The figures that are compared, with the test samples that they are of (`read_samples`); with `Samples()` there
        are no statistics over samples.
    """
    made = []
    controls = controls_of(results)
    for figure, of_figure in samples.items():
        values = values_of(results.runs, figure)
        for place, second in enumerate(controls):
            firsts = [arm for arm in arms_of(results) if arm not in controls[: place + 1]]
            found = [compare_arms(values, figure, first, second, of_figure) for first in firsts]
            found = [comparison for comparison in found if comparison.over_pairs.count]
            if found:
                made.append(Against(second, figure, _corrected(found)))
    return made


def compare_arms(values: Values, figure: Figure, first: str, second: str, samples: Samples) -> Comparison:
    """Every statistic of two arms; those over test samples where the samples have the runs of every pair."""
    pairing = paired(values, first, second)
    differences = pairing.all
    test = t_test(differences)
    resampled = _resampled(pairing, first, second, samples)
    better = np.sign(differences) * (1 if figure.higher else -1)
    return Comparison(
        first=first,
        second=second,
        figure=figure,
        by_data={data: seed_interval(found) for data, found in pairing.by_data.items()},
        over_pairs=test.interval,
        p_t=test.p,
        over_seeds=seed_interval(pairing.by_seed()),
        over_data=seed_interval(pairing.by_mean()),
        by_seeds=over_seeds(pairing.by_data),
        by_samples=over_samples(resampled),
        by_all=hierarchical(resampled),
        p_flips=sign_flip(differences),
        mcnemar=_mcnemar(pairing, first, second, samples),
        effect=effect_size(differences),
        won=int((better > 0).sum()),
        tied=int((better == 0).sum()),
        lost=int((better < 0).sum()),
        p=p_of_mean(differences),
        data_sets=len({data for of_arm in values.values() for data, _ in of_arm}),
    )


def _corrected(found: list[Comparison]) -> tuple[Comparison, ...]:
    corrected = holm([comparison.p for comparison in found])
    return tuple(replace(comparison, p_holm=p) for comparison, p in zip(found, corrected, strict=True))


def _resampled(pairing: Pairing, first: str, second: str, samples: Samples) -> dict[str, np.ndarray]:
    """Differences of resampled figures, [seeds, draws] by data set; nothing where a run of a pair has none."""
    made = {}
    for data, seeds in pairing.seeds.items():
        sides = [[(data, arm, seed) for seed in seeds] for arm in (first, second)]
        if not all(key in samples.resampled for side in sides for key in side):
            return {}
        left, right = (np.stack([samples.resampled[key] for key in side]) for side in sides)
        made[data] = left - right
    return made


def _mcnemar(pairing: Pairing, first: str, second: str, samples: Samples) -> dict[str, McNemar]:
    """Of samples that are right or wrong; errors have the bootstrap over samples (`by_samples`) alone."""
    made = {}
    known = {key: values.astype(np.bool_) for key, values in samples.values.items() if values.dtype == np.bool_}
    for data, seeds in pairing.seeds.items():
        both = [
            (known[data, first, seed], known[data, second, seed])
            for seed in seeds
            if (data, first, seed) in known and (data, second, seed) in known
        ]
        if both:
            left, right = (np.concatenate(side) for side in zip(*both, strict=True))
            made[data] = mcnemar(left, right)
    return made
