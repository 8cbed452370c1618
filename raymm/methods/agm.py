"""AGM: gradients follow how far a modality is ahead now against how far it has been on average.

Source: Li et al., "Boosting Multi-modal Model Performance with Adaptive Gradient Modulation", ICCV 2023.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from pydantic import Field
from torch import Tensor

from raymm.config.base import Settings
from raymm.config.registries import METHODS
from raymm.methods.base import Method
from raymm.methods.unimodal import EpochMeans, batch_means, of_the_others, one_modality, scale_encoders
from raymm.valuation.coalitions import coalition_masks, shapley_weights

if TYPE_CHECKING:
    from raymm.methods.base import MethodContext
    from raymm.methods.epochs import EpochStart
    from raymm.methods.step import Step

__all__ = ["Agm", "AgmSettings", "responses"]

MOST = 10
"""Largest number of modalities: their 1,024 coalitions are fused in every step."""

LARGEST_LOSS = -math.log(1e-8)
LARGEST_DIFFERENCE = 10.0
"""Bounds of the source's code on a row's loss in nats, and on what is multiplied by alpha."""


class AgmSettings(Settings):
    """Settings of `agm`."""

    alpha: float = Field(default=0.1, ge=0, description="strength of the modulation")


class Agm(Method):
    """The gradient of encoder i is multiplied by exp(alpha * min(q_i(tau) - q_i(s), 10)), from the second step on.

    r_i(x) is the mono-modal response: the Shapley value of modality i for the output vector, with an equal share of
    the outputs of no modality, so that r_1 + ... + r_n are the joint outputs. s_i is the mean loss of r_i over the
    batch (of a row at most -log 1e-8), tau_i the mean of s_i over all steps before, and
    q_i(s) = exp(mean of the others' s_j - s_i): above 1 where modality i is ahead. A modality that is further ahead
    than it has been on average learns slower, one that has fallen back learns faster.

    The sign is that of the paper and of its authors' code; a benchmark's re-implementation exchanges s_i and s_j.
    Defined for 2 to 10 modalities, every fusion and task: all 2^n coalitions are fused from the features at hand.
    """

    Settings = AgmSettings
    reads_encoders = True
    source = "Li et al., ICCV 2023, section 3.2"
    cost = "2^n fusions more; no further pass"
    tuned = (("alpha", (0.1, 0.3, 1.0)),)

    def __init__(self, settings: Any, context: MethodContext) -> None:
        super().__init__(settings, context)
        n = len(context.modalities)
        self.mean = torch.zeros(n, dtype=torch.float64)
        self.steps = torch.zeros(n, dtype=torch.int64)
        self._factors = torch.ones(n)
        self._means = EpochMeans(context.modalities)

    @classmethod
    def problems(cls, settings: Any, context: MethodContext) -> list[str]:
        """Refuse a single modality, and more than can be enumerated in every step."""
        del settings
        n = len(context.modalities)
        if n <= MOST:
            return one_modality(context)
        return [f"agm fuses all 2^n coalitions in every step; {n} modalities are more than {MOST}: use method=ogm_ge"]

    def before_epoch(self, start: EpochStart) -> None:
        """Begin the means of the epoch."""
        del start
        self._means.restart()

    def loss(self, step: Step) -> Tensor:
        """The joint loss; the responses are measured on the way."""
        found = responses(step).detach()
        losses = torch.stack([step.loss_of(one) for one in found.unbind(dim=1)], dim=1)
        now = batch_means(step, losses.clamp(max=LARGEST_LOSS))
        mean, steps = self.mean.to(now.device), self.steps.to(now.device)
        difference = _ahead(mean) - _ahead(now)
        factors = torch.exp(self.settings.alpha * difference.clamp(max=LARGEST_DIFFERENCE))
        self._factors = torch.where((steps > 0) & ~factors.isnan(), factors, 1.0)
        self._means.add(factor=self._factors, loss=now)
        there = ~now.isnan()
        self.steps = steps + there
        self.mean = torch.where(there, mean + (now.nan_to_num() - mean) / self.steps.clamp(min=1), mean)
        return super().loss(step)

    def on_gradients(self, step: Step) -> None:
        """Scale the gradients of the encoders."""
        scale_encoders(step, self._factors)

    def figures(self) -> dict[str, float]:
        """Mean factor of each encoder's gradient, and mean loss of its modality's response."""
        return self._means.figures()

    def state_dict(self) -> dict[str, Tensor]:
        """Running means of the responses' losses, and how many steps they are of."""
        return {"mean": self.mean, "steps": self.steps}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take them over."""
        self.mean, self.steps = state["mean"], state["steps"]


def responses(step: Step) -> Tensor:
    """Shapley values of the modalities for the vector of outputs, with shares of the empty coalition's, [B, n, K]."""
    n = step.mask.shape[1]
    weights, divisor = shapley_weights(n)
    outputs = step.coalition_logits(coalition_masks(n)).double()
    values = torch.einsum("bsk,sn->bnk", outputs, weights.to(outputs.device) / divisor)
    return values + outputs[:, :1] / n


def _ahead(losses: Tensor) -> Tensor:
    """How far each modality is ahead of the others by its loss, [n]: 1 where it is level with them."""
    return torch.exp(of_the_others(losses) - losses)


METHODS.register("agm", Agm)
