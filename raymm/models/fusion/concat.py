"""Concatenation and one linear layer: the paper's fusion, and an additive one.

W [z_1; ...; z_n] + b = b + sum of W_i z_i, so the layer is kept as one block W_i a modality.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from raymm.config.base import Settings
from raymm.models.fusion.base import AdditiveFusion
from raymm.models.fusion.registry import register_fusion

__all__ = ["ConcatFusion"]


@register_fusion("concat")
class ConcatFusion(AdditiveFusion):
    """Linear classifier over the concatenated features; initialised as `torch.nn.Linear(n * D, K)`."""

    def __init__(self, modalities: int, outputs: int, feature_size: int, settings: Settings) -> None:
        super().__init__()
        del settings
        bound = 1 / math.sqrt(modalities * feature_size)
        self.weight = nn.Parameter(torch.empty(modalities, feature_size, outputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(outputs).uniform_(-bound, bound))

    def partials(self, features: Float[Tensor, "B n D"]) -> Float[Tensor, "B n K"]:
        """W_i z_i of each modality."""
        return torch.einsum("bnd,ndk->bnk", features, self.weight)
