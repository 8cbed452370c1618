"""Losses of coalitions whose amount is chosen on validation while the run trains."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import torch
from pydantic import Field, PositiveInt
from torch import Tensor, nn

from raymm.config.registries import METHODS
from raymm.methods.coalition import Coalition, TermSettings
from raymm.methods.evaluation_rows import EvaluationRows
from raymm.methods.gradients import flat_gradient

if TYPE_CHECKING:
    from raymm.methods.base import MethodContext
    from raymm.methods.epochs import EpochEnd

__all__ = ["Auto", "AutoSettings"]


class AutoSettings(TermSettings):
    """Settings of `auto`."""

    start: float | None = Field(
        default=None, ge=0, le=1, description="amount in the first epoch; default: that of `coalition`"
    )
    rate: float = Field(default=0.1, gt=0, le=1, description="by how much the amount changes after an epoch, at most")
    memory: float = Field(default=0.5, ge=0, lt=1, description="part of the slopes of earlier epochs in their means")
    samples: PositiveInt = Field(default=128, description="samples of training and of validation that give the slope")


class Auto(Coalition):
    """The loss of `coalition` with an amount a that follows the validation gradient.

    A step of training with rate h changes the weights by -h ((1 - a) g_P + a g_C), with g_P the gradient of the loss
    of all modalities and g_C that of the coalitions. So to first order the validation loss (of all modalities, as it
    is predicted) changes with a by dL/da = -h <g_val, g_C - g_P>. After each epoch but the last, c = cos(g_val, g_C -
    g_P) is computed in the evaluation view on keyed samples of both splits, and a <- a + rate * mean(c) /
    sqrt(mean(c^2)), clipped to [0, 1], with exponential means over epochs: a sign that persists moves a by the whole
    rate, one that changes leaves it where it is. The amount is logged as `method/amount`, the cosine as
    `method/validation_cosine`.

    Validation then chooses one number of the training as well as the epoch; test is never looked at. A slope sees one
    step ahead (Wu et al., "Understanding Short-Horizon Bias in Stochastic Meta-Optimization", ICLR 2018): while both
    losses still fall, it favours whatever lowers the loss of all modalities at once, which is less amount. That it is
    better than `coalition` with its default amount is not shown. Defined for any fusion and task, from two modalities
    on.
    """

    Settings = AutoSettings
    source = "raymm; the hyper-gradient of Baydin et al., ICLR 2018, taken of a weight of the loss"
    cost = (
        "as coalition; after an epoch one encoder and one backward pass of `samples` rows of training and validation"
    )
    tuned = (("start", (0.3, 0.5, 0.7)), ("rate", (0.05, 0.1, 0.2)))

    def __init__(self, settings: Any, context: MethodContext) -> None:
        super().__init__(settings, context)
        default = float(self.coalitions.amounts[-1])
        self.amount = torch.tensor(default if settings.start is None else settings.start, dtype=torch.float64)
        self.means = torch.zeros(3, dtype=torch.float64)
        """Exponential means of c, of its square, and of 1; they begin at 0."""
        self.cosine = torch.zeros((), dtype=torch.float64)

    @classmethod
    def problems(cls, settings: Any, context: MethodContext) -> list[str]:
        """As `coalition`; and a single modality, which has no coalitions to weigh."""
        if len(context.modalities) == 1:
            return ["there is one modality, so that there are no coalitions to weigh; use method=joint"]
        return super().problems(settings, context)

    def amounts(self) -> Tensor:
        """The amount of this epoch, where a row has coalitions."""
        return torch.where(self.coalitions.amounts > 0, self.amount.float(), 0.0)

    def after_evaluation(self, end: EpochEnd) -> None:
        """Move the amount against the slope of the validation loss."""
        if end.epoch + 1 >= end.epochs:
            return
        with torch.enable_grad():
            self.cosine = self._cosine(end)
        now = torch.stack([self.cosine, self.cosine**2, torch.ones_like(self.cosine)])
        self.means = self.settings.memory * self.means + (1 - self.settings.memory) * now
        mean, square, weight = self.means
        scale = (square * weight).sqrt()  # both means are over the same weight: mean / w over sqrt(square / w)
        move = mean / scale if scale > 0 else torch.zeros_like(mean)
        self.amount = (self.amount + self.settings.rate * move).clamp(0.0, 1.0)

    def figures(self) -> dict[str, float]:
        """The amount of the next epoch, and the cosine that it follows."""
        return {"amount": float(self.amount), "validation_cosine": float(self.cosine)}

    def state_dict(self) -> dict[str, Tensor]:
        """The amount, the means and the newest cosine."""
        return {"amount": self.amount, "means": self.means, "cosine": self.cosine}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take them over."""
        self.amount, self.means, self.cosine = state["amount"], state["means"], state["cosine"]

    def _cosine(self, end: EpochEnd) -> Tensor:
        """Cosine of the gradients g_val and g_C - g_P over all weights of the model, float64 []."""
        task, samples, seed = self.context.utility.task, self.settings.samples, self.context.seed
        rows = EvaluationRows(end.model, end.batch("train", samples), seed, end.epoch)
        terms = self.coalitions.terms(rows, task)
        has_coalitions = terms.share.sum(dim=1)
        pull = ((terms.share * terms.parts).sum(dim=1) - terms.full) * has_coalitions
        towards = _gradient(pull.mean(), end.model)
        end.cost.fusions += terms.parts.numel() + len(terms.full)
        val = EvaluationRows(end.model, end.batch("val", samples), seed, end.epoch)
        of_validation = _gradient(task.losses(val.masked_logits(val.mask).float(), val.labels).mean(), end.model)
        end.cost.fusions += len(val.labels)
        end.cost.backwards += len(terms.full) + len(val.labels)
        norms = of_validation.norm() * towards.norm()
        return of_validation @ towards / norms if norms > 0 else torch.zeros((), dtype=torch.float64)


def _gradient(loss: Tensor, model: nn.Module) -> Tensor:
    """Gradient of a loss by all weights that are trained, flat, float64 on the CPU."""
    return flat_gradient(loss, [one for one in model.parameters() if one.requires_grad]).double().cpu()


METHODS.register("auto", Auto)
