"""Helpers of methods that add rows: from counts or probabilities to `ExtraRows`, and means over valued samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from raymm.methods.base import ExtraRows
from raymm.seeds import derive, keys_of, uniform

if TYPE_CHECKING:
    from raymm.methods.base import ResamplingInputs, Rows
    from raymm.methods.functions import Function

__all__ = ["bernoulli_copies", "copies_of", "mean_contributions", "random_subset"]


def copies_of(counts: npt.NDArray[np.int64]) -> ExtraRows:
    """Copies that keep one modality each, from a table of counts [N, n].

    >>> copies_of(np.array([[0, 2], [1, 0]])).keep.tolist()
    [2, 2, 1]
    """
    position, modality = np.nonzero(counts)
    repeats = counts[position, modality]
    return ExtraRows(np.repeat(position, repeats), np.int64(1) << np.repeat(modality, repeats))


def bernoulli_copies(inputs: ResamplingInputs, d: npt.NDArray[np.float64], fm: Function) -> ExtraRows:
    """One copy that keeps modality i of a sample with probability fm(d_i), d float64 [N, n]."""
    probability = np.clip(fm(d), 0.0, 1.0)
    drawn = inputs.draw("modality", probability.shape[1]) < probability
    return copies_of((drawn & inputs.present).astype(np.int64))


def mean_contributions(phi: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Mean over the samples that were valued and have the modality, [n]; NaN where there is none.

    >>> mean_contributions(np.array([[1.0, np.nan], [3.0, np.nan]])).tolist()
    [2.0, nan]
    """
    known = ~np.isnan(phi)
    total = np.where(known, phi, 0.0).sum(axis=0)
    return np.where(known.any(axis=0), total / np.maximum(known.sum(axis=0), 1), np.nan)


def random_subset(rows: Rows, part: float, seed: int) -> Rows:
    """Z: a random part of `rows`, without replacement, at least one, in ascending order.

    >>> len(random_subset(np.arange(100), 0.2, seed=0))
    20
    """
    count = max(1, round(part * len(rows)))
    order = np.argsort(uniform(keys_of(derive(seed, "subset"), rows), 1)[:, 0], kind="stable")
    return np.sort(rows[order[:count]])
