"""What methods that compare modalities share: losses and outputs of each alone, means over the global batch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from raymm.methods.base import MethodContext
    from raymm.methods.step import Step

__all__ = [
    "EpochMeans",
    "Heads",
    "batch_means",
    "leave",
    "modality_losses",
    "modality_outputs",
    "of_the_others",
    "one_modality",
    "own_heads",
    "scale_encoders",
    "shared_outputs",
]

Heads = Literal["own", "shared"]
"""Where the outputs of a modality alone come from: a linear layer of its own, or the fusion without the others."""


def one_modality(context: MethodContext) -> list[str]:
    """What is wrong with a single modality for a method that compares modalities, in words."""
    if len(context.modalities) > 1:
        return []
    return [f"'{context.modalities[0]}' is the only modality, so there is none to balance it with; use method=joint"]


def own_heads(heads: Heads, context: MethodContext) -> nn.ModuleList | None:
    """A linear layer for each modality, which is trained with the model and thrown away; None where they share."""
    if heads == "shared":
        return None
    return nn.ModuleList(nn.Linear(context.feature_size, context.outputs) for _ in context.modalities)


def modality_outputs(step: Step, heads: nn.Module | None) -> Tensor:
    """Outputs of each modality alone, [B, n, K]; what stands at a modality that a row lacks means nothing."""
    if heads is None:
        return step.unimodal_logits()
    assert isinstance(heads, nn.ModuleList)
    return torch.stack([head(step.features[:, i]) for i, head in enumerate(heads)], dim=1)


def shared_outputs(step: Step) -> Tensor:
    """Outputs of each modality alone with its share of the bias, [B, n, K].

    z_i = fuse({i}) - (1 - 1/n) fuse({}): where the outputs are a sum over modalities (fusions `concat`, `sum`,
    `cosine`) these are its terms and a part 1/n of the bias each, and z_1 + ... + z_n are the joint outputs.
    """
    n = step.mask.shape[1]
    alone = torch.cat([torch.eye(n, dtype=torch.bool), torch.zeros(1, n, dtype=torch.bool)])
    outputs = step.coalition_logits(alone).float()
    return outputs[:, :n] - (1 - 1 / n) * outputs[:, n:]


def modality_losses(step: Step, outputs: Tensor) -> Tensor:
    """The task's loss of outputs [B, n, K] of each modality, [B, n]; 0 for a modality that a row lacks."""
    losses = torch.stack([step.loss_of(one) for one in outputs.unbind(dim=1)], dim=1)
    return torch.where(step.mask, losses, 0.0)


def batch_means(step: Step, values: Tensor) -> Tensor:
    """Means of [B, n] over the rows of the global batch that have the modality, float64 [n]; NaN where none has."""
    kept = step.mask.double()
    sums = torch.where(step.mask, values.detach().double(), 0.0).sum(dim=0)
    total, count = step.all_reduce(torch.stack([sums, kept.sum(dim=0)]))
    return total / count


def of_the_others(values: Tensor, how: Literal["mean", "min"] = "mean") -> Tensor:
    """For each of n values the mean, or the smallest, of the others, [n]; NaN among them is passed over.

    >>> of_the_others(torch.tensor([1.0, 2.0, 6.0]))
    tensor([4.0000, 3.5000, 1.5000])
    >>> of_the_others(torch.tensor([1.0, 2.0, 6.0]), "min")
    tensor([2., 1., 1.])
    """
    n = len(values)
    itself = torch.eye(n, dtype=torch.bool, device=values.device)
    others = values.expand(n, n).masked_fill(itself, torch.nan)
    if how == "mean":
        return others.nanmean(dim=1)
    smallest = others.nan_to_num(nan=torch.inf).amin(dim=1)
    return smallest.masked_fill(smallest.isinf(), torch.nan)


def scale_encoders(step: Step, factors: Tensor) -> None:
    """Multiply the gradients of each encoder by a factor of [n]."""
    for position, factor in enumerate(factors):
        for parameter in step.encoder_parameters(position):
            if parameter.grad is not None:
                parameter.grad.mul_(factor)


def leave(parameters: Iterable[nn.Parameter]) -> None:
    """Keep parameters as they are in this update: no gradient, so no momentum and no weight decay either."""
    for parameter in parameters:
        parameter.grad = None


class EpochMeans:
    """Means over the steps of an epoch of numbers that each modality has, for `Method.figures`."""

    def __init__(self, modalities: Iterable[str]) -> None:
        self._modalities = tuple(modalities)
        self._seen: dict[str, list[Tensor]] = {}

    def restart(self) -> None:
        """Forget the epoch before."""
        self._seen = {}

    def add(self, **numbers: Tensor) -> None:
        """Take in the numbers [n] of a step by name; NaN counts as not there."""
        for name, values in numbers.items():
            self._seen.setdefault(name, []).append(values.detach().double())

    def figures(self) -> dict[str, float]:
        """`{"NAME_MODALITY": mean}`, without those that no step had."""
        means = {name: torch.stack(values).nanmean(dim=0).tolist() for name, values in self._seen.items()}
        return {
            f"{name}_{modality}": mean
            for name, row in means.items()
            for modality, mean in zip(self._modalities, row, strict=True)
            if mean == mean  # noqa: PLR0124  (not NaN)
        }
