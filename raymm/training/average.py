"""An exponential moving average of the weights in training, which is what is evaluated, valued and exported.

The average after update t is `d * average + (1 - d) * weights` with `d = min(ema, (1 + t) / (10 + t))`, so that early
weights count little. Buffers, such as running statistics of normalisation, are those of the weights in training.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

__all__ = ["WeightAverage", "load_trained"]

WEIGHTS, UPDATES = "weights.", "updates"


class WeightAverage:
    """The average of the parameters of a model.

    Parameters
    ----------
    model
        What is trained; the average begins with its weights.
    decay
        `training.ema`, the part of the average that an update keeps in the long run.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self._model, self._decay = model, decay
        self._average = self._copy()
        self._trained: list[Tensor] | None = None
        self._updates = 0

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights after an update."""
        self._updates += 1
        keep = min(self._decay, (1 + self._updates) / (10 + self._updates))
        for average, weights in zip(self._average, self._model.parameters(), strict=True):
            average.lerp_(weights, 1 - keep)

    @torch.no_grad()
    def begin_anew(self, module: nn.Module) -> None:
        """Take the weights of a part of the model for their average: those before are of another training.

        Updates are counted anew, so that the first weights count little, as at the start.
        """
        own, self._updates = {id(one) for one in module.parameters()}, 0
        for average, weights in zip(self._average, self._model.parameters(), strict=True):
            if id(weights) in own:
                average.copy_(weights)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Inside, the model has the average; outside, the weights in training again."""
        self._trained = self._copy()
        self._fill(self._average)
        try:
            yield
        finally:
            self._fill(self._trained)
            self._trained = None

    def trained_tensors(self) -> dict[str, Tensor]:
        """The weights in training, and how many updates the average has seen, to commit beside the average."""
        assert self._trained is not None, "the model has the average where it is committed"
        named = zip((name for name, _ in self._model.named_parameters()), self._trained, strict=True)
        return {f"{WEIGHTS}{name}": one for name, one in named} | {UPDATES: torch.tensor(self._updates)}

    def load(self, tensors: Mapping[str, Tensor]) -> None:
        """Take the model's weights for the average, after `updates`; without tensors it begins here."""
        self._average, self._updates = self._copy(), int(tensors.get(UPDATES, torch.tensor(0)))

    def _copy(self) -> list[Tensor]:
        return [one.detach().clone() for one in self._model.parameters()]

    @torch.no_grad()
    def _fill(self, values: list[Tensor]) -> None:
        for parameter, value in zip(self._model.parameters(), values, strict=True):
            parameter.copy_(value)


def load_trained(model: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    """Give a model the weights in training that were committed beside their average; none leave it as it is.

    Raises
    ------
    KeyError, RuntimeError
        When they are those of another model.
    """
    if not tensors:
        return
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(tensors[f"{WEIGHTS}{name}"])
