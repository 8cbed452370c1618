"""Metrics of a split, all from its valuation table: no pass over the data beside the valuation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from raymm.errors import Problems, TrainingError
from raymm.tracking.metrics import (
    agreement_metric,
    breaks_metric,
    low_metric,
    phi_metric,
    repairs_metric,
    split_metric,
)
from raymm.valuation.agreement import agreement, low_shares
from raymm.valuation.marginals import broken_and_repaired

if TYPE_CHECKING:
    import numpy.typing as npt

    from raymm.valuation.table import ValuationTable

__all__ = ["diagnostic_metrics", "evaluate", "final_metrics", "finite"]


def evaluate(table: ValuationTable, classes: int, split: str) -> dict[str, float]:
    """The task's metrics of the full model, accuracy of each modality alone, mean contributions.

    Returns
    -------
    Names such as `val/accuracy`, `val/accuracy_audio` (over the samples that have it) and `phi/val_audio`
    (mean phi). A modality that no sample has is left out.

    Raises
    ------
    TrainingError
        When a metric of the task is no number.
    """
    task = table.task
    figures = task.metrics(table.prediction, table.label, table.loss, classes, table.probabilities)
    Problems(f"metrics of the task '{task.name}'", _wrong(figures)).raise_if_any(TrainingError)
    metrics = {split_metric(split, figure): float(value) for figure, value in figures.items()}
    for position, name in enumerate(table.info.modalities):
        has = ~np.isnan(table.phi[:, position])
        if has.any():
            if task.hard:
                metrics[split_metric(split, "accuracy", name)] = float(table.unimodal_correct[has, position].mean())
            metrics[phi_metric(split, name)] = float(table.phi[has, position].mean())
    return metrics


def final_metrics(table: ValuationTable, split: str) -> dict[str, float]:
    """The task's metrics that need probabilities, such as `test/auc`; none of a table that has been in a file."""
    if table.probabilities is None or not table.probabilities.shape[1]:
        return {}
    figures = table.task.final_metrics(table.label, table.probabilities)
    return {split_metric(split, figure): float(value) for figure, value in figures.items()}


def diagnostic_metrics(
    table: ValuationTable, before: ValuationTable | None, read: npt.NDArray[np.bool_] | None = None
) -> dict[str, float]:
    """What the diagnostics of a run read from the valuation of validation, beside its metrics.

    Parameters
    ----------
    table, before
        Tables after an epoch and after the one before it, where there is one.
    read
        Modalities that the model reads, bool [n]; default: all.

    Returns
    -------
    `phi/low_NAME`, `phi/breaks_NAME` and `phi/repairs_NAME`, shares of samples, and `phi/agreement_NAME`, Cohen's
    kappa; NaN, or left out, where they are not defined.
    """
    figures = [(low_metric, low_shares(table))]
    if before is not None:
        figures.append((agreement_metric, agreement(table, before)))
    if (shares := broken_and_repaired(table, read)) is not None:
        figures += zip((breaks_metric, repairs_metric), shares, strict=True)
    return {
        metric(name): float(value)
        for metric, values in figures
        for name, value in zip(table.info.modalities, values, strict=True)
    }


def finite(metrics: Mapping[str, float]) -> dict[str, float]:
    """Metrics that JSON and MLflow can hold."""
    return {name: value for name, value in metrics.items() if np.isfinite(value)}


def _wrong(figures: Mapping[str, Any]) -> list[str]:
    return [
        f"'{name}' is a {type(value).__name__}; expected a number"
        for name, value in figures.items()
        if not isinstance(value, (int, float, np.number))
    ]
