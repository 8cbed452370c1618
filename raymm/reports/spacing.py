"""Fewer of many: which ones are drawn, or written, where all would be too many."""

from __future__ import annotations

import numpy as np

__all__ = ["evenly"]


def evenly(count: int, most: int) -> list[int]:
    """At most `most` evenly spaced numbers below `count`, with the first and the last one; all where these are fewer.

    >>> evenly(3, 8), evenly(16, 4)
    ([0, 1, 2], [0, 5, 10, 15])
    """
    return list(range(count)) if count <= most else np.linspace(0, count - 1, most).round().astype(int).tolist()
