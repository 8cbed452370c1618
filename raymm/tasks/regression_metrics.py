"""How far answers are from labels that are numbers, target by target, in float64 and in any unit.

Numbers are centred before they are squared, and squared as parts of the largest, so that small numbers do not vanish
and labels far from 0, such as times and years, lose no digits.
"""

import math

import numpy as np
import numpy.typing as npt

from raymm.tasks.labels import Labels

__all__ = ["regression_metrics"]

Numbers = npt.NDArray[np.float64]


def regression_metrics(prediction: Labels, labels: Labels) -> dict[str, float]:
    """Metrics of answers and labels, float64 [N, K] each; of several targets their means.

    Returns
    -------
    `mae` and `rmse`, in the label's units; `r2`, the share of the labels' variance that is explained, and `pearson`,
    the correlation: NaN where they are not defined. Neither changes with the unit of the labels or where its 0 lies.

    Examples
    --------
    >>> found = regression_metrics(np.array([[1.0], [2.0], [4.0]]), np.array([[1.0], [2.0], [3.0]]))
    >>> {name: round(value, 4) for name, value in found.items()}
    {'mae': 0.3333, 'rmse': 0.5774, 'r2': 0.5, 'pearson': 0.982}
    """
    wide = (np.asarray(numbers, np.float64).T for numbers in (prediction, labels))
    with np.errstate(over="ignore", invalid="ignore"):
        each = [_of_target(answers, own) for answers, own in zip(*wide, strict=True)]
        return {name: float(np.mean([figures[name] for figures in each])) for name in each[0]}


def _of_target(answers: Numbers, labels: Numbers) -> dict[str, float]:
    errors = answers - labels
    spread = bool(len(labels) > 1 and labels.min() < labels.max())
    correlated = spread and bool(answers.min() < answers.max())
    return {
        "mae": float(np.abs(errors).mean()),
        "rmse": _length(errors) / math.sqrt(len(errors)),
        "r2": float(1 - np.square(_length(errors) / np.float64(_length(_centred(labels))))) if spread else math.nan,
        "pearson": _cosine(_centred(answers), _centred(labels)) if correlated else math.nan,
    }


def _centred(numbers: Numbers) -> Numbers:
    """Numbers less their mean; their differences from the first, which are exact for close ones, are centred."""
    apart = numbers - numbers[0]
    centred: Numbers = apart - apart.mean()
    return centred


def _length(numbers: Numbers) -> float:
    """Root of the sum of squares, which itself may be beyond all numbers."""
    part, largest = _parts(numbers)
    return float(largest * np.sqrt(np.square(part).sum()))


def _cosine(first: Numbers, second: Numbers) -> float:
    a, b = _parts(first)[0], _parts(second)[0]
    return float(np.clip((a * b).sum() / (_length(a) * _length(b)), -1.0, 1.0))


def _parts(numbers: Numbers) -> tuple[Numbers, float]:
    """Numbers as parts of the largest, and it; 1 where that is 0 or beyond all numbers."""
    largest = float(np.abs(numbers).max())
    size = largest if 0 < largest < math.inf else 1.0
    return numbers / size, size
