"""A small 2-D CNN for small clips and log-mel spectrograms: four strided convolutions and global pooling.

Frames are stacked as channels of the first convolution, which keeps their order (mouth movement, flow) and
costs one image a clip rather than one image a frame.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn

from raymm.data.kinds.base import ModalitySpec
from raymm.models.encoders.layers import NormSettings, head, norm_2d
from raymm.models.encoders.registry import register_encoder

__all__ = ["SmallCNN"]


class SmallCNN(nn.Module):
    """`[b, C, H, W]` or `[b, T, C, H, W]` to `[b, D]`.

    Parameters
    ----------
    channels
        Input channels: 1 for a log-mel, frames times channels for clips.
    """

    def __init__(self, channels: int, settings: NormSettings, feature_size: int) -> None:
        super().__init__()
        widths = [channels, settings.width, 2 * settings.width, 4 * settings.width, 4 * settings.width]
        blocks = [_block(settings, widths[i], widths[i + 1], first=i == 0) for i in range(4)]
        self.body = nn.Sequential(*blocks)
        self.head = head(settings.dropout, 2 * widths[-1], feature_size)

    def forward(self, x: Float[Tensor, "b ..."]) -> Float[Tensor, "b D"]:
        """Encode a batch of images or clips."""
        images = x.flatten(1, -3) if x.ndim == 5 else x
        maps = self.body(images).flatten(2)
        return self.head(torch.cat([maps.mean(dim=2), maps.amax(dim=2)], dim=1))


def _block(settings: NormSettings, inputs: int, outputs: int, first: bool) -> nn.Sequential:
    kernel, padding = (5, 2) if first else (3, 1)
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel, stride=2, padding=padding, bias=False),
        norm_2d(settings, outputs),
        nn.ReLU(inplace=True),
    )


@register_encoder("cnn", kinds=("audio", "rgb", "flow", "image"), settings=NormSettings)
def build(spec: ModalitySpec, settings: NormSettings, feature_size: int) -> SmallCNN:
    """A small CNN with the input channels of the modality."""
    return SmallCNN(math.prod(spec.input_shape[:-2]), settings, feature_size)
