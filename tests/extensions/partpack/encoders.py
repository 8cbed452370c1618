"""An encoder with settings of its own: a perceptron of `hidden` units on the logarithm of rates."""

import torch
from pydantic import Field
from torch import nn

from raymm.config import Settings
from raymm.models.encoders import register_encoder

__all__ = ["Rates", "rates"]


class RatesSettings(Settings):
    """Settings of `rates`."""

    hidden: int = Field(default=16, ge=1)


class Rates(nn.Module):
    """`[b, bins]` to `[b, D]`."""

    def __init__(self, bins, hidden, feature_size):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(bins, hidden), nn.Tanh(), nn.Linear(hidden, feature_size))

    def forward(self, x):
        return self.body(torch.log1p(x.clamp(min=0)))


@register_encoder("rates", kinds=("events",), settings=RatesSettings)
def rates(spec, settings, feature_size):
    return Rates(spec.input_shape[0], settings.hidden, feature_size)


rates.kinds, rates.Settings = ("events",), RatesSettings  # what "partpack.encoders:rates" leads to
