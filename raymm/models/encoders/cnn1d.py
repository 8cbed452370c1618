"""A 1-D CNN for multichannel time series: three strided convolutions and global pooling."""

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from raymm.data.kinds.base import ModalitySpec
from raymm.errors import ConfigError
from raymm.models.encoders.layers import NormSettings, groups_of, head
from raymm.models.encoders.registry import register_encoder

__all__ = ["SequenceCNN"]


class SequenceCNN(nn.Module):
    """`[b, channels, length]` to `[b, D]`."""

    def __init__(self, channels: int, settings: NormSettings, feature_size: int) -> None:
        super().__init__()
        widths = [channels, *_widths(settings)]
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


def _widths(settings: NormSettings) -> list[int]:
    return [settings.width, 2 * settings.width, 2 * settings.width]


def _check_groups(spec: ModalitySpec, settings: NormSettings) -> None:
    """Refuse series of which a group of the normalisation gets a single number, which has no spread."""
    steps = spec.input_shape[1]
    for layer, channels in enumerate(_widths(settings), start=1):
        steps = (steps + 1) // 2
        if settings.norm == "group" and steps * channels == groups_of(channels):
            raise ConfigError(
                f"model.encoders.{spec.name}.width={settings.width}: cnn1d reads {list(spec.input_shape)}, channels "
                f"x time; of so few steps one is left after layer {layer}, and of a single number in each group of "
                f"its {channels} channels normalisation leaves nothing; give a width above 8 (model.encoder.width "
                "where the modality is not named) or longer series, or turn them where time stands first"
            )


@register_encoder("cnn1d", kinds=("sequence",), settings=NormSettings)
def build(spec: ModalitySpec, settings: NormSettings, feature_size: int) -> SequenceCNN:
    """A 1-D CNN with the channels of the modality."""
    _check_groups(spec, settings)
    return SequenceCNN(spec.input_shape[0], settings, feature_size)
