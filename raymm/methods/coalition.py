"""Losses of all coalitions of a row's modalities, from features that were encoded once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Literal

import torch
from pydantic import Field, PositiveInt
from torch import Tensor

from raymm.config.base import Settings
from raymm.config.registries import METHODS
from raymm.methods.base import Method
from raymm.methods.coalition_terms import MOST, Coalitions, Weights

if TYPE_CHECKING:
    from raymm.methods.base import MethodContext, Tuned
    from raymm.methods.coalition_terms import Terms
    from raymm.methods.step import Step

__all__ = ["Coalition", "CoalitionSettings", "TermSettings"]


class TermSettings(Settings):
    """Which coalitions are trained."""

    sizes: Literal["all"] | tuple[PositiveInt, ...] = Field(
        default="all", description="sizes of the coalitions beside that of all modalities, such as [1, 2]"
    )
    weights: Weights = Field(
        default="size", description="what counts the same: every size, every coalition, or as the Shapley kernel"
    )
    draw: PositiveInt | None = Field(
        default=None,
        description=f"coalitions drawn of each row and step; default: all, or n where they are more than {MOST}",
    )


class CoalitionSettings(TermSettings):
    """Settings of `coalition`."""

    amount: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="share of the coalitions in a row's loss; default: each size counts as much as all modalities",
    )


class Coalition(Method):
    """The loss of all modalities P of a row, and those of its proper coalitions, which share `amount` of the total.

    L = (1 - a) CE(l(P)) + a * sum over C of q(C) CE(l(C)), with l(C) fused from the features of C, and q as `weights`
    has it (`raymm.methods.coalition_terms`). By default a = (p - 1) / (p + 1) and every size counts the same, which
    is L = [CE(l(P)) + sum over s = 1..p of the mean of CE(l(C)) over |C| = s] / (1 + p): with v = -CE, what is
    trained is the expected worth of the prefixes of a random order of the modalities, the game that is valued. With
    `sizes`, m of them below p, a = m / (m + 2). A row without such coalitions, such as one with a single modality,
    has the loss of P alone.

    Defined for any number of modalities, fusion and task; with one modality it is joint training. From nine
    modalities on there are more than 255 coalitions, and n of them are drawn of each row and step (a size by its
    share, then a coalition of that size), whose mean loss has the expectation of the sum; `draw` says how many.
    """

    Settings: ClassVar[type[TermSettings]] = CoalitionSettings
    source = "raymm; random orders as in Shapley, 1953"
    cost = "a fusion a coalition (2^n - 1, or draw + 1); no further encoder or backward pass"
    tuned: ClassVar[Tuned] = (("amount", (0.3, 0.5, 0.7)),)

    def __init__(self, settings: Any, context: MethodContext) -> None:
        super().__init__(settings, context)
        sizes = None if settings.sizes == "all" else settings.sizes
        self.coalitions = Coalitions(len(context.modalities), sizes, settings.weights, settings.draw)

    @classmethod
    def problems(cls, settings: Any, context: MethodContext) -> list[str]:
        """Refuse sizes that no coalition has."""
        n, sizes = len(context.modalities), settings.sizes
        wrong = [] if sizes == "all" else sorted(size for size in sizes if size >= n)
        if sizes != "all" and not sizes:
            return ["settings.sizes is empty; name sizes such as [1], or use method=joint"]
        if not wrong:
            return []
        names = ", ".join(map(str, wrong))
        return [f"settings.sizes has {names}, but coalitions beside all {n} modalities have 1 to {n - 1}"]

    @classmethod
    def idle(cls, settings: Any) -> tuple[str, ...]:
        """Which coalitions there are makes no difference where they count nothing."""
        off = getattr(settings, "amount", None) == 0
        return tuple(name for name in type(settings).model_fields if name != "amount") if off else ()

    def loss(self, step: Step) -> Tensor:
        """The losses of all modalities and of the coalitions."""
        return step.total(self.row_losses(step))

    def row_losses(self, step: Step) -> Tensor:
        """The same of each row, [B]."""
        terms = self.coalitions.terms(step, self.context.utility.task)
        amount = self.amounts().to(step.mask.device)[step.mask.sum(dim=1)]
        coalitions = (self.shares(step, terms, amount) * terms.parts).sum(dim=1)
        return (1 - amount) * terms.full + amount * coalitions

    def amounts(self) -> Tensor:
        """Share of the coalitions in the loss of a row by its number of modalities, float32 [n + 1]."""
        given, default = self.settings.amount, self.coalitions.amounts
        return default if given is None else torch.where(default > 0, given, 0.0)

    def shares(self, step: Step, terms: Terms, amount: Tensor) -> Tensor:
        """Weights of the coalitions [B, S], of which each row's add up to 1 on the mean."""
        del step, amount
        return terms.share


METHODS.register("coalition", Coalition)
