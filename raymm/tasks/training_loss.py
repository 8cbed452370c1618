"""Losses of training rows as the settings `training.loss` have them: weights, smoothing, focal loss, kinds of error.

`Task.training` gives the task with such a loss to the training alone, so that every method, which takes its losses
from the task, has it too. Rows are summed and divided by their number, also where they have weights.

Sources: label smoothing by Szegedy et al., CVPR 2016; focal loss by Lin et al., ICCV 2017 (without alpha, whose place
class weights take).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from raymm.deferred import Tensor, torch

if TYPE_CHECKING:
    import numpy.typing as npt

    from raymm.config.loss import LossConfig
    from raymm.tasks.labels import Labels

__all__ = [
    "balanced_class_weights",
    "balanced_pos_weights",
    "class_losses",
    "error_losses",
    "label_losses",
    "weights_of",
]


def weights_of(given: Any, classes: Sequence[str], balanced: npt.NDArray[np.float64]) -> Tensor | None:
    """Weight of each class, float32 [K]: given by name, or the balanced ones; None where there are none."""
    if given is None:
        return None
    if given == "balanced":
        return torch.from_numpy(balanced.astype(np.float32))
    return torch.tensor([float(given.get(name, 1.0)) for name in classes])


def balanced_class_weights(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """Inverse to the training samples of each class, 1 on the mean over the samples; 1 for a class without any.

    >>> balanced_class_weights(np.array([10, 30])).round(3).tolist()
    [2.0, 0.667]
    """
    seen = counts > 0
    weights = counts.sum() / (max(1, int(seen.sum())) * np.maximum(counts, 1))
    return np.where(seen, weights, 1.0)


def balanced_pos_weights(labels: Labels) -> npt.NDArray[np.float64]:
    """Training samples without each label over those with it, of bool [N, K]; 1 for a label that none or all have.

    >>> balanced_pos_weights(np.array([[True, False], [False, False], [False, False]])).tolist()
    [2.0, 1.0]
    """
    on = labels.sum(axis=0)
    off = len(labels) - on
    return np.where((on > 0) & (off > 0), off / np.maximum(on, 1), 1.0)


def class_losses(outputs: Tensor, labels: Tensor, loss: LossConfig, weights: Tensor | None) -> Tensor:
    """Cross-entropy of outputs [B, K] and classes [B] with weights [K], smoothing and the focal factor, [B]."""
    weights = None if weights is None else weights.to(outputs)
    losses = torch.nn.functional.cross_entropy(
        outputs, labels, weight=weights, reduction="none", label_smoothing=loss.label_smoothing
    )
    if not loss.focal:
        return losses
    others = outputs.softmax(dim=-1).scatter(-1, labels[:, None], 0.0).sum(dim=-1)  # 1 - p, also where that is tiny
    if not loss.label_smoothing:  # cross-entropy of torch rounds p to 1 before it takes the logarithm
        exact = -torch.log1p(-others.clamp(max=0.5))
        losses = torch.where(others < 0.5, exact if weights is None else weights[labels] * exact, losses)
    return _focal(others, loss.focal) * losses


def label_losses(
    outputs: Tensor, labels: Tensor, loss: LossConfig, weights: Tensor | None, pos_weight: Tensor | None
) -> Tensor:
    """Binary cross-entropy of outputs [B, K] and label sets, the mean over the labels, [B]; weights are [K]."""
    on = labels.to(outputs.dtype)
    target = on * (1 - loss.label_smoothing) + loss.label_smoothing / 2
    weights, pos_weight = (None if given is None else given.to(outputs) for given in (weights, pos_weight))
    missing = torch.where(labels, -outputs, outputs)
    if loss.focal and not loss.label_smoothing:  # the slope of torch's loss rounds p to 1
        exact = -torch.nn.functional.logsigmoid(-missing)
        factor = exact.new_ones(()) if pos_weight is None else torch.where(labels, pos_weight, 1.0)
        losses = factor * exact if weights is None else weights * factor * exact
    else:
        losses = torch.nn.functional.binary_cross_entropy_with_logits(
            outputs, target, weight=weights, pos_weight=pos_weight, reduction="none"
        )
    return (_focal(missing.sigmoid(), loss.focal) * losses if loss.focal else losses).mean(dim=-1)


def _focal(missing: Tensor, gamma: float) -> Tensor:
    """(1 - p)^gamma of the probability that is missing, 1 - p; its slope is finite where that is 0."""
    return missing.clamp(min=torch.finfo(missing.dtype).tiny) ** gamma


def error_losses(errors: Tensor, loss: LossConfig) -> Tensor:
    """Losses of standardised errors [B, K], the mean over the targets, [B]."""
    if loss.error == "mae":
        return errors.abs().mean(dim=-1)
    if loss.error == "huber":
        return torch.nn.functional.huber_loss(
            errors, torch.zeros_like(errors), reduction="none", delta=loss.huber_delta
        ).mean(dim=-1)
    return errors.square().mean(dim=-1)
