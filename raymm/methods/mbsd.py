"""MBSD: of two modalities, the one that knows the answer teaches the other, sample by sample.

Source: the method of that name in Xu et al., "BalanceBenchmark: A Survey for Multimodal Imbalance Learning", 2025.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from pydantic import Field
from torch import Tensor

from raymm.config.base import Settings
from raymm.config.registries import METHODS
from raymm.methods.base import Method
from raymm.methods.probabilities import no_classes, pairs
from raymm.methods.unimodal import modality_losses, one_modality

if TYPE_CHECKING:
    from raymm.methods.base import MethodContext
    from raymm.methods.step import Step

__all__ = ["Mbsd", "MbsdSettings"]


class MbsdSettings(Settings):
    """Settings of `mbsd`."""

    amount: float = Field(default=1.0, ge=0, description="factor of what modalities learn from each other")


class Mbsd(Method):
    """L = CE(z) + sum over i of CE(z_i) + amount * mean over pairs i, j of w (|z_i - z_j|^2 / K + s log(s / t)).

    z_i are the outputs of modality i alone; s and t the larger and the smaller of the probabilities that i and j give
    to the label. w = s - t where at least one of the two is right, else 0: a pair that is wrong together teaches
    nothing. w and s are taken as constants, so that the second term teaches the less sure modality alone, while the
    first draws both together. Code that is in use has t (log t - s) for the last term, which is no divergence; here
    it is the Kullback-Leibler divergence that is meant. Pairs of which a row lacks one are left out, and counted as
    0.

    Defined for two or more modalities, every fusion, and classification.
    """

    Settings = MbsdSettings
    reads_labels = True
    source = "MBSD as in Xu et al., BalanceBenchmark, arXiv 2502.10816"
    cost = "n fusions more; no further pass"
    tuned = (("amount", (0.3, 1.0, 3.0)),)

    @classmethod
    def problems(cls, settings: Any, context: MethodContext) -> list[str]:
        """Refuse a single modality, and a task without classes."""
        del settings
        return one_modality(context) + no_classes(context, "the probability of the label")

    def loss(self, step: Step) -> Tensor:
        """All losses."""
        outputs = step.unimodal_logits().float()
        losses = step.loss_of(step.logits) + modality_losses(step, outputs).sum(dim=1)
        return step.total(losses + self.settings.amount * distillation(outputs, step.labels, step.mask))


def distillation(outputs: Tensor, labels: Tensor, mask: Tensor) -> Tensor:
    """What pairs of modalities teach each other, [B].

    Parameters
    ----------
    outputs
        Of each modality alone, [B, n, K].
    labels
        Classes, int64 [B].
    mask
        Modalities that each row has, bool [B, n].
    """
    n = outputs.shape[1]
    which = labels[:, None, None].expand(-1, n, 1)
    logs = outputs.log_softmax(dim=-1).gather(-1, which)[..., 0]  # of the label, [B, n]
    right = outputs.argmax(dim=-1) == labels[:, None]
    total = outputs.new_zeros(len(outputs))
    for i, j in pairs(n):
        strong, weak = torch.maximum(logs[:, i], logs[:, j]).detach(), torch.minimum(logs[:, i], logs[:, j])
        weight = strong.exp() - weak.detach().exp()
        taught = mask[:, i] & mask[:, j] & (right[:, i] | right[:, j])
        apart = (outputs[:, i] - outputs[:, j]).square().mean(dim=-1)
        total = total + torch.where(taught, weight * (apart + strong.exp() * (strong - weak)), 0.0)
    return total / len(pairs(n))


METHODS.register("mbsd", Mbsd)
