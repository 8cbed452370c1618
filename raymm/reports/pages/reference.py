"""What a regression is held against: the answer that is the same for all samples, the mean of the training labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from raymm.reports.paired_statistics import LEVEL, differences, p_of_mean
from raymm.reports.statistics import Interval, mean_interval
from raymm.tasks.regression import Regression
from raymm.tasks.regression_metrics import regression_metrics
from raymm.tracking.metrics import higher_is_better, split_metric
from raymm.tracking.units import VARIANCES

if TYPE_CHECKING:
    from raymm.valuation.table import ValuationTable

__all__ = ["Reference", "reference_of"]

UNITS = {"loss": VARIANCES, "mae": "the label's units", "rmse": "the label's units", "r2": "", "pearson": ""}
NAMES = {
    "loss": "mean squared error (loss)",
    "mae": "mean absolute error (mae)",
    "rmse": "root of the mean squared error (rmse)",
    "r2": "explained part of the variance (r2)",
    "pearson": "correlation with the labels (pearson)",
}


@dataclass(frozen=True)
class Reference:
    """A figure of a regression, and the same of always answering the mean of the training labels.

    Attributes
    ----------
    name
        Of the figure, in words.
    unit
        Of it; "" of a plain number.
    own
        Of the model; with an interval over samples where it is a mean over them.
    constant
        Of the mean of the training labels; NaN where that has none, as a correlation.
    better
        Whether the model is shown to be better: by Student's t of the paired errors of samples (by sign flips where
        all differences are equal), absolute ones of `mae` and squared ones of the others.
    higher
        Whether more is better.
    """

    name: str
    unit: str
    own: Interval
    constant: float
    better: bool
    higher: bool


def reference_of(table: ValuationTable, metric: str) -> Reference | None:
    """A regression's figure and its reference; None for other tasks, or labels whose training mean is not known."""
    task = table.task
    if not isinstance(task, Regression) or metric not in NAMES or not task.settings.mean or not len(table):
        return None
    mean = np.broadcast_to(np.array(task.settings.mean), table.label.shape)
    answers = (table.prediction, mean)
    kind = "mae" if metric == "mae" else "loss"
    errors = [np.asarray(task.of_samples(kind, each, table.label), np.float64) for each in answers]
    gain = differences(errors[1], errors[0])
    if metric == kind:
        own, constant = mean_interval(errors[0]), float(errors[1].mean())
    else:
        figures = [regression_metrics(np.array(each), table.label)[metric] for each in answers]
        own, constant = Interval(figures[0], float("nan"), len(table)), figures[1]
    better = bool(gain.mean() > 0) and p_of_mean(gain) <= LEVEL
    return Reference(
        NAMES[metric], UNITS[metric], own, constant, better, higher_is_better(split_metric("test", metric))
    )
