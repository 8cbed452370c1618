"""Boosting over modalities: one learns what the others miss, by turns of some epochs, then all learn together.

Source: Hua et al., "ReconBoost: Boosting Can Achieve Modality Reconcilement", ICML 2024, section 4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from pydantic import Field
from torch import Tensor

from raymm.config.base import Settings
from raymm.config.registries import METHODS
from raymm.methods.base import Method
from raymm.methods.unimodal import leave

if TYPE_CHECKING:
    from raymm.methods.base import MethodContext
    from raymm.methods.step import Step

__all__ = ["ReconBoost", "ReconBoostSettings"]

FUSIONS = ("concat", "sum")
"""Fusions whose output is a sum of one term a modality."""


class ReconBoostSettings(Settings):
    """Settings of `reconboost`."""

    stage: int = Field(default=1, ge=1, description="epochs of one modality in a row")
    rectification: int = Field(default=1, ge=0, description="joint epochs after them")
    own: float = Field(default=5.0, gt=0, description="w_1: weight of a modality's own loss")
    rest: float = Field(default=1.0, ge=0, description="w_2: less where the others know the label")
    agreement: float = Field(default=0.5, ge=0, description="alpha: distance to the answer of the modality before")


class ReconBoost(Method):
    """The modalities take turns of `stage` epochs; after each turn come `rectification` epochs of CE(z).

    In the turn of modality i, over the rows that have it: L = (w_1 - w_2 p(z_{not i})[y]) CE(z_i) + alpha * sum over
    the classes of (p(z_i) - p(z_{i-1}))^2, where z_i and z_{not i} are the outputs of i alone and of the others
    together, p their softmax, and only z_i is differentiated; encoders of the others are left as they are. i - 1 is
    the modality before i in the order of the data set, the last one for the first; rows that lack it have no such
    term.

    Defined for any number of modalities, for late fusion (model.fusion=concat or sum: the output is a sum over the
    modalities), labels of one class a sample. As the paper means it: the published code gives the term of alpha no
    gradient, and begins with a constant in the place of the others. The head's parameters are those of one layer, so
    momentum and weight decay reach the blocks of modalities whose turn it is not. (The source trains 4 epochs a turn
    and 4 after it.)
    """

    Settings = ReconBoostSettings
    reads_encoders = True
    reads_labels = True
    source = "Hua et al., ICML 2024, section 4 (ReconBoost)"
    cost = "in a turn 2 fusions more and a backward pass through one encoder"
    tuned = (("agreement", (0.1, 0.5, 1.0)),)

    @classmethod
    def problems(cls, settings: Any, context: MethodContext) -> list[str]:
        """Refuse other fusions and labels, and training without a turn for each modality."""
        found = []
        if context.fusion not in FUSIONS:
            found.append(
                f"model.fusion={context.fusion} is no sum of one output a modality; use model.fusion=concat, or sum"
            )
        if not context.utility.task.by_argmax:
            found.append(f"the task {context.task} has no one class a sample, which the weights are of")
        needed = (settings.stage + settings.rectification) * len(context.modalities)
        if context.epochs < needed:
            found.append(
                f"training.epochs={context.epochs} ends before each modality had its turn; use {needed} or more, or "
                "lower method.settings.stage and method.settings.rectification"
            )
        return found

    def loss(self, step: Step) -> Tensor:
        """The loss of the turn, or of the rectification."""
        i = self._learner(step.epoch)
        if i is None or not len(step):
            return super().loss(step)
        n = len(self.context.modalities)
        before = (i - 1) % n
        single = torch.eye(n, dtype=torch.bool)
        outputs = step.coalition_logits(torch.stack([single[i], single[before], ~single[i]])).float()
        own, (previous, rest) = outputs[:, 0], outputs[:, 1:].detach().unbind(dim=1)
        known = rest.softmax(dim=1).gather(1, step.labels[:, None])[:, 0]
        losses = (self.settings.own - self.settings.rest * known) * step.loss_of(own)
        apart = (own.softmax(dim=1) - previous.softmax(dim=1)).square().sum(dim=1)
        losses = losses + self.settings.agreement * torch.where(step.mask[:, before], apart, 0.0)
        return step.total(torch.where(step.mask[:, i], losses, 0.0))

    def on_gradients(self, step: Step) -> None:
        """Leave the encoders whose turn it is not."""
        if (learner := self._learner(step.epoch)) is not None:
            for i in range(len(self.context.modalities)):
                if i != learner:
                    leave(step.encoder_parameters(i))

    def _learner(self, epoch: int) -> int | None:
        """The modality whose turn an epoch is, or None where all learn together.

        Turns of two modalities, with one epoch each and one together after it: 0, None, 1, None, 0, ...
        """
        length = self.settings.stage + self.settings.rectification
        turn, position = divmod(epoch, length)
        return turn % len(self.context.modalities) if position < self.settings.stage else None


METHODS.register("reconboost", ReconBoost)
