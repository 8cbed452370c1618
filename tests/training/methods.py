"""Methods for tests of training, as "tests.training.methods:NAME"; `Remembering` uses every part of the seam."""

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from raymm.config.base import Settings
from raymm.methods import ExtraRows, Method
from raymm.seeds import uniform

__all__ = ["OwnDraws", "Remembering", "Weighted"]


class RememberingSettings(Settings):
    """Settings of `Remembering`."""

    momentum: float = 0.5


class Remembering(Method):
    """Heads of its own for each modality, a moving mean of their losses that scales gradients, and random masks.

    Its plan repeats the samples with the lowest contributions, by a moving mean of them, with a weight.
    """

    Settings = RememberingSettings
    needs = "all"

    def __init__(self, settings, context):
        super().__init__(settings, context)
        self.names = context.modalities
        self.module = nn.Linear(context.feature_size, context.outputs)
        self.mean = torch.ones(len(self.names), dtype=torch.float64)
        self.phi = torch.zeros(0, dtype=torch.float64)

    def mask(self, kept, keys):
        dropped = uniform(keys + np.uint64(7), kept.shape[1]) < 0.2
        return np.where((kept & ~dropped).any(axis=1, keepdims=True), kept & ~dropped, kept)

    def loss(self, step):
        losses = step.loss_of(step.logits)
        own = self.module(step.features)  # [B, n, K]
        self._seen = torch.zeros(2, len(self.names), dtype=torch.float64)
        for position in range(len(self.names)):
            alone = step.loss_of(own[:, position]) * step.mask[:, position]
            losses = losses + 0.3 * alone
            self._seen[:, position] = torch.stack([alone.detach().double().sum(), step.mask[:, position].sum()])
        return step.total(losses)

    def on_gradients(self, step):
        total, count = step.all_reduce(self._seen)
        self.mean = self.settings.momentum * self.mean + (1 - self.settings.momentum) * total / count.clamp(min=1)
        for name, factor in zip(self.names, self.mean / self.mean.max(), strict=True):
            for parameter in step.model.encoders[name].parameters():
                parameter.grad.mul_(float(factor))

    def figures(self):
        return {"mean": float(self.mean[0])}

    def plan(self, inputs):
        phi = torch.from_numpy(np.nan_to_num(inputs.phi, nan=1.0).sum(axis=1))
        self.phi = (
            phi if not len(self.phi) else self.settings.momentum * self.phi + (1 - self.settings.momentum) * phi
        )
        lowest = np.sort(np.argsort(self.phi.numpy(), kind="stable")[:20])
        everything = np.full(20, 2 ** inputs.present.shape[1] - 1, np.int64)
        return ExtraRows(lowest, everything, np.full(20, 0.5, np.float32))

    def state_dict(self):
        return {"mean": self.mean, "phi": self.phi}

    def load_state_dict(self, state):
        self.mean, self.phi = state["mean"], state["phi"]


class Weighted(Method):
    """Copies of all rows with one weight, and nothing else."""

    Settings = RememberingSettings
    needs = "all"

    def plan(self, inputs):
        rows = np.arange(len(inputs.rows))
        everything = np.full(len(rows), 2 ** inputs.present.shape[1] - 1, np.int64)
        return ExtraRows(rows, everything, np.full(len(rows), self.settings.momentum, np.float32))


class OwnDraws(Method):
    """A loss with dropout of its own: draws from torch's generator, which is seeded for each epoch."""

    def loss(self, step):
        return step.total(step.loss_of(functional.dropout(step.logits, 0.3)))
