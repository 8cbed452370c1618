"""Pieces that several encoders share."""

import math

from torch import nn

from raymm.config import EncoderConfig

__all__ = ["groups_of", "head", "norm_2d"]


def groups_of(channels: int) -> int:
    """Groups of a group normalisation: 8, or the largest divisor of the channels below it."""
    return math.gcd(channels, 8)


def norm_2d(config: EncoderConfig, channels: int) -> nn.Module:
    """Group normalisation (Wu and He, ECCV 2018), or batch normalisation where it is asked for.

    The first does not depend on the other rows of a batch, so a sample's feature is the same alone, in any
    batch and on any number of workers.
    """
    if config.norm == "batch":
        return nn.BatchNorm2d(channels)
    return nn.GroupNorm(groups_of(channels), channels)


def head(config: EncoderConfig, inputs: int, feature_size: int) -> nn.Module:
    """From pooled channels to the feature of a modality."""
    return nn.Sequential(nn.Dropout(config.dropout), nn.Linear(inputs, feature_size))
