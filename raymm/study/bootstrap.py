"""Bootstrap intervals of a macro mean: over seeds, over samples, and over data sets, seeds and samples together.

Percentile intervals of `DRAWS` draws by fixed keys, so that they are the same each time. They take few values for all
that there are: of five seeds, a percentile interval is narrower than Student's t, and holds the true mean less often
than 95 % of the time. So verdicts do not rest on them.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from raymm.reports.paired_statistics import RESOLUTION
from raymm.seeds import derive

__all__ = ["DRAWS", "Range", "hierarchical", "over_samples", "over_seeds", "resampled_means"]

Array = npt.NDArray[np.float64]
Range = tuple[float, float]
"""The ends of a 95 % interval."""

DRAWS = 4000
CELLS = 2**22
"""Numbers that are drawn at a time."""


def resampled_means(values: npt.NDArray[np.bool_] | Array, key: str) -> Array:
    """Means over samples that are drawn with replacement; of each draw, the same samples in every row.

    Parameters
    ----------
    values
        A row a run, a column a sample: [R, N].
    key
        Of the draws: what shares it is resampled alike.

    Returns
    -------
    float64 [R, DRAWS].
    """
    numbers = np.asarray(values, np.float64)
    samples = numbers.shape[1]
    generator = np.random.default_rng(derive(0, "study", "samples", key))
    made, step = [], max(1, CELLS // samples)
    for start in range(0, DRAWS, step):
        draws = min(step, DRAWS - start)
        drawn = generator.integers(0, samples, (draws, samples)) + samples * np.arange(draws)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=draws * samples).reshape(draws, samples)
        made.append(numbers @ counts.T / samples)
    return np.concatenate(made, axis=1)


def over_seeds(by_data: Mapping[str, Array]) -> Range | None:
    """The interval of the mean over data sets of the mean over seeds, seeds drawn anew in each data set.

    Parameters
    ----------
    by_data
        A difference a seed, [seeds], by data set.

    Returns
    -------
    None where a data set has one seed, and where all draws are alike.
    """
    if not by_data or min(map(len, by_data.values())) < 2:
        return None
    generator = np.random.default_rng(derive(0, "study", "seeds"))
    means = [
        values[generator.integers(0, len(values), (DRAWS, len(values)))].mean(axis=1) for values in by_data.values()
    ]
    return _range(np.mean(means, axis=0))


def over_samples(by_data: Mapping[str, Array]) -> Range | None:
    """The interval of the same mean for these data sets and seeds, over test samples alone.

    Parameters
    ----------
    by_data
        Differences of `resampled_means`, [seeds, DRAWS], by data set.
    """
    if not by_data:
        return None
    return _range(np.mean([values.mean(axis=0) for values in by_data.values()], axis=0))


def hierarchical(by_data: Mapping[str, Array]) -> Range | None:
    """The interval of the same mean over data sets, in each over seeds, and in each over test samples.

    A data set is drawn as often as there are data sets; each time it is, so many seeds as it has are drawn, and one
    draw of its samples, which these seeds share since they were tested on the same.

    Parameters
    ----------
    by_data
        Differences of `resampled_means`, [seeds, DRAWS], by data set.

    Returns
    -------
    None where a data set has one seed, and where all draws are alike.
    """
    if not by_data or min(map(len, by_data.values())) < 2:
        return None
    generator = np.random.default_rng(derive(0, "study", "hierarchical"))
    tables = list(by_data.values())
    chosen = generator.integers(0, len(tables), (DRAWS, len(tables)))
    means = np.empty(chosen.shape)
    for number, table in enumerate(tables):
        here = chosen == number
        count = int(here.sum())
        seeds = generator.integers(0, len(table), (count, len(table)))
        samples = generator.integers(0, table.shape[1], (count, 1))
        means[here] = table[seeds, samples].mean(axis=1)
    return _range(means.mean(axis=1))


def _range(values: Array) -> Range | None:
    """The ends; None where they are equal up to rounding: what is drawn has no spread, which proves nothing."""
    low, high = (float(end) for end in np.quantile(values, [0.025, 0.975]))
    return (low, high) if high - low > RESOLUTION * max(abs(low), abs(high)) else None
