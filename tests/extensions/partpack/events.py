"""A kind: lists of events (seconds, strength), stored as fixed-size arrays, read as a histogram of strength."""

from typing import ClassVar

import numpy as np
import torch
from pydantic import Field

from raymm.config.registries import KINDS
from raymm.data import MediaError, ModalitySpec
from raymm.seeds import uniform

__all__ = ["Events"]


class Events(ModalitySpec):
    """The first `most` events of a text file with lines "seconds,strength"; rows beyond the last event are zeros."""

    default_encoder: ClassVar[str] = "rates"
    statistics_axis: ClassVar[int | None] = None  # zeros are no events

    kind: str = "events"
    most: int = Field(default=16, ge=1)
    seconds: float = Field(default=1.0, gt=0)
    bins: int = Field(default=8, ge=1)

    @property
    def shape(self):
        return (self.most, 2)

    @property
    def input_shape(self):
        return (self.bins,)

    def decode(self, cell, files):
        try:
            events = np.loadtxt(files.path(cell), delimiter=",", dtype=np.float32, ndmin=2)
        except ValueError as cause:
            raise MediaError(f"is no list of events ({cause}); write one 'seconds,strength' a line") from cause
        if events.shape[1] != 2:
            raise MediaError(f"has {events.shape[1]} columns; write one 'seconds,strength' a line")
        value = np.zeros(self.shape, np.float32)
        value[: len(events)] = events[: self.most]
        return value

    def transform(self, values, keys, config):
        """Strength in each of `bins` windows, [b, bins]; moved by up to `view.shift` where keys are given."""
        times, strength = values[..., 0] / self.seconds, values[..., 1]
        if keys is not None:
            shift = torch.from_numpy(uniform(keys, 1)) * 2 - 1
            times = (times + config.shift * shift).clamp(0, 1)
        place = (times * self.bins).long().clamp(0, self.bins - 1)
        return torch.zeros(len(values), self.bins).scatter_add_(1, place, strength)


KINDS.register("events", Events)
