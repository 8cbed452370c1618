"""Sum of scaled cosines between features and class vectors (Xu et al., "MMCosine", ICASSP 2023); additive.

z_k = s * sum over i of cos(f_i, W_i[:, k]), without a bias: neither the length of a feature nor that of a class
vector gives a modality more to say. A vector of zeros has no direction and adds nothing, so the baseline `zeros`
means what it does elsewhere, and a baseline `learned`, which begins with zeros, stays there.
"""

import math

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn

from raymm.config.base import Settings
from raymm.models.fusion.base import AdditiveFusion
from raymm.models.fusion.registry import register_fusion

__all__ = ["CosineFusion"]


class CosineSettings(Settings):
    """Settings of `cosine`."""

    scale: float = Field(default=15.0, gt=0, description="largest output of one modality; the source uses 10 to 20")


@register_fusion("cosine", CosineSettings)
class CosineFusion(AdditiveFusion):
    """Cosines of features and class vectors; initialised as `concat`."""

    bias: Tensor

    def __init__(self, modalities: int, outputs: int, feature_size: int, settings: CosineSettings) -> None:
        super().__init__()
        self.scale = settings.scale
        bound = 1 / math.sqrt(modalities * feature_size)
        self.weight = nn.Parameter(torch.empty(modalities, feature_size, outputs).uniform_(-bound, bound))
        self.register_buffer("bias", torch.zeros(outputs), persistent=False)

    def partials(self, features: Float[Tensor, "B n D"]) -> Float[Tensor, "B n K"]:
        """s * cos(f_i, W_i[:, k]) of each modality."""
        cosines = torch.einsum("bnd,ndk->bnk", _directions(features, -1), _directions(self.weight, 1))
        return self.scale * cosines


def _directions(vectors: Tensor, dim: int) -> Tensor:
    """Vectors of length 1 along an axis; zeros stay zeros, and their gradient is zero."""
    square = vectors.square().sum(dim=dim, keepdim=True)
    there = square > 0
    return torch.where(there, vectors * torch.where(there, square, 1.0).rsqrt(), 0.0)
