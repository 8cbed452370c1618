"""Concatenation and a perceptron with one hidden layer: the first layer is a sum over modalities.

pre(C) = b + sum of W_i z_i, logits = V relu(pre) + c: per coalition only what follows the sum is run.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from raymm.models.fusion.base import AdditiveFusion, HiddenSettings
from raymm.models.fusion.registry import register_fusion

__all__ = ["MlpFusion"]


@register_fusion("mlp", HiddenSettings)
class MlpFusion(AdditiveFusion):
    """Two-layer perceptron over the concatenated features; the hidden size is `model.fusion.size`."""

    linear = False

    def __init__(self, modalities: int, outputs: int, feature_size: int, settings: HiddenSettings) -> None:
        super().__init__()
        size, hidden = feature_size, settings.size
        bound = 1 / math.sqrt(modalities * size)
        self.weight = nn.Parameter(torch.empty(modalities, size, hidden).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(hidden).uniform_(-bound, bound))
        self.classifier = nn.Linear(hidden, outputs)

    def partials(self, features: Float[Tensor, "B n D"]) -> Float[Tensor, "B n H"]:
        """W_i z_i of each modality."""
        return torch.einsum("bnd,ndh->bnh", features, self.weight)

    def finish(self, sums: Float[Tensor, "B H"]) -> Float[Tensor, "B K"]:
        """The rest of the perceptron."""
        logits: Tensor = self.classifier(torch.relu(sums))
        return logits
