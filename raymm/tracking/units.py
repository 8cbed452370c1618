"""The unit of a metric in a run: what the loss is in depends on the task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from raymm.tracking.metrics import TRAIN_LOSS, parse, split_metric

if TYPE_CHECKING:
    from collections.abc import Collection

__all__ = ["VARIANCES", "unit_among"]

VARIANCES = "label variances"
"""Of squared errors that are divided by the variance of the training labels."""

OF_ERRORS = {"mse": VARIANCES, "mae": "label standard deviations", "huber": "1"}
"""Of the loss that a regression trains, by `training.loss.error`."""

ERROR = "mae"
"""The metric by which a regression is known."""

SPLITS = ("val", "best", "test")


def unit_among(name: str, others: Collection[str], error: str = "mse") -> str:
    """The unit of a metric among the others that a run has recorded; "" for a name that is not declared.

    Parameters
    ----------
    others
        Names of metrics of the run: those of a regression have its absolute error.
    error
        What a regression trains, `training.loss.error`.

    Examples
    --------
    >>> unit_among("test/loss", ["test/mae"]), unit_among("test/loss", ["test/accuracy"])
    ('label variances', 'nats')
    """
    declared = parse(name)
    if declared is None:
        return ""
    if declared.metric.unit == "nats" and any(split_metric(split, ERROR) in others for split in SPLITS):
        return OF_ERRORS[error] if name == TRAIN_LOSS else VARIANCES
    return declared.metric.unit
