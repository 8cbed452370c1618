"""CML: an answer from fewer modalities must not be surer than one from more.

Source: Ma et al., "Calibrating Multimodal Learning", ICML 2023.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from raymm.config.base import Settings
from raymm.config.registries import METHODS
from raymm.methods.base import Method
from raymm.methods.probabilities import no_classes
from raymm.methods.unimodal import one_modality
from raymm.seeds import derive

if TYPE_CHECKING:
    from raymm.methods.base import MethodContext
    from raymm.methods.step import Step

__all__ = ["Cml", "CmlSettings"]


class CmlSettings(Settings):
    """Settings of `cml`."""

    amount: float = Field(default=0.1, ge=0, description="factor of what confidence rises by as modalities go")


class Cml(Method):
    """L = mean over t of CE(z_t) + amount * sum over t of max(0, c_(t+1) - c_t), from nested coalitions.

    C_0 has all modalities; C_(t+1) is C_t without one, down to a single one, in an order that is drawn anew for each
    batch. z_t are the outputs of C_t, c_t their largest probability. Both sums are taken sample by sample, as the
    paper defines them; code that is in use takes the positive part of the sum over a batch, so that a rise in one
    sample is made good by a fall in another, and keeps one order for an epoch. A modality that a row lacks makes no
    step of it.

    Defined for two or more modalities, every fusion, and classification.
    """

    Settings = CmlSettings
    source = "Ma et al., ICML 2023, section 3"
    cost = "n - 1 fusions more; no further pass"
    tuned = (("amount", (0.1, 1.0, 10.0)),)

    @classmethod
    def problems(cls, settings: Any, context: MethodContext) -> list[str]:
        """Refuse a single modality, and a task without classes."""
        del settings
        return one_modality(context) + no_classes(context, "the confidence of an answer")

    def loss(self, step: Step) -> Tensor:
        """Losses of the coalitions that a row has, and what its confidence rises by."""
        nested = self._nested(step)
        outputs = step.coalition_logits(nested)
        sizes = (step.mask[:, None] & nested).sum(dim=-1)
        smaller = sizes[:, 1:] < sizes[:, :-1]
        counted = torch.cat([sizes[:, :1] > 0, smaller & (sizes[:, 1:] > 0)], dim=1)
        losses = torch.stack([step.loss_of(one) for one in outputs.unbind(dim=1)], dim=1)
        mean = torch.where(counted, losses, 0.0).sum(dim=1) / counted.sum(dim=1).clamp(min=1)
        confidence = outputs.float().softmax(dim=-1).amax(dim=-1)
        rises = torch.where(counted[:, 1:], confidence.diff(dim=1).clamp(min=0), 0.0)
        return step.total(mean + self.settings.amount * rises.sum(dim=1))

    def _nested(self, step: Step) -> Tensor:
        """The coalitions C_0, C_1, ... of this batch, bool [n, n]; equal on every rank."""
        n = len(self.context.modalities)
        seed = derive(self.context.seed, "cml", step.epoch, step.number)
        order = torch.from_numpy(np.random.default_rng(seed).permutation(n))
        rank = torch.empty_like(order).scatter_(0, order, torch.arange(n))  # when each modality goes
        return (rank >= torch.arange(n)[:, None]).to(step.mask.device)


METHODS.register("cml", Cml)
