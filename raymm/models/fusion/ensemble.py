"""A classifier for each modality; their answers are averaged, and nothing is shared.

z_i = W_i f_i + b_i, logits(C) = mean of z_i over i in C; zeros where C is empty. The softmax of a mean of logits is
that of the mean of the log-probabilities log softmax(z_i), since the two differ by a number that all classes have in
common: a geometric mean of probabilities, and in the same way of the odds of several labels a sample. With
`model.calibrate=modality_temperatures` each z_i is divided by a temperature of its own once training has ended.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from raymm.config.base import Settings
from raymm.models.fusion.base import Fusion
from raymm.models.fusion.registry import register_fusion

__all__ = ["EnsembleFusion"]


@register_fusion("ensemble")
class EnsembleFusion(Fusion):
    """The mean of one linear classifier a modality, over the modalities of the mask."""

    def __init__(self, modalities: int, outputs: int, feature_size: int, settings: Settings) -> None:
        super().__init__()
        del settings
        self.heads = nn.ModuleList(nn.Linear(feature_size, outputs) for _ in range(modalities))

    def forward(self, features: Float[Tensor, "B n D"], mask: Bool[Tensor, "B n"]) -> Float[Tensor, "B K"]:
        """Mean of the answers to the modalities that are there."""
        answers = torch.stack([head(features[:, i]) for i, head in enumerate(self.heads)], dim=1)
        share = mask / mask.sum(dim=1, keepdim=True).clamp(min=1)
        return (answers * share[..., None]).sum(dim=1)
