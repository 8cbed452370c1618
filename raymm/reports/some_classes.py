"""Of very many classes, those that a plot or a table shows."""

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["MOST_CLASSES", "furthest_apart", "some_classes"]

MOST_CLASSES = 200
"""Rows of classes at most: of 6,000, a plot would be 265,000 pixels high."""


def some_classes(key: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    """Numbers of the classes to show, in order: those with the least keys [K].

    >>> len(some_classes(np.arange(300))), some_classes(np.array([0.5, 0.1])).tolist()
    (200, [0, 1])
    """
    return np.sort(np.argsort(key, kind="stable")[:MOST_CLASSES])


def furthest_apart(mean: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """Numbers of the classes to show, those whose modalities are furthest apart; means are [K, n], NaN for none."""
    known = ~np.isnan(mean)
    apart = np.where(known, mean, -np.inf).max(axis=1) - np.where(known, mean, np.inf).min(axis=1)
    return some_classes(-apart)
