"""Contributions and right answers by class and by pattern of present modalities, in one pass over the columns.

Sums by group instead of a mask a group: a table of a million samples and a thousand classes takes seconds, and no
more memory than its columns.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy import stats

if TYPE_CHECKING:
    from raymm.valuation.table import ValuationTable

__all__ = ["ClassCounts", "Groups", "by_class", "by_pattern", "class_counts"]

CHUNK = 2**16
Array = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Groups:
    """Figures of G groups of samples.

    Attributes
    ----------
    samples
        In each group, int64 [G].
    right
        Of these, those that all modalities together predict right, int64 [G]; None where the task does not say.
    present
        Of these, those that have each modality, int64 [G, n].
    mean, margin
        Mean phi over them and the margin of its 95 % interval (Student's t), [G, n]; NaN below one and two samples.
    """

    samples: npt.NDArray[np.int64]
    right: npt.NDArray[np.int64] | None
    present: npt.NDArray[np.int64]
    mean: Array
    margin: Array


@dataclass(frozen=True)
class ClassCounts:
    """Samples of each class, those that were answered so, and those of both, int64 [K] each."""

    samples: npt.NDArray[np.int64]
    answered: npt.NDArray[np.int64]
    hits: npt.NDArray[np.int64]


def by_class(table: ValuationTable, classes: int) -> Groups:
    """Figures of each class; a sample of several classes counts in each."""
    if table.task.by_argmax:
        return _groups(table, lambda values: _by_number(table.label, values, classes))
    return _groups(table, lambda values: _by_membership(table, values, classes))


def by_pattern(table: ValuationTable) -> tuple[npt.NDArray[np.bool_], Groups]:
    """Which modalities are there, bool [G, n], the most frequent pattern first, and figures of each pattern."""
    present = ~np.isnan(table.phi)
    packed = np.packbits(present, axis=1)
    _, first, number, counts = np.unique(packed, axis=0, return_index=True, return_inverse=True, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    groups = _groups(table, lambda values: _by_number(place[number.ravel()], values, len(order)))
    return present[first[order]], groups


def class_counts(table: ValuationTable, classes: int) -> ClassCounts:
    """Samples, answers and hits of each class."""
    if table.task.by_argmax:
        hit = table.label == table.prediction
        counted = (table.label, table.prediction, table.label[hit])
        return ClassCounts(*(np.bincount(each, minlength=classes) for each in counted))
    sums = np.zeros((3, classes), np.int64)
    for start in range(0, len(table), CHUNK):
        own, said = (
            table.task.class_membership(each[start : start + CHUNK], classes)
            for each in (table.label, table.prediction)
        )
        sums += [own.sum(axis=0), said.sum(axis=0), (own & said).sum(axis=0)]
    return ClassCounts(*sums)


def _groups(table: ValuationTable, sums: Callable[[Array], Array]) -> Groups:
    """Figures from a function that sums values [N, m] by group, [G, m]."""
    n = len(table.info.modalities)
    present = ~np.isnan(table.phi)
    middle = np.array([table.phi[present[:, at], at].mean() if present[:, at].any() else 0.0 for at in range(n)])
    centred = np.where(present, table.phi - middle, 0.0)  # so that squares lose no digits
    right = table.grand_correct[:, None] if table.shows_right else np.zeros((len(table), 0))
    ones = np.ones((len(table), 1))
    whole = np.where(present, table.phi, 0.0)  # whose sum is 0 where the mean is
    found = sums(np.concatenate([ones, right, present, whole, centred, centred**2], axis=1))
    counts, total, first, second = np.split(found[:, found.shape[1] - 4 * n :], 4, axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = np.maximum(second - first**2 / counts, 0.0) / (counts - 1)
        margin = stats.t.ppf(0.975, counts - 1) * np.sqrt(variance / counts)
    return Groups(
        samples=np.rint(found[:, 0]).astype(np.int64),
        right=np.rint(found[:, 1]).astype(np.int64) if table.shows_right else None,
        present=np.rint(counts).astype(np.int64),
        mean=np.divide(total, counts, out=np.full_like(total, np.nan), where=counts > 0),
        margin=np.where(counts > 1, margin, np.nan),
    )


def _by_number(number: npt.NDArray[np.int64], values: Array, groups: int) -> Array:
    return np.stack([np.bincount(number, weights=column, minlength=groups) for column in values.T], axis=1)


def _by_membership(table: ValuationTable, values: Array, classes: int) -> Array:
    sums = np.zeros((classes, values.shape[1]))
    for start in range(0, len(table), CHUNK):
        member = table.task.class_membership(table.label[start : start + CHUNK], classes)
        sums += member.T.astype(np.float64) @ values[start : start + CHUNK]
    return sums
