"""Metrics of a split, all from its valuation table: no pass over the data beside the valuation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from raymm.errors import Problems, TrainingError
from raymm.tracking.metrics import phi_metric, split_metric

if TYPE_CHECKING:
    from raymm.valuation.table import ValuationTable

__all__ = ["evaluate"]


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


def _wrong(figures: Mapping[str, Any]) -> list[str]:
    return [
        f"'{name}' is a {type(value).__name__}; expected a number"
        for name, value in figures.items()
        if not isinstance(value, (int, float, np.number))
    ]
