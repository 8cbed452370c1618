"""A 1-D CNN for multichannel time series: three strided convolutions and global pooling."""

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from raymm.data.kinds.base import ModalitySpec
from raymm.models.encoders.layers import NormSettings, groups_of, head
from raymm.models.encoders.registry import register_encoder

__all__ = ["SequenceCNN"]


class SequenceCNN(nn.Module):
    """`[b, channels, length]` to `[b, D]`."""

    def __init__(self, channels: int, settings: NormSettings, feature_size: int) -> None:
        super().__init__()
        widths = [channels, settings.width, 2 * settings.width, 2 * settings.width]
        layers: list[nn.Module] = []
        for inputs, outputs in pairwise(widths):
            norm = nn.BatchNorm1d(outputs) if settings.norm == "batch" else nn.GroupNorm(groups_of(outputs), outputs)
            layers += [
                nn.Conv1d(inputs, outputs, 5, stride=2, padding=2, bias=False),
                norm,
                nn.ReLU(inplace=True),
            ]
        self.body = nn.Sequential(*layers)
        self.head = head(settings.dropout, 2 * widths[-1], feature_size)

    def forward(self, x: Float[Tensor, "b channels length"]) -> Float[Tensor, "b D"]:
        """Encode a batch of series."""
        maps = self.body(x)
        return self.head(torch.cat([maps.mean(dim=2), maps.amax(dim=2)], dim=1))


@register_encoder("cnn1d", kinds=("sequence",), settings=NormSettings)
def build(spec: ModalitySpec, settings: NormSettings, feature_size: int) -> SequenceCNN:
    """A 1-D CNN with the channels of the modality."""
    return SequenceCNN(spec.input_shape[0], settings, feature_size)
