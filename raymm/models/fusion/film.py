"""Feature-wise linear modulation between modalities (Perez et al., AAAI 2018, sec. 2), made symmetric.

Each modality is scaled and shifted by what the others say:
h_i = relu((1 + gamma_i) * U_i z_i + beta_i), (gamma_i, beta_i) = F_i (mean of z_j over j != i); the classifier
reads the sum of h_i. The original conditions one network on one input; with n modalities no one is the
condition by nature, so each is modulated by the mean of the rest.
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from raymm.models.fusion.base import Fusion, HiddenSettings
from raymm.models.fusion.registry import register_fusion

__all__ = ["FilmFusion"]


@register_fusion("film", HiddenSettings)
class FilmFusion(Fusion):
    """Every modality modulated by the mean of the others."""

    def __init__(self, modalities: int, outputs: int, feature_size: int, settings: HiddenSettings) -> None:
        super().__init__()
        size = settings.size
        self.hidden = nn.ModuleList(nn.Linear(feature_size, size) for _ in range(modalities))
        self.modulation = nn.ModuleList(nn.Linear(feature_size, 2 * size) for _ in range(modalities))
        self.classifier = nn.Linear(size, outputs)

    def forward(self, features: Float[Tensor, "B n D"], mask: Bool[Tensor, "B n"]) -> Float[Tensor, "B K"]:
        """Logits of each row."""
        del mask
        n = features.shape[1]
        others = (features.sum(dim=1, keepdim=True) - features) / max(n - 1, 1)
        parts = []
        for i in range(n):
            gamma, beta = self.modulation[i](others[:, i]).chunk(2, dim=-1)
            parts.append(torch.relu((1 + gamma) * self.hidden[i](features[:, i]) + beta))
        logits: Tensor = self.classifier(torch.stack(parts).sum(dim=0))
        return logits
