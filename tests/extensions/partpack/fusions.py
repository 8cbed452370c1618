"""A fusion with settings of its own: the mean of each modality's logits, divided by a temperature."""

from pydantic import Field
from torch import nn

from raymm.config import Settings
from raymm.models.fusion import Fusion, register_fusion

__all__ = ["Committee"]


class CommitteeSettings(Settings):
    """Settings of `committee`."""

    temperature: float = Field(default=1.0, gt=0)


@register_fusion("committee", CommitteeSettings)
class Committee(Fusion):
    """Every modality that a row keeps votes with logits of its own; a row without any gets zeros."""

    Settings = CommitteeSettings

    def __init__(self, modalities, outputs, feature_size, settings):
        super().__init__()
        self.heads = nn.ModuleList(nn.Linear(feature_size, outputs) for _ in range(modalities))
        self.temperature = settings.temperature

    def forward(self, features, mask):
        votes = sum(head(features[:, i]) * mask[:, i, None] for i, head in enumerate(self.heads))
        return votes / (mask.sum(dim=1, keepdim=True).clamp(min=1) * self.temperature)
