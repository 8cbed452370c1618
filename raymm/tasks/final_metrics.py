"""What is measured once a training has ended: area under the ROC curve, calibration error, and figures by class."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from raymm.deferred import torch

if TYPE_CHECKING:
    from raymm.tasks.labels import Labels

__all__ = ["calibration_error", "confusion", "mean_auc", "per_class"]

BINS = 15
"""Of the calibration error, equally wide in probability."""


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
    from torchmetrics.functional.classification import binary_auroc  # noqa: PLC0415  (slow, imports plots)

    each = [
        float(binary_auroc(torch.from_numpy(column.copy()), torch.from_numpy(own.astype(np.int64))))
        for column, own in zip(probabilities.T, member.T, strict=True)
        if own.any() and not own.all()
    ]
    return float(np.mean(each)) if each else math.nan


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
