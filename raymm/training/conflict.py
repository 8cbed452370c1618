"""Whether a modality alone and all together pull a modality's features the same way: the cosine of two gradients.

For late fusions an encoder's gradient of a loss is its Jacobian times the loss's gradient by the features, so opposed
gradients here are what methods such as MMPareto look for. Taken at the features it needs no pass through an encoder.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor

from raymm.methods.gradients import cosines
from raymm.valuation.protocol import evaluating

if TYPE_CHECKING:
    from raymm.training.training_step import TrainingStep

__all__ = ["conflict_sums"]


def conflict_sums(step: TrainingStep) -> Tensor:
    """Sum over rows of the cosine between two gradients by the feature of modality i, and their number, [2, n].

    The gradients are those of the loss of all modalities that the row keeps, and of the loss of i alone. Rows count
    that keep i and another modality that is read, and of which neither gradient is 0, as it is where float32 has no
    smaller loss. Float64; the step, its graph and all generators are left as they are.
    """
    rows, n = step.mask.shape
    sums = torch.zeros(2, n, dtype=torch.float64, device=step.mask.device)
    if not rows or n == 1:
        return sums
    several = (step.mask & cast("Tensor", step.model.reads)).sum(dim=1) > 1
    features = step.features.detach().requires_grad_()
    with evaluating(step.model), torch.enable_grad():
        together = _gradient(step, step.mask, features)
        for modality in range(n):
            only = torch.zeros_like(step.mask)
            only[:, modality] = True
            alone = _gradient(step, only, features)
            cosine = cosines(together[:, modality], alone[:, modality])
            counted = several & step.mask[:, modality] & ~cosine.isnan()
            sums[0, modality] = cosine[counted].sum()
            sums[1, modality] = counted.sum()
    return sums


def _gradient(step: TrainingStep, mask: Tensor, features: Tensor) -> Tensor:
    logits = step.fuse(features, mask)
    return torch.autograd.grad(step.loss_of(logits).sum(), features)[0].double()
