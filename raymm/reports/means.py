"""Means whose bits do not depend on the order of the numbers, so that equal results are equal."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

__all__ = ["exact_mean"]


def exact_mean(values: Sequence[float]) -> float:
    """The mean of a few numbers, such as scores of seeds, rounded once; NaN of none.

    >>> sum([0.3, 0.2, 0.1]) / 3, sum([0.1, 0.2, 0.3]) / 3
    (0.19999999999999998, 0.20000000000000004)
    >>> exact_mean([0.3, 0.2, 0.1]), exact_mean([0.1, 0.2, 0.3]), exact_mean([])
    (0.2, 0.2, nan)
    """
    return float(statistics.mean(map(float, values))) if len(values) else math.nan
