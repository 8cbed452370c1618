"""Statistics of paired differences: Student's t, sign flips, Holm, effect size.

All are two-sided. Where a statistic is not defined (one value, no spread), it is NaN, and never a number that looks
like a result.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import stats

from raymm.reports.statistics import Interval, mean_interval
from raymm.seeds import derive

__all__ = [
    "LEVEL",
    "RESOLUTION",
    "ROUNDING",
    "TTest",
    "differences",
    "effect_size",
    "has_no_spread",
    "holm",
    "p_of_equal",
    "p_of_mean",
    "seed_interval",
    "settled",
    "sign_flip",
    "t_test",
]

Array = npt.NDArray[np.float64]

LEVEL = 0.05
"""A difference is shown where p, corrected, is at most this."""

EXACT_PAIRS = 16
"""Up to so many pairs, all 2^pairs sign flips are enumerated."""
DRAWN_FLIPS = 2**16
"""Sign flips that are drawn of more pairs."""
ROUNDING = 1e-12
"""Differences that agree to this part of the numbers that they are of are equal: it is rounding."""
RESOLUTION = 1e-8
"""Sums of differences that agree to this part of the sum of their sizes are tied, and a margin of this part of its
mean is none. Shares of up to 1e7 are further apart in as many pairs as are enumerated, and rounded by less."""


@dataclass(frozen=True)
class TTest:
    """Student's t test of a mean against 0, with its 95 % interval; `p` and margin are NaN where all are equal."""

    interval: Interval
    p: float


def differences(first: npt.ArrayLike, second: npt.ArrayLike) -> Array:
    """`first - second`, without the rounding by which equal differences would seem to differ.

    Examples
    --------
    >>> (0.8 - 0.7 == 0.9 - 0.8), bool(np.ptp(differences([0.8, 0.9], [0.7, 0.8])) == 0)
    (False, True)
    """
    left, right = np.asarray(first, np.float64), np.asarray(second, np.float64)
    return settled(left - right, ROUNDING * np.maximum(np.abs(left), np.abs(right)))


def settled(values: npt.ArrayLike, rounding: npt.ArrayLike) -> Array:
    """Values of which those whose sizes are equal, up to what each may be off by, have one size, and 0 is exact.

    The size is the least of them. No grid: next to its steps, equal values would be apart. A value that is known well
    is not drawn to one that is known less well, such as one in another unit, nor to 0.

    Parameters
    ----------
    values, rounding
        [N], and what each may be off by: [N] or one number for all.

    Examples
    --------
    >>> settled([0.3, -0.30000001, 1e-9, 0.4], 1e-8).tolist()
    [0.3, -0.3, 0.0, 0.4]
    >>> settled([1e-7, 5e-7], [1e-16, 1e-6]).tolist()
    [1e-07, 0.0]
    """
    array = np.asarray(values, np.float64)
    off = np.broadcast_to(np.asarray(rounding, np.float64), array.shape)
    sizes = np.where(np.abs(array) <= off, 0.0, np.abs(array))
    order = np.argsort(sizes, kind="stable")
    ascending, known = (np.concatenate([[0.0], each[order]]) for each in (sizes, np.where(sizes > 0, off, 0.0)))
    apart = ~(np.diff(ascending) <= 2 * np.minimum(known[1:], known[:-1]))  # NaN is apart from all
    heads = np.concatenate([[0.0], ascending[1:][apart]])
    found = np.empty_like(array)
    found[order] = heads[np.cumsum(apart)]
    return np.copysign(found, array) + 0.0  # no -0


def has_no_spread(interval: Interval) -> bool:
    """Whether all of several values of an interval are equal, up to rounding, so that it is none.

    >>> has_no_spread(Interval(0.4, 2e-17, 3)), has_no_spread(Interval(0.4, float("nan"), 3))
    (True, True)
    >>> has_no_spread(Interval(0.4, 0.01, 3)), has_no_spread(Interval(0.4, float("nan"), 1))
    (False, False)
    """
    return interval.count > 1 and not interval.margin > RESOLUTION * abs(interval.mean)


def seed_interval(values: npt.ArrayLike, level: float = 0.95) -> Interval:
    """`mean_interval` of few values, such as of seeds: without a margin where all are equal, which proves nothing.

    >>> seed_interval([0.3, 0.3, 0.3]).margin
    nan
    """
    found = mean_interval(values, level)
    return replace(found, margin=float("nan")) if has_no_spread(found) else found


def t_test(values: npt.ArrayLike) -> TTest:
    """The one-sample t test; of paired differences, the paired test.

    Examples
    --------
    >>> found = t_test([1.0, 2.0, 3.0])
    >>> found.interval.mean, round(found.interval.margin, 4), round(found.p, 4)
    (2.0, 2.4841, 0.0742)
    """
    array = np.asarray(values, np.float64)
    interval = seed_interval(array)
    if len(array) < 2 or np.ptp(array) == 0:
        return TTest(interval, float("nan"))
    t = interval.mean / stats.sem(array)
    return TTest(interval, float(2 * stats.t.sf(abs(t), len(array) - 1)))


def sign_flip(values: npt.ArrayLike) -> float:
    """p of a permutation test: how often a mean is as far from 0 when the sign of each difference is by chance.

    Under the hypothesis that the two sides of each pair could be exchanged. All sign flips are enumerated up to
    `EXACT_PAIRS` pairs; of more, `DRAWN_FLIPS` are drawn by a fixed key, and the observed one counts as one of them
    (Phipson and Smyth, 2010), so that p is never 0. Sums that agree up to `RESOLUTION` are tied, and count.

    Examples
    --------
    >>> sign_flip([1.0, 2.0, 3.0, 4.0, 5.0])  # 2 of 32
    0.0625
    """
    array = np.asarray(values, np.float64)
    if not len(array):
        return float("nan")
    least = abs(array.sum()) - RESOLUTION * np.abs(array).sum()
    if len(array) <= EXACT_PAIRS:
        flips = (np.arange(2 ** len(array))[:, None] >> np.arange(len(array))) & 1
        return float(_as_far(array, flips, least).mean())
    generator = np.random.default_rng(derive(0, "study", "sign flips", len(array)))
    count = sum(
        int(_as_far(array, generator.integers(0, 2, (2**12, len(array))), least).sum())
        for _ in range(DRAWN_FLIPS // 2**12)
    )
    return (1 + count) / (1 + DRAWN_FLIPS)


def p_of_mean(values: npt.ArrayLike) -> float:
    """p of the t test of a mean against 0, of sign flips where all values are equal, and NaN below two values.

    That all are equal proves nothing: with two seeds it happens by chance.

    Examples
    --------
    >>> round(p_of_mean([1.0, 2.0, 3.0]), 4), p_of_mean([0.01, 0.01]), p_of_mean([0.01])
    (0.0742, 0.5, nan)
    """
    array = np.asarray(values, np.float64)
    if len(array) < 2 or np.ptp(array):
        return t_test(array).p
    return p_of_equal(len(array)) if array[0] else 1.0


def p_of_equal(count: int) -> float:
    """p by sign flips of so many equal differences: all signs alike, either way, of 2^count."""
    return 2.0 ** (1 - count)


def holm(p: Sequence[float]) -> list[float]:
    """Holm's step-down correction: with it, at most 5 % of such families have a false one below 0.05.

    NaN is no comparison: it stays, and does not count.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03, float("nan")])
    [0.03, 0.06, 0.06, nan]
    """
    values = np.asarray(p, np.float64)
    order = [int(place) for place in np.argsort(values, kind="stable") if not np.isnan(values[place])]
    corrected, largest = values.copy(), 0.0
    for rank, place in enumerate(order):
        largest = max(largest, (len(order) - rank) * values[place])
        corrected[place] = min(1.0, largest)
    return [float(value) for value in corrected]


def effect_size(values: npt.ArrayLike) -> float:
    """Cohen's d_z of paired differences: their mean over their standard deviation; NaN where they have none.

    Examples
    --------
    >>> effect_size([1.0, 2.0, 3.0]), effect_size([1.0, 1.0])
    (2.0, nan)
    """
    array = np.asarray(values, np.float64)
    if len(array) < 2 or np.ptp(array) == 0:
        return float("nan")
    return float(array.mean() / array.std(ddof=1))


def _as_far(values: Array, flips: npt.NDArray[np.int64], least: float) -> npt.NDArray[np.bool_]:
    """Whether the sum under each row of flips (0 or 1) is at least so far from 0."""
    far: npt.NDArray[np.bool_] = np.abs((1 - 2 * flips) @ values) >= least
    return far
