"""Gated multimodal unit for any number of modalities (Arevalo et al., arXiv 1702.01992, sec. 3).

h_i = tanh(U_i z_i), g_i = sigmoid(G_i [z_1; ...; z_n]), logits = W (sum of g_i * h_i) + b.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from raymm.models.fusion.base import Fusion, HiddenSettings
from raymm.models.fusion.registry import register_fusion

__all__ = ["GatedFusion"]


@register_fusion("gated", HiddenSettings)
class GatedFusion(Fusion):
    """Each modality's part is weighed, unit by unit, by a gate that sees all of them."""

    def __init__(self, modalities: int, outputs: int, feature_size: int, settings: HiddenSettings) -> None:
        super().__init__()
        size = settings.size
        self.hidden = nn.ModuleList(nn.Linear(feature_size, size) for _ in range(modalities))
        self.gate = nn.Linear(modalities * feature_size, modalities * size)
        self.classifier = nn.Linear(size, outputs)

    def forward(self, features: Float[Tensor, "B n D"], mask: Bool[Tensor, "B n"]) -> Float[Tensor, "B K"]:
        """Logits of each row."""
        del mask
        hidden = torch.stack([layer(features[:, i]) for i, layer in enumerate(self.hidden)], dim=1).tanh()
        gates = self.gate(features.flatten(1)).view_as(hidden).sigmoid()
        logits: Tensor = self.classifier((gates * hidden).sum(dim=1))
        return logits
