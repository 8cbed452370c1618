"""Cross-modal attention through bottleneck tokens (after Nagrani et al., NeurIPS 2021, sec. 3.2).

One token a modality and a few learned bottleneck tokens pass through transformer layers; the classifier reads
the mean of the bottleneck tokens. Masked modalities are not attended to, so a coalition never sees them and
the baseline plays no part; in the empty coalition the bottlenecks still attend to each other. Encoders here give
one token a modality, so modalities exchange information in every layer rather than only at late ones.
"""

import torch
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor, nn

from raymm.errors import ConfigError
from raymm.models.fusion.base import Fusion, HiddenSettings
from raymm.models.fusion.registry import register_fusion

__all__ = ["AttentionFusion"]

HEADS = 4


class AttentionSettings(HiddenSettings):
    """Settings of `attention`."""

    layers: int = Field(default=2, ge=1, description="transformer layers")
    tokens: int = Field(default=4, ge=1, description="bottleneck tokens")


@register_fusion("attention", AttentionSettings)
class AttentionFusion(Fusion):
    """Transformer layers over modality tokens and bottleneck tokens."""

    def __init__(self, modalities: int, outputs: int, feature_size: int, settings: AttentionSettings) -> None:
        super().__init__()
        size = settings.size
        if size % HEADS:
            raise ConfigError(f"model.fusion.size={size}: attention has {HEADS} heads, so use a multiple of {HEADS}")
        self.project = nn.Linear(feature_size, size)
        self.modality = nn.Parameter(0.02 * torch.randn(modalities, size))
        self.bottleneck = nn.Parameter(0.02 * torch.randn(settings.tokens, size))
        layer = nn.TransformerEncoderLayer(
            size, HEADS, dim_feedforward=2 * size, dropout=0.0, batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, settings.layers, enable_nested_tensor=False)
        self.norm = nn.LayerNorm(size)
        self.classifier = nn.Linear(size, outputs)

    def forward(self, features: Float[Tensor, "B n D"], mask: Bool[Tensor, "B n"]) -> Float[Tensor, "B K"]:
        """Logits of each row."""
        tokens = self.project(features) + self.modality
        count = len(self.bottleneck)
        bottleneck = self.bottleneck.expand(features.shape[0], -1, -1)
        present = torch.cat([mask.new_ones(mask.shape[0], count), mask], dim=1)
        mixed = self.layers(torch.cat([bottleneck, tokens], dim=1), src_key_padding_mask=~present)
        logits: Tensor = self.classifier(self.norm(mixed[:, :count].mean(dim=1)))
        return logits
