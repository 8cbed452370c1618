"""OPM: features of the modality that is ahead are dropped at random.

Source: Wei, Feng, Hu et al., "On-the-fly Modulation for Balanced Multimodal Learning", TPAMI 2024, section 3.3.
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
from raymm.methods.probabilities import no_probability
from raymm.methods.unimodal import EpochMeans, batch_means, of_the_others, one_modality, shared_outputs
from raymm.seeds import derive, keys_of, uniform

if TYPE_CHECKING:
    from raymm.methods.base import MethodContext
    from raymm.methods.epochs import EpochStart
    from raymm.methods.step import Step

__all__ = ["Opm", "OpmSettings"]


class OpmSettings(Settings):
    """Settings of `opm`."""

    rate: float = Field(default=0.4, ge=0, le=1, description="probability to drop a modality that is just ahead")
    gain: float = Field(default=0.5, ge=0, description="how much that probability grows with the lead, at most")
    share: float = Field(default=0.7, ge=0, le=1, description="share of the batches in which features are dropped")


class Opm(Method):
    """In a part of the batches, a row loses modality i with probability q_i, and trains with what is left.

    q_i = rate (1 + gain tanh(rho_i - 1)) where rho_i > 1, at most 1, else 0. rho_i = s_i / s_j of two modalities,
    where s_i is the mean over the batch of the probability that z_i, the outputs of modality i alone, give to the
    label. With more than two, s_j is the mean of the others; the paper defines two. Features that are kept are
    divided by 1 - mean of q. Rows that lose everything are left out of the mean loss.

    z_i = fuse({i}) - (1 - 1/n) fuse({}), the terms W_i f_i + b/n of the paper for late fusions. Defined for two or
    more modalities, every fusion, and every task whose labels have a probability.
    """

    Settings = OpmSettings
    reads_labels = True
    source = "Wei et al., TPAMI 2024, section 3.3 (OPM)"
    cost = "n + 1 fusions more in the batches in which features are dropped; no further pass"
    tuned = (("rate", (0.2, 0.4, 0.8)),)

    def __init__(self, settings: Any, context: MethodContext) -> None:
        super().__init__(settings, context)
        self._means = EpochMeans(context.modalities)

    @classmethod
    def problems(cls, settings: Any, context: MethodContext) -> list[str]:
        """Refuse a single modality, and labels without a probability."""
        del settings
        return one_modality(context) + no_probability(context)

    @classmethod
    def idle(cls, settings: Any) -> tuple[str, ...]:
        """Nothing else matters where nothing is dropped."""
        return ("gain", "share") if settings.rate == 0 else ("gain", "rate") if settings.share == 0 else ()

    def before_epoch(self, start: EpochStart) -> None:
        """Begin the means of the epoch."""
        del start
        self._means.restart()

    def loss(self, step: Step) -> Tensor:
        """The mean loss of the rows that keep something, times the rows of the batch."""
        if not self._drops(step):
            return super().loss(step)
        rates = self._rates(step)
        self._means.add(rate=rates)
        kept = step.mask & (step.uniform("opm", len(rates)) >= rates)
        trained = kept.any(dim=1)
        losses = step.loss_of(step.masked_logits(kept, step.features / (1 - rates.mean())))
        count = step.all_reduce(trained.sum())
        return step.total(torch.where(trained, losses, 0.0)) * (step.rows / count.clamp(min=1))

    def figures(self) -> dict[str, float]:
        """Mean probability with which each modality was dropped."""
        return self._means.figures()

    def _drops(self, step: Step) -> bool:
        """Whether this is one of the batches in which features are dropped; equal on every rank."""
        keys = keys_of(derive(self.context.seed, "opm", step.epoch), np.array([step.number]))
        return bool(uniform(keys, 1)[0, 0] < self.settings.share)

    def _rates(self, step: Step) -> Tensor:
        """q, float32 [n]."""
        probability = self.context.utility.task.probability(shared_outputs(step).detach(), step.labels)
        scores = batch_means(step, probability)
        lead = scores / of_the_others(scores)
        rates = self.settings.rate * (1 + self.settings.gain * torch.tanh(lead - 1))
        return torch.where(lead > 1, rates.clamp(max=1.0), 0.0).float()


METHODS.register("opm", Opm)
