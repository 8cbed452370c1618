"""LFM: the outputs of modalities are drawn together, as much as a schedule or held-out samples say.

Source: Yang et al., "Facilitating Multimodal Classification via Dynamically Learning Modality Gap", NeurIPS 2024.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from raymm.config.base import Settings
from raymm.config.registries import METHODS
from raymm.methods.base import Method
from raymm.methods.gradients import cosines, flat_gradient
from raymm.methods.probabilities import jensen_shannon, no_classes, pairs
from raymm.methods.unimodal import one_modality

if TYPE_CHECKING:
    from raymm.data.batch import Batch
    from raymm.methods.base import MethodContext
    from raymm.methods.epochs import EpochEnd
    from raymm.methods.step import Step

__all__ = ["Lfm", "LfmSettings"]


class LfmSettings(Settings):
    """Settings of `lfm`."""

    strategy: Literal["learned", "schedule"] = Field(
        default="learned",
        description="a is learned on validation after each epoch, or falls linearly over all epochs",
    )
    least: float = Field(default=0.05, ge=0, le=1, description="smallest a; what is learned begins here")
    most: float = Field(default=0.95, ge=0, le=1, description="largest a; what falls begins here")
    rate: float = Field(default=0.05, ge=0, description="largest step of what is learned")
    samples: int = Field(default=256, ge=1, description="samples of each split that a is learned from")


class Lfm(Method):
    """L = 2 ((1 - a) CE(z) + a G), G the mean over pairs of modalities of the divergence JS(p(z_i), p(z_j)).

    JS is the Jensen-Shannon divergence; of pairs that a row lacks there is none. With `strategy=learned`, a is chosen
    so that one step of gradient descent on L lowers the loss of held-out samples: that loss changes with a by
    -2 eta v.(grad G - grad CE), v its own gradient, so a <- a + rate cos(v, grad G - grad CE), within bounds. The
    cosine makes the step independent of the size of the gradients. Gradients of L are of a random batch of the
    training split, v of one of the validation split, after each epoch and by the weights that it ends with: one
    number is fitted on validation. The code of the paper takes a second derivative of the loss for this. With
    `strategy=schedule`, a falls linearly from `most` to `least` over the epochs.

    Defined for two or more modalities, every fusion, and classification.
    """

    Settings = LfmSettings
    source = "Yang et al., NeurIPS 2024"
    cost = "n fusions more; learned: two batches with three backward passes an epoch"
    tuned = (("rate", (0.05, 0.2)), ("most", (0.5, 0.95)))

    def __init__(self, settings: Any, context: MethodContext) -> None:
        super().__init__(settings, context)
        self.amount = torch.tensor(settings.least, dtype=torch.float64)

    @classmethod
    def problems(cls, settings: Any, context: MethodContext) -> list[str]:
        """Refuse a single modality, a task without classes, and bounds without anything between them."""
        found = one_modality(context) + no_classes(context, "the divergence of two modalities")
        if settings.least > settings.most:
            found.append(
                f"method.settings.least={settings.least} is above method.settings.most={settings.most}; exchange them"
            )
        return found

    @classmethod
    def idle(cls, settings: Any) -> tuple[str, ...]:
        """A schedule learns nothing."""
        return ("rate", "samples") if settings.strategy == "schedule" else ()

    def loss(self, step: Step) -> Tensor:
        """Both parts, weighted."""
        amount = self._amount(step.epoch)
        apart = gap(step.unimodal_logits(), step.mask)
        return step.total(2 * ((1 - amount) * step.loss_of(step.logits) + amount * apart))

    def after_evaluation(self, end: EpochEnd) -> None:
        """Learn a."""
        if self.settings.strategy == "schedule" or end.epoch + 1 == end.epochs:
            return
        parameters = [one for one in end.model.parameters() if one.requires_grad]
        with torch.enable_grad():
            held, trained = end.batch("val", self.settings.samples), end.batch("train", self.settings.samples)
            _, held_out = _losses(end, held)
            apart, fused = _losses(end, trained)
            own, other = (flat_gradient(one, parameters).double() for one in (held_out, apart - fused))
        end.cost.backwards += len(held) + len(trained)
        step = self.settings.rate * cosines(own, other).nan_to_num(0.0).cpu()  # of a gradient that is 0: no step
        self.amount = (self.amount + step).clamp(self.settings.least, self.settings.most)

    def figures(self) -> dict[str, float]:
        """What a is now, where it is learned."""
        return {"amount": float(self.amount)} if self.settings.strategy == "learned" else {}

    def state_dict(self) -> dict[str, Tensor]:
        """What was learned."""
        return {"amount": self.amount}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take it over."""
        self.amount = state["amount"].cpu()

    def _amount(self, epoch: int) -> float:
        if self.settings.strategy == "learned":
            return float(self.amount)
        part = epoch / max(self.context.epochs - 1, 1)
        return float(self.settings.most + part * (self.settings.least - self.settings.most))


def gap(outputs: Tensor, mask: Tensor) -> Tensor:
    """Mean divergence of the pairs of modalities that a row has, [B], from outputs [B, n, K]; 0 without a pair."""
    total, count = outputs.new_zeros(len(outputs)).float(), mask.new_zeros(len(mask), dtype=torch.int64)
    for i, j in pairs(outputs.shape[1]):
        both = mask[:, i] & mask[:, j]
        total = total + torch.where(both, jensen_shannon(outputs[:, i], outputs[:, j]), 0.0)
        count = count + both
    return total / count.clamp(min=1)


def _losses(end: EpochEnd, batch: Batch) -> tuple[Tensor, Tensor]:
    """Mean divergence of modalities, and mean cross-entropy, of a batch in the evaluation view."""
    features = end.model.encode(batch)
    single = torch.eye(batch.mask.shape[1], dtype=torch.bool, device=batch.mask.device)
    alone = torch.stack([end.model.fuse(features, batch.mask & one) for one in single], dim=1)
    fused = functional.cross_entropy(end.model.fuse(features, batch.mask).float(), batch.labels)
    end.cost.fusions += len(batch) * (batch.mask.shape[1] + 1)
    return gap(alone, batch.mask).mean(), fused


METHODS.register("lfm", Lfm)
