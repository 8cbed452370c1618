"""One classifier for all modalities; the surer a modality is of a sample, the more it counts.

z_i = H f_i + b with one H for all, logits(C) = sum over i in C of w_i z_i, w = softmax over i in C of -E_i, where
E_i is the entropy of softmax(z_i) in nats; zeros where C is empty. Source: Zhang et al., "Multimodal Representation
Learning by Alternating Unimodal Adaptation", CVPR 2024, section 3.3 (the fusion at test time). Each sample has its
own weights; the published code takes the entropy of a softmax over the batch, by which a sample's answer depends on
others.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from raymm.config.base import Settings
from raymm.models.fusion.base import Fusion
from raymm.models.fusion.registry import register_fusion

__all__ = ["EntropyFusion"]


@register_fusion("entropy")
class EntropyFusion(Fusion):
    """The answers of one shared head to each modality, weighed by their certainty."""

    def __init__(self, modalities: int, outputs: int, feature_size: int, settings: Settings) -> None:
        super().__init__()
        del modalities, settings
        self.head = nn.Linear(feature_size, outputs)

    def forward(self, features: Float[Tensor, "B n D"], mask: Bool[Tensor, "B n"]) -> Float[Tensor, "B K"]:
        """Weighted sum of the answers to the modalities that are there."""
        answers = self.head(features)
        log_probability = answers.log_softmax(dim=-1)
        certainty = (log_probability.exp() * log_probability).sum(dim=-1)  # minus the entropy
        weight = torch.where(mask, certainty.exp(), 0.0)
        weight = weight / weight.sum(dim=1, keepdim=True).clamp(min=torch.finfo(weight.dtype).tiny)
        return (answers * weight[..., None]).sum(dim=1)
