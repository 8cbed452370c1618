"""ARL: the better a modality predicts for how much it says, the larger its encoder's step.

Source: Wei et al., "Improving Multimodal Learning via Imbalanced Learning", ICCV 2025.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from pydantic import Field
from torch import Tensor

from raymm.config.base import Settings
from raymm.config.registries import METHODS
from raymm.methods.base import Method
from raymm.methods.unimodal import (
    EpochMeans,
    batch_means,
    modality_losses,
    one_modality,
    scale_encoders,
    shared_outputs,
)

if TYPE_CHECKING:
    from raymm.methods.base import MethodContext
    from raymm.methods.epochs import EpochStart
    from raymm.methods.step import Step

__all__ = ["Arl", "ArlSettings"]


class ArlSettings(Settings):
    """Settings of `arl`."""

    gamma: float = Field(default=1.0, ge=0, description="weight of the losses of single modalities, after `warmup`")
    temperature: float = Field(default=8.0, ge=0, description="T: how far apart the weights of the modalities are")
    least: float = Field(default=0.6, gt=0, le=1, description="lowest share of entropy, in parts of the equal share")
    warmup: int = Field(default=6, ge=0, description="first epochs: all losses weigh 1, and gradients are left alone")


class Arl(Method):
    """L = L(z) + gamma * sum_i L(z_i), and the gradient of encoder i is multiplied by 1 + w_i.

    w = softmax over modalities of T * (1 - d_i) * v_i. The dependence d_i is the share of modality i in the mean
    absolute outputs, sum_k |z_ik|; v_i is its share of certainty, 1 / h_i over the sum of all 1 / h_j, where h_i is
    its share of the mean entropies of softmax(z_i), at least `least` / n (0.3 for two modalities, as in the source).
    Entropy stands for the variance of a prediction: a modality that predicts with little variance and on which the
    model depends little gets the larger step, until dependences are as the inverse variances. All are means over the
    batch.

    z_i = fuse({i}) - (1 - 1/n) fuse({}) shares the fusion's weights (W_i f_i + b/n for sums). The paper has two
    modalities, for which 1 - d_i is the other's d_j; this form is the same there. Defined for two or more modalities,
    every fusion, and one class a sample.
    """

    Settings = ArlSettings
    reads_encoders = True
    source = "Wei et al., ICCV 2025, section 3.3"
    cost = "n + 1 fusions more; no further pass"
    tuned = (("gamma", (0.5, 1.0, 2.0)),)

    def __init__(self, settings: Any, context: MethodContext) -> None:
        super().__init__(settings, context)
        self._weights = torch.zeros(len(context.modalities))
        self._means = EpochMeans(context.modalities)

    @classmethod
    def problems(cls, settings: Any, context: MethodContext) -> list[str]:
        """Refuse a single modality, and outputs that are no distribution over classes."""
        del settings
        found = one_modality(context)
        if context.task != "classification":
            found.append(
                f"the outputs of the task {context.task} are no distribution over classes whose entropy could be "
                "taken; use method=ogm_ge or method=agm"
            )
        return found

    def before_epoch(self, start: EpochStart) -> None:
        """Begin the means of the epoch."""
        del start
        self._means.restart()

    def loss(self, step: Step) -> Tensor:
        """The joint loss and those of all modalities alone."""
        outputs = shared_outputs(step)
        early = step.epoch < self.settings.warmup
        alone = modality_losses(step, outputs).sum(dim=1)
        self._weights = torch.zeros_like(self._weights) if early else self._weigh(step, outputs.detach())
        return step.total(step.loss_of(step.logits) + (1.0 if early else self.settings.gamma) * alone)

    def on_gradients(self, step: Step) -> None:
        """Scale the gradients of the encoders."""
        if step.epoch >= self.settings.warmup:
            scale_encoders(step, 1 + self._weights)
            self._means.add(factor=1 + self._weights)

    def figures(self) -> dict[str, float]:
        """Mean dependence, entropy and factor of the gradient of each modality."""
        return self._means.figures()

    def _weigh(self, step: Step, outputs: Tensor) -> Tensor:
        """w of each modality, float64 [n]; a modality that no row of the batch has gets none."""
        dependence = batch_means(step, outputs.abs().sum(dim=-1))
        logs = outputs.double().log_softmax(dim=-1)
        entropy = batch_means(step, -(logs.exp() * logs).sum(dim=-1))
        self._means.add(dependence=dependence, entropy=entropy)
        certainty = 1 / _shares(entropy).clamp(min=self.settings.least / len(entropy))
        scores = self.settings.temperature * (1 - _shares(dependence)) * _shares(certainty)
        return scores.nan_to_num(nan=-torch.inf).softmax(dim=0)


def _shares(values: Tensor) -> Tensor:
    """Parts of a sum, NaN left out of it."""
    return values / values.nansum()


METHODS.register("arl", Arl)
