"""How far answers are from labels that are numbers: torchmetrics, target by target, in float64."""

import math

import numpy as np

from raymm.deferred import Tensor, torch
from raymm.tasks.labels import Labels

__all__ = ["regression_metrics"]


def regression_metrics(prediction: Labels, labels: Labels) -> dict[str, float]:
    """Metrics of answers and labels, float64 [N, K] each; of several targets their means.

    Returns
    -------
    `mae` and `rmse`, in the label's units; `r2`, the share of the labels' variance that is explained, and `pearson`,
    the correlation: NaN where they are not defined.

    Examples
    --------
    >>> found = regression_metrics(np.array([[1.0], [2.0], [4.0]]), np.array([[1.0], [2.0], [3.0]]))
    >>> {name: round(value, 4) for name, value in found.items()}
    {'mae': 0.3333, 'rmse': 0.5774, 'r2': 0.5, 'pearson': 0.982}
    """
    each = [_of_target(torch.tensor(one), torch.tensor(own)) for one, own in zip(prediction.T, labels.T, strict=True)]
    return {name: float(np.mean([figures[name] for figures in each])) for name in each[0]}


def _of_target(answers: Tensor, labels: Tensor) -> dict[str, float]:
    from torchmetrics.functional import regression  # noqa: PLC0415  (slow, imports plots)

    spread = bool(len(labels) > 1 and labels.min() < labels.max())
    correlated = spread and bool(answers.min() < answers.max())
    return {
        "mae": float(regression.mean_absolute_error(answers, labels)),
        "rmse": float(regression.mean_squared_error(answers, labels, squared=False)),
        "r2": float(regression.r2_score(answers, labels)) if spread else math.nan,
        "pearson": float(regression.pearson_corrcoef(answers, labels)) if correlated else math.nan,
    }
