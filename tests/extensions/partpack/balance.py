"""A method with a plan, gradients and a state: sample-level copies, and encoders that learn at one pace.

The gradient of each encoder is scaled by (mean norm over the encoders / its own norm), where norms are moving means;
they are the method's state, so that a resumed run scales as an uninterrupted one.
"""

import torch
from pydantic import Field

from raymm.config.registries import METHODS
from raymm.methods import Sample
from raymm.methods.sample import SampleSettings

__all__ = ["Balance"]


class BalanceSettings(SampleSettings):
    """Settings of `balance`."""

    momentum: float = Field(default=0.9, ge=0, lt=1)


class Balance(Sample):
    """Sample-level re-sampling with gradients of equal size."""

    Settings = BalanceSettings

    def __init__(self, settings, context):
        super().__init__(settings, context)
        self.norms = torch.zeros(len(context.modalities), dtype=torch.float64)

    def on_gradients(self, step):
        encoders = [step.model.encoders[name] for name in self.context.modalities]
        now = torch.stack([_norm(encoder) for encoder in encoders])
        keep = self.settings.momentum if self.norms.any() else 0.0
        self.norms = keep * self.norms + (1 - keep) * now
        for encoder, norm in zip(encoders, self.norms, strict=True):
            if norm > 0:
                _scale(encoder, float(self.norms.mean() / norm))

    def state_dict(self):
        return {"norms": self.norms}

    def load_state_dict(self, state):
        self.norms = state["norms"].clone()


def _gradients(encoder):
    return [weight.grad for weight in encoder.parameters() if weight.grad is not None]


def _norm(encoder):
    squares = [gradient.double().square().sum() for gradient in _gradients(encoder)]
    return torch.stack(squares).sum().sqrt().cpu() if squares else torch.zeros((), dtype=torch.float64)


def _scale(encoder, factor):
    for gradient in _gradients(encoder):
        gradient.mul_(factor)


METHODS.register("balance", Balance)
