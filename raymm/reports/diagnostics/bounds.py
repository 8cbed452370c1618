"""Levels and bounds that the signatures share.

Where a signature says that something is there, it does so at `SIGNATURE_LEVEL`, divided by Bonferroni over the
modalities and the epochs, or the classes, that are looked at. These six raise a false alarm in at most
6 x 0.5 % = 3 % of runs, less than 1 in 20. Where one says that something is *not shown*, the level is that of the
test that would have shown it, `SHOWN_LEVEL`.
"""

import math

from scipy import stats

__all__ = ["SHOWN_LEVEL", "SIGNATURE_LEVEL", "WINDOW", "difference_error", "points", "quantile"]

SIGNATURE_LEVEL = 0.005
"""Chance of a false alarm of one signature in a whole run."""

SHOWN_LEVEL = 0.05
"""Level at which an accuracy above chance, or a gain, counts as shown: the usual one."""

WINDOW = 3
"""Epochs in a row in which a finding must hold: one epoch may be a spike of the loss."""


def quantile(level: float) -> float:
    """The standard normal deviate that is exceeded with a probability.

    >>> round(quantile(0.05), 3)
    1.645
    """
    return float(stats.norm.isf(level))


def difference_error(first: float, second: float, samples: int) -> float:
    """Standard error of the difference of two accuracies on as many samples.

    That of independent samples. On the same samples two epochs of a run err together, so it is an upper bound.
    """
    return math.sqrt(max(first * (1 - first) + second * (1 - second), 0.0) / samples)


def points(share: float, *, signed: bool = False) -> str:
    """A share in percent, or a difference in points.

    >>> points(0.0541), points(0.0541, signed=True)
    ('5.4', '+5.4')
    """
    return f"{100 * share:+.1f}" if signed else f"{100 * share:.1f}"
