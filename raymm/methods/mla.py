"""Alternating unimodal adaptation: each modality trains in turn, by a head that all of them share.

Source: Zhang et al., "Multimodal Representation Learning by Alternating Unimodal Adaptation", CVPR 2024, section 3.
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
from raymm.models.fusion.entropy import EntropyFusion

if TYPE_CHECKING:
    from collections.abc import Mapping

    from raymm.methods.base import MethodContext
    from raymm.methods.step import Step

__all__ = ["Mla", "MlaSettings"]


class MlaSettings(Settings):
    """Settings of `mla`."""

    alpha: float = Field(default=0.1, gt=0, description="how little a direction of earlier features is closed")


class Mla(Method):
    """For each batch, modality by modality: L = CE(H f_i), one update each; no loss of the fused output.

    The head's gradient is turned away from what the modality before needs: dH <- dH P, P <- P - q (r P) with
    q = P r / (alpha + r P r), r the mean feature of the turn before over the rows of the global batch, P at first the
    identity. Prediction is by `model.fusion=entropy`, which this method needs: the answers of the head to each
    modality, weighed by their certainty. Defined for any number of modalities; labels must be one class a sample.

    As the paper has it; the published code takes r from the turn itself, divides by a matrix in the place of the
    number alpha + r P r, scales P to norm 1, and lets alpha fall from 0.1 to 0.01 within an epoch. Features are
    encoded once a batch: since no turn depends on the encoder of another, all encoders move in the last turn, each
    by the gradient of its own, and a bound on the norm (`optimizer.clip_norm`) holds for them together.
    """

    Settings = MlaSettings
    reads_encoders = True
    source = "Zhang et al., CVPR 2024, section 3 (MLA)"
    cost = "n fusions; a backward pass of the head in each of n updates; no further encoder pass"
    tuned = (("alpha", (0.03, 0.1, 0.3)),)
    turns = 2

    def __init__(self, settings: Any, context: MethodContext) -> None:
        super().__init__(settings, context)
        self.turns = len(context.modalities)  # the class says no more than that there are several
        self.projection = torch.eye(context.feature_size, dtype=torch.float64)
        self.mean = torch.full((context.feature_size,), torch.nan, dtype=torch.float64)
        self._pulls: list[Tensor] = []

    @classmethod
    def problems(cls, settings: Any, context: MethodContext) -> list[str]:
        """Refuse fusions without the one head, and labels that are not one class."""
        del settings
        found = []
        if context.fusion != "entropy":
            found.append(
                f"model.fusion={context.fusion} is not one head for all modalities, weighed by certainty; use "
                "model.fusion=entropy"
            )
        if not context.utility.task.by_argmax:
            found.append(f"the task {context.task} has no one class a sample, whose entropy says how sure it is")
        return found

    def loss(self, step: Step) -> Tensor:
        """The loss of the modality whose turn it is; in the last turn with what the others do to their encoders."""
        i, last = step.turn, step.turn == self.turns - 1
        if i == 0:
            self._pulls = []
        features = step.features if last else step.features.detach().requires_grad_()
        only = torch.zeros_like(step.mask)
        only[:, i] = True
        losses = step.loss_of(step.masked_logits(only, features))
        loss = step.total(torch.where(step.mask[:, i], losses, 0.0))
        if last:
            return loss + sum((pull * (features - features.detach())).sum() for pull in self._pulls)
        if len(step):
            self._pulls.append(torch.autograd.grad(loss, features, retain_graph=True)[0])
        return loss

    def on_gradients(self, step: Step) -> None:
        """Project the head's gradient; leave the encoders until the last turn."""
        fusion = step.model.fusion
        assert isinstance(fusion, EntropyFusion)
        weight = fusion.head.weight
        mean = self._mean_feature(step)
        if not self.mean.isnan().any():
            self._close(self.mean)
            if weight.grad is not None:  # frozen
                weight.grad = weight.grad @ self.projection.to(weight.grad)
        self.mean = torch.where(mean.isnan(), self.mean, mean)
        if step.turn < self.turns - 1:
            for i in range(self.turns):
                leave(step.encoder_parameters(i))

    def state_dict(self) -> dict[str, Tensor]:
        """P, [D, D], and the mean feature of the last turn, [D]."""
        return {"projection": self.projection, "mean": self.mean}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take them over."""
        self.projection, self.mean = state["projection"].cpu(), state["mean"].cpu()

    def _close(self, mean: Tensor) -> None:
        """Take the direction of a feature, [D], out of P."""
        q = self.projection @ mean
        self.projection = self.projection - torch.outer(q, q) / (self.settings.alpha + mean @ q)

    def _mean_feature(self, step: Step) -> Tensor:
        """Mean feature of the modality whose turn it is, over the global batch, [D]; NaN where no row has it."""
        here = step.mask[:, step.turn]
        kept = torch.where(here[:, None], step.features[:, step.turn].detach(), 0.0).double()
        sums = step.all_reduce(torch.cat([kept.sum(dim=0), here.sum()[None].double()])).cpu()
        return sums[:-1] / sums[-1]


METHODS.register("mla", Mla)
