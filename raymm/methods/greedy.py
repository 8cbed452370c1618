"""Balanced steps against greedy learning: the modality that is learned fast stands aside for a few steps.

Source: Wu et al., "Characterizing and Overcoming the Greedy Nature of Learning in Multi-modal Deep Neural Networks",
ICML 2022, sections 3.3 and 5.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import torch
from pydantic import Field
from torch import Tensor

from raymm.config.base import Settings
from raymm.config.registries import METHODS
from raymm.methods.base import Method
from raymm.methods.unimodal import leave

if TYPE_CHECKING:
    from collections.abc import Mapping

    from raymm.methods.base import MethodContext
    from raymm.methods.step import Step

__all__ = ["Greedy", "GreedySettings"]


class GreedySettings(Settings):
    """Settings of `greedy`."""

    tolerance: float = Field(default=0.01, ge=0, description="alpha: difference of the speeds that is borne")
    window: int = Field(default=5, ge=1, description="Q: re-balancing steps in a row")
    warmup: int = Field(default=2, ge=0, description="first epochs, which are joint")
    momentum: float = Field(default=0.9, ge=0, lt=1, description="of the running mean of the features")


class Greedy(Method):
    """Speed s_i = log10 sum over regular steps of |g_i|^2 / |theta_i|^2, g_i the gradient of CE(z) by encoder i.

    After a regular step with |s_1 - s_2| above the tolerance, the next Q steps re-balance: the features of the faster
    modality are replaced by their running mean, so that the loss can only fall by what the other one learns; its
    encoder is left as it is. Then a regular step follows. For two modalities, as in the source (of a larger data set
    the two that `model.modalities` names), any fusion and task.

    The paper measures speeds and replaces signals inside MMTM layers, which pass squeezed features from each network
    to the other: a speed is there that of a network's MMTM parameters over that of its own, and a network goes on to
    train while what comes from the other is its mean. That is left out here: encoders that meet only in the fusion
    have no such layers, and this is the rule on what they have, their parameters and the features that are fused. The
    running mean is exponential rather than over all steps.
    """

    Settings = GreedySettings
    reads_encoders = True
    source = "Wu et al., ICML 2022, sections 3.3 and 5 (in a form for late fusion, without MMTM layers)"
    cost = "nothing; less in re-balancing steps, which go back through one encoder"
    tuned = (("tolerance", (0.003, 0.01, 0.03)),)

    def __init__(self, settings: Any, context: MethodContext) -> None:
        super().__init__(settings, context)
        self.pair = [context.modalities.index(name) for name in _pair(context)]
        self.speed = torch.zeros(2, dtype=torch.float64)
        self.mean = torch.full((len(context.modalities), context.feature_size), torch.nan)
        self.faster, self.left = self.pair[0], 0

    @classmethod
    def problems(cls, settings: Any, context: MethodContext) -> list[str]:
        """Refuse other numbers of modalities."""
        del settings
        if (n := len(_pair(context))) == 2:
            return []
        remedy = f"; name two as model.modalities, of {', '.join(context.modalities)}" if n > 2 else ""
        return [f"is defined for two modalities, by the difference of their speeds; the model reads {n}{remedy}"]

    def loss(self, step: Step) -> Tensor:
        """The task's loss, of the features or with the mean in the place of the faster modality's."""
        self._note_means(step)
        if not self.left:
            return super().loss(step)
        features = step.features.clone()
        features[:, self.faster] = self.mean[self.faster].to(features.device)
        return step.total(step.loss_of(step.masked_logits(step.mask, features)))

    def on_gradients(self, step: Step) -> None:
        """Measure the speeds in a regular step, and say what the next steps are."""
        if self.left:
            self.left -= 1
            leave(step.encoder_parameters(self.faster))
            return
        self.speed += torch.tensor([_effective_update(step.encoder_parameters(i)) for i in self.pair])
        if step.epoch >= self.settings.warmup and bool((self.speed > 0).all()):
            difference = self.speed.log10().diff().item()
            if abs(difference) > self.settings.tolerance:
                self.faster, self.left = self.pair[int(difference > 0)], self.settings.window

    def state_dict(self) -> dict[str, Tensor]:
        """Sums of updates, running means, and where the steps stand."""
        return {"speed": self.speed, "mean": self.mean, "steps": torch.tensor([self.faster, self.left])}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take them over."""
        self.speed, self.mean = state["speed"].cpu(), state["mean"].cpu()
        self.faster, self.left = state["steps"].tolist()

    def _note_means(self, step: Step) -> None:
        """Move the running means by the features of the global batch, over the rows that have the modality."""
        here = torch.where(step.mask[..., None], step.features.detach(), 0.0).double().sum(dim=0)
        sums = step.all_reduce(torch.cat([here, step.mask.double().sum(dim=0)[:, None]], dim=1)).cpu()
        now = (sums[:, :-1] / sums[:, -1:]).float()  # NaN where no row has the modality
        old = torch.where(self.mean.isnan(), now, self.mean)
        moved = self.settings.momentum * old + (1 - self.settings.momentum) * now
        self.mean = torch.where(now.isnan(), self.mean, moved)


def _pair(context: MethodContext) -> tuple[str, ...]:
    """The modalities of the data set where there are two, else those that the model reads."""
    return context.modalities if len(context.modalities) == 2 else context.reads or context.modalities


def _effective_update(parameters: list[torch.nn.Parameter]) -> float:
    """Squared norm of the gradient over that of the parameters."""
    gradient = float(sum(one.grad.double().square().sum() for one in parameters if one.grad is not None))
    size = float(sum(one.detach().double().square().sum() for one in parameters))
    return gradient / size if size and math.isfinite(gradient) else 0.0  # float16 passes over a step that overflows


METHODS.register("greedy", Greedy)
