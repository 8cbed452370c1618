"""ResNet-18 (torchvision), whose first convolution is always drawn anew; otherwise as any network of torchvision."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Literal

from pydantic import Field
from torch import nn

from raymm.data.kinds.base import ModalitySpec
from raymm.models.encoders.backbone import Backbone, PictureSettings
from raymm.models.encoders.pictures import PICTURE_KINDS, picture_encoder
from raymm.models.encoders.registry import register_encoder
from raymm.models.encoders.torchvision_models import torchvision_network

__all__ = ["ResNetSettings"]


class ResNetSettings(PictureSettings):
    """Settings of `resnet18`, which came before there was a choice of `normalise`."""

    normalise: Literal["data", "weights"] | None = Field(
        default="data",
        description="mean and deviation of the channels, of the data or those that the weights were trained at",
    )


@register_encoder("resnet18", kinds=PICTURE_KINDS, settings=ResNetSettings)
def build(spec: ModalitySpec, settings: ResNetSettings, feature_size: int) -> Backbone:
    """A ResNet-18 with the channels of one frame, or of a log-mel."""
    network = torchvision_network("resnet18")
    own = replace(network, what="a ResNet-18", make=partial(_make, network.make, spec.input_shape[-3]))
    return picture_encoder(spec, settings, feature_size, own)


def _make(make: Callable[[], nn.Module], channels: int) -> nn.Module:
    body = make()
    body.conv1 = nn.Conv2d(channels, 64, kernel_size=7, stride=2, padding=3, bias=False)
    return body
