"""What is read off the metrics of one epoch."""

from collections.abc import Mapping

from raymm.tracking.metrics import BEST_EPOCH, TRAIN_SECONDS, VALUE_SECONDS, phi_metric, split_metric

__all__ = ["epoch_seconds", "from_one", "phi_by_modality", "picked_metrics"]


def phi_by_modality(metrics: Mapping[str, float], split: str) -> dict[str, float]:
    """Mean contributions on a split by modality, in the order of the metrics."""
    prefix = phi_metric(split, "")
    return {name.removeprefix(prefix): value for name, value in metrics.items() if name.startswith(prefix)}


def picked_metrics(metrics: Mapping[str, float]) -> dict[str, float]:
    """The validation metrics of an epoch under the names of the picked epoch: `val/accuracy` as `best/accuracy`."""
    val, best = split_metric("val", ""), split_metric("best", "")
    return {best + name.removeprefix(val): value for name, value in metrics.items() if name.startswith(val)}


def from_one(metrics: Mapping[str, float]) -> dict[str, float]:
    """The metrics of a result with the picked epoch counted from 1, as people and tracking stores count.

    Examples
    --------
    >>> from_one({"best/epoch": 0.0, "test/loss": 0.5})
    {'best/epoch': 1.0, 'test/loss': 0.5}
    """
    return {name: value + 1 if name == BEST_EPOCH else value for name, value in metrics.items()}


def epoch_seconds(metrics: Mapping[str, float]) -> float:
    """Seconds that an epoch took, training and valuation together."""
    return metrics[TRAIN_SECONDS] + metrics[VALUE_SECONDS]
