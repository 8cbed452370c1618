"""Metrics of a split, all from its valuation table: no pass over the data beside the valuation."""

import numpy as np
import torch

from raymm.tracking.metrics import phi_metric, split_metric
from raymm.valuation.table import ValuationTable

__all__ = ["evaluate"]


def evaluate(table: ValuationTable, classes: int, split: str) -> dict[str, float]:
    """Accuracy, macro-F1 and loss of the full model, accuracy of each modality alone, mean contributions.

    Returns
    -------
    Names such as `val/accuracy`, `val/accuracy_audio` (over the samples that have it) and `phi/val_audio`
    (mean phi). A modality that no sample has is left out.
    """
    metrics = {
        split_metric(split, "accuracy"): float((table.prediction == table.label).mean()),
        split_metric(split, "macro_f1"): _macro_f1(table, classes),
        split_metric(split, "loss"): float(table.loss.mean()),
    }
    for position, name in enumerate(table.info.modalities):
        has = ~np.isnan(table.phi[:, position])
        if has.any():
            metrics[split_metric(split, "accuracy", name)] = float(table.unimodal_correct[has, position].mean())
            metrics[phi_metric(split, name)] = float(table.phi[has, position].mean())
    return metrics


def _macro_f1(table: ValuationTable, classes: int) -> float:
    from torchmetrics.functional.classification import multiclass_f1_score  # noqa: PLC0415  (slow, it imports plots)

    prediction, label = torch.from_numpy(table.prediction), torch.from_numpy(table.label)
    return float(multiclass_f1_score(prediction, label, num_classes=classes, average="macro"))
