"""Pieces that several encoders share."""

import math
from typing import Literal

from pydantic import Field
from torch import nn

from raymm.config.base import Settings

__all__ = ["EncoderSettings", "NormSettings", "groups_of", "head", "norm_2d"]


class EncoderSettings(Settings):
    """Settings of most encoders."""

    width: int = Field(default=32, ge=4, description="channels of the first layer")
    dropout: float = Field(default=0.0, ge=0, lt=1, description="before the last linear layer")


class NormSettings(EncoderSettings):
    """Settings of encoders with normalisation layers."""

    norm: Literal["group", "batch"] = Field(
        default="group", description="group normalisation does not depend on the other rows of a batch"
    )


def groups_of(channels: int) -> int:
    """Groups of a group normalisation: 8, or the largest divisor of the channels below it."""
    return math.gcd(channels, 8)


def norm_2d(settings: NormSettings, channels: int) -> nn.Module:
    """Group normalisation (Wu and He, ECCV 2018), or batch normalisation where it is asked for.

    The first does not depend on the other rows of a batch, so a sample's feature is the same alone, in any
    batch and on any number of workers.
    """
    if settings.norm == "batch":
        return nn.BatchNorm2d(channels)
    return nn.GroupNorm(groups_of(channels), channels)


def head(dropout: float, inputs: int, feature_size: int) -> nn.Module:
    """From pooled channels to the feature of a modality."""
    return nn.Sequential(nn.Dropout(dropout), nn.Linear(inputs, feature_size))
