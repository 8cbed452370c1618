"""Processor time as a function of a size, and how it grows."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

__all__ = ["Series", "slope", "timed"]


@dataclass(frozen=True)
class Series:
    """Processor seconds of a work over one size.

    Attributes
    ----------
    what
        The work.
    over
        What the size is: "n", "samples" or "coalitions".
    formula
        What the work should be proportional to, for people.
    sizes, operations, seconds
        The sizes, the formula at each, and what was measured.
    """

    what: str
    over: str
    formula: str
    sizes: tuple[int, ...]
    operations: tuple[float, ...]
    seconds: tuple[float, ...]


def timed(
    what: str,
    over: str,
    formula: str,
    works: Mapping[int, tuple[float, Callable[[], object]]],
    rounds: int,
) -> Series:
    """Measure works, in turn, after each has been done once; of each the quickest round counts.

    Parameters
    ----------
    works
        Operations by the formula, and the work, by size.
    """
    for _, work in works.values():
        work()
    seconds = {size: min(_seconds(work) for _ in range(rounds)) for size, (_, work) in works.items()}
    operations = tuple(count for count, _ in works.values())
    return Series(what, over, formula, tuple(works), operations, tuple(seconds.values()))


def slope(series: Series) -> float:
    """Least-squares slope of log(seconds) over log(operations) in the larger half of the sizes; 1 is the formula.

    >>> round(slope(Series("", "", "", (1, 2, 3, 4), (1.0, 2.0, 4.0, 8.0), (5.0, 5.0, 1.0, 2.0))), 6)
    1.0
    """
    half = min(len(series.sizes) // 2, len(series.sizes) - 2)
    x, y = np.log(series.operations[half:]), np.log(series.seconds[half:])
    return float(np.polyfit(x, y, 1)[0])


def _seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return max(time.process_time() - began, 1e-9)
