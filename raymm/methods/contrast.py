"""Supervised contrast between the features of modalities, over the global batch.

Source: Khosla et al., "Supervised Contrastive Learning", NeurIPS 2020, with modalities in the place of views.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional

if TYPE_CHECKING:
    from raymm.methods.step import Step

__all__ = ["contrast", "supervised_contrast"]


def supervised_contrast(step: Step, temperature: float) -> Tensor:
    """`contrast` of all features of the global batch, as the sum over this rank's rows: its mean times their number.

    Every rank computes the whole of it, by features that are its own with their graph and constants else, so that the
    gradients of all ranks add up to those of one process. On every rank alike.
    """
    features, labels = step.gather(step.features), step.gather(step.labels)
    mask = step.gather(step.mask.long()).bool()
    features = features.index_copy(0, step.positions, step.features) if len(step) else features
    n = mask.shape[1]
    there = mask.T.reshape(-1)
    points = features.transpose(0, 1).reshape(len(there), -1)[there]
    value = contrast(points, labels.repeat(n)[there], temperature)
    constant = value.detach()
    return (value - constant) * step.rows + constant * len(step)


def contrast(points: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """Mean over ordered pairs a, b of one class of -log(e^s_ab / (e^s_ab + sum over c of other classes of e^s_ac)).

    s is the cosine of two of the points [P, D] over the temperature. 0 where no two points have one class.
    """
    unit = functional.normalize(points.float(), dim=1)
    similar = unit @ unit.T / temperature
    same = labels[:, None] == labels
    pair = same & ~torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    others = similar.masked_fill(same, -torch.inf).logsumexp(dim=1, keepdim=True)
    losses = torch.logaddexp(similar, others) - similar
    return torch.where(pair, losses, 0.0).sum() / pair.sum().clamp(min=1)
