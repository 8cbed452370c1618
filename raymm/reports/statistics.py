"""Means and shares with confidence intervals, contributions by group, and McNemar's tests of paired answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

__all__ = [
    "Interval",
    "McNemar",
    "Mean",
    "Proportion",
    "broken_more_p",
    "mcnemar",
    "mean_interval",
    "mean_of",
    "nan_mean",
    "proportion",
    "without_nan",
]


@dataclass(frozen=True)
class Interval:
    """A confidence interval of a mean: `mean - margin` to `mean + margin`, from `count` values."""

    mean: float
    margin: float
    count: int


def mean_interval(values: npt.ArrayLike, level: float = 0.95) -> Interval:
    """Mean and margin of error of independent values, by Student's t.

    Parameters
    ----------
    values
        Any number of values of any shape; NaN is left out.
    level
        Share of such intervals that contain the true mean, where the values are normally distributed.

    Returns
    -------
    The margin is NaN below two values; without values the mean is NaN too.

    Examples
    --------
    >>> mean_interval([0.5, 1.5, float("nan"), -0.5])
    Interval(mean=0.5, margin=2.4841377117503303, count=3)
    """
    known = without_nan(values)
    count = len(known)
    # the margin itself, not `ttest_1samp(...).confidence_interval()`, which warns where all values are equal
    margin = stats.t.ppf((1 + level) / 2, count - 1) * stats.sem(known) if count > 1 else np.nan
    return Interval(nan_mean(known), float(margin), count)


@dataclass(frozen=True)
class Proportion:
    """A share of `count` samples with its confidence interval `low` to `high`; all NaN where there are none."""

    share: float
    low: float
    high: float
    count: int


def proportion(hits: int, count: int, level: float = 0.95) -> Proportion:
    """A share of samples with Wilson's score interval, which holds for small samples and near 0 and 1 too.

    Examples
    --------
    >>> found = proportion(3, 12)
    >>> found.share, round(found.low, 4), round(found.high, 4)
    (0.25, 0.0889, 0.5323)
    """
    if not count:
        return Proportion(float("nan"), float("nan"), float("nan"), 0)
    ends = stats.binomtest(int(hits), int(count)).proportion_ci(level, method="wilson")
    return Proportion(int(hits) / int(count), float(ends.low), float(ends.high), int(count))


@dataclass(frozen=True)
class McNemar:
    """Samples that only the first and only the second model predicts right, and the exact p of equal chances."""

    only_first: int
    only_second: int
    p: float


def mcnemar(first: npt.NDArray[np.bool_], second: npt.NDArray[np.bool_]) -> McNemar:
    """McNemar's exact test of two models' right predictions of the same samples, bool [N] each.

    Of the samples that only one of them predicts right, either model has each with probability one half.

    Examples
    --------
    >>> mcnemar(np.array([True, True, True, False]), np.array([False, False, True, False]))
    McNemar(only_first=2, only_second=0, p=0.5)
    """
    only_first, only_second = int((first & ~second).sum()), int((~first & second).sum())
    both = only_first + only_second
    p = float(stats.binomtest(only_first, both, 0.5).pvalue) if both else 1.0
    return McNemar(only_first, only_second, p)


def broken_more_p(broken: npt.ArrayLike, repaired: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """McNemar's exact test, one-sided: p of at least as many broken answers of those that changed, if either were as
    likely; 1 where none changed.

    Parameters
    ----------
    broken, repaired
        Right answers that turned wrong and wrong ones that turned right, whole numbers of one shape, which p has too.

    Examples
    --------
    >>> broken_more_p([3, 0], [0, 0]).tolist()
    [0.125, 1.0]
    """
    first = np.asarray(broken)
    return np.asarray(stats.binom.sf(first - 1, first + np.asarray(repaired), 0.5), np.float64)


def nan_mean(values: npt.ArrayLike) -> float:
    """The mean of the values that are not NaN; NaN, without a warning, where there is none."""
    known = without_nan(values)
    return float(known.mean()) if len(known) else float("nan")


def without_nan(values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """The values that are not NaN, in one dimension."""
    array = np.asarray(values, dtype=np.float64)
    return array[~np.isnan(array)]


@dataclass(frozen=True)
class Mean:
    """Contributions of one modality in one group.

    Attributes
    ----------
    group, modality
        Names.
    count
        Samples that have the modality.
    mean, margin
        Mean phi, and the margin of error of its 95 % interval (Student's t); NaN below two samples.
    low, negative
        Shares with phi below the fair share (NaN where the utility has none) and below 0.
    """

    group: str
    modality: str
    count: int
    mean: float
    margin: float
    low: float
    negative: float


def mean_of(phi: npt.NDArray[np.float64], group: str, modality: str, fair_share: float | None) -> Mean:
    """The mean of contributions [N]; NaN (a missing modality) is left out."""
    known = without_nan(phi)
    of_all = mean_interval(known)
    low = float("nan") if fair_share is None else nan_mean(known < fair_share)
    return Mean(group, modality, of_all.count, of_all.mean, of_all.margin, low, nan_mean(known < 0))
