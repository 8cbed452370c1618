"""What is measured of answers: F1 scores, ROC and precision-recall curves, calibration error, and figures by class.

Equal figures have equal bits: what is a quotient of counts is rounded once, so that neither the order of samples nor
that of classes changes it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Iterable

    from raymm.tasks.labels import Labels

__all__ = [
    "calibration_error",
    "confusion",
    "f1_score",
    "macro_f1",
    "mean_auc",
    "mean_average_precision",
    "per_class",
]

BINS = 15
"""Of the calibration error, equally wide in probability."""

FRACTION_BITS = 200
"""Binary digits after the point to which quotients are added: rounding is far below what a float shows."""


def f1_score(samples: int, answered: int, hits: int) -> float:
    """F1 score of samples of a class, those that were answered so, and those of both; 0 where there is none.

    >>> f1_score(3, 2, 2), f1_score(0, 0, 0)
    (0.8, 0.0)
    """
    return 2 * hits / max(1, samples + answered)


def macro_f1(
    samples: npt.NDArray[np.int64],
    answered: npt.NDArray[np.int64],
    hits: npt.NDArray[np.int64],
    absent_f1: float = math.nan,
) -> float:
    """The mean of `f1` of `per_class` without NaN, of the same counts, [K] each; NaN where all are.

    Parameters
    ----------
    absent_f1
        `Task.absent_f1`: 0, or NaN where classes that are neither label nor answer are left out.

    Examples
    --------
    >>> macro_f1(np.array([2, 1, 0]), np.array([1, 2, 0]), np.array([1, 1, 0]))
    0.6666666666666666
    """
    either = samples + answered
    there = either > 0
    counted = int(there.sum()) if math.isnan(absent_f1) else len(either)
    return _mean_of_quotients(zip((2 * hits)[there].tolist(), either[there].tolist(), strict=True), counted)


def mean_auc(probabilities: npt.NDArray[np.float64], member: npt.NDArray[np.bool_]) -> float:
    """Area under the ROC curve of each class against the rest, the mean over the classes; NaN where none has one.

    Parameters
    ----------
    probabilities, member
        Of each class, and whether a sample belongs to it, [N, K]. A class that all samples or none belong to has no
        curve.

    Examples
    --------
    >>> mean_auc(np.array([[0.9], [0.2], [0.4]]), np.array([[True], [False], [True]]))
    1.0
    """
    areas = [
        _area(column, own)
        for column, own in zip(probabilities.T, member.T, strict=True)
        if own.any() and not own.all()
    ]
    return _mean_of_quotients(areas, len(areas))


def mean_average_precision(probabilities: npt.NDArray[np.float64], member: npt.NDArray[np.bool_]) -> float:
    """Average precision of each label, the mean over the labels that occur; NaN where none does.

    It is the sum over the thresholds of the precision times what the recall has grown by, without interpolation.

    Parameters
    ----------
    probabilities, member
        Of each label, and whether a sample has it, [N, K].

    Examples
    --------
    >>> mean_average_precision(np.array([[0.9], [0.6], [0.4]]), np.array([[True], [False], [True]]))  # (1 + 2/3) / 2
    0.8333333333333333
    """
    each = [
        _average_precision(column, own) for column, own in zip(probabilities.T, member.T, strict=True) if own.any()
    ]
    return math.fsum(each) / len(each) if each else math.nan


def calibration_error(confidence: npt.NDArray[np.float64], right: npt.NDArray[np.bool_]) -> float:
    """Expected calibration error: mean distance of confidence and share of right answers, over 15 bins.

    Parameters
    ----------
    confidence, right
        Probability that the model gives to its answers, and whether they are right, [N].

    Examples
    --------
    >>> round(calibration_error(np.array([0.9, 0.9, 0.6]), np.array([True, False, True])), 4)  # (2 * 0.4 + 0.4) / 3
    0.4
    """
    bins = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    count = np.bincount(bins, minlength=BINS)
    apart = np.bincount(bins, weights=confidence - right, minlength=BINS)
    return float(np.abs(apart).sum() / max(1, count.sum()))


def per_class(
    samples: npt.NDArray[np.int64],
    answered: npt.NDArray[np.int64],
    hits: npt.NDArray[np.int64],
    absent_f1: float = math.nan,
) -> dict[str, npt.NDArray[np.float64]]:
    """Figures of each class from its samples, those that were answered so, and those of both, [K] each.

    Parameters
    ----------
    absent_f1
        `Task.absent_f1`, of a class that is neither: the mean of `f1` without NaN is then the task's `macro_f1`.

    Returns
    -------
    `samples`, `precision` (NaN for a class that is never predicted), `recall` (NaN for one without samples) and `f1`
    (0 where nothing is right), [K] each.
    """
    either = samples + answered
    with np.errstate(invalid="ignore"):
        return {
            "samples": samples.astype(np.float64),
            "precision": hits / answered,
            "recall": hits / samples,
            "f1": np.where(either > 0, 2 * hits / either, absent_f1),
        }


def confusion(prediction: Labels, labels: Labels, classes: int) -> npt.NDArray[np.int64]:
    """Number of samples by class (rows) and answer (columns), int64 [K, K], of one class a sample.

    >>> confusion(np.array([0, 1, 1]), np.array([0, 0, 1]), 2).tolist()
    [[1, 1], [0, 1]]
    """
    return np.bincount(labels * classes + prediction, minlength=classes**2).reshape(classes, classes)


def _mean_of_quotients(quotients: Iterable[tuple[int, int]], count: int) -> float:
    """The sum of quotients of whole numbers over a count, rounded once; NaN where the count is 0.

    >>> _mean_of_quotients([(1, 3), (2, 3), (1, 1)], 4)
    0.5
    """
    total = sum((over << FRACTION_BITS) // under for over, under in quotients)
    return total / (count << FRACTION_BITS) if count else math.nan


def _at_thresholds(
    probabilities: npt.NDArray[np.float64], own: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Samples of a class, and others, of each probability that occurs, the largest first."""
    different, number = np.unique(probabilities, return_inverse=True)
    having = np.bincount(number[own], minlength=len(different))[::-1]
    return having, np.bincount(number, minlength=len(different))[::-1] - having


def _area(probabilities: npt.NDArray[np.float64], own: npt.NDArray[np.bool_]) -> tuple[int, int]:
    """Pairs of a sample of the class and another whose order is right, equal ones as half, and all pairs; doubled."""
    having, others = _at_thresholds(probabilities, own)
    right = (having * (2 * (others.sum() - others.cumsum()) + others)).sum()
    return int(right), 2 * int(having.sum()) * int(others.sum())


def _average_precision(probabilities: npt.NDArray[np.float64], own: npt.NDArray[np.bool_]) -> float:
    having, others = _at_thresholds(probabilities, own)
    found = having.cumsum()
    return math.fsum(having * (found / (found + others.cumsum()))) / int(found[-1])
