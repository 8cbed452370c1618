"""Multi-task training: the loss of the fused output, and that of each modality alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from raymm.config.base import Settings
from raymm.config.registries import METHODS
from raymm.methods.base import Method
from raymm.methods.unimodal import Heads, modality_outputs, own_heads

if TYPE_CHECKING:
    from raymm.methods.base import MethodContext
    from raymm.methods.step import Step

__all__ = ["Multitask", "MultitaskSettings"]


class MultitaskSettings(Settings):
    """Settings of `multitask`."""

    heads: Heads = Field(
        default="shared",
        description="outputs of a modality alone: of the fusion without the others, or of a linear head of its own",
    )
    amount: Annotated[float, Field(ge=0)] | Literal["1/n"] = Field(
        default=1.0, description="factor of the loss of each modality alone; 1/n by the number of modalities"
    )


class Multitask(Method):
    """L = CE(l(P)) + amount * sum over the modalities i that a row has of CE(l_i).

    With shared heads l_i is the fused output of modality i alone, so that the model also learns to go without the
    others; with heads of their own it is a linear head on the features of i, which is thrown away in the end. Defined
    for any number of modalities, fusion and task. It is what remains of several published methods where gradients do
    not conflict, and the control of all methods that supervise single modalities.
    """

    Settings = MultitaskSettings
    source = "the usual control; Wang et al., CVPR 2020, with all weights alike"
    cost = "n further fusions (shared) or linear heads (own); no further encoder or backward pass"
    tuned = (("amount", (0.3, 0.5, 1.0)),)

    def __init__(self, settings: Any, context: MethodContext) -> None:
        super().__init__(settings, context)
        self.module = own_heads(settings.heads, context)

    @classmethod
    def idle(cls, settings: Any) -> tuple[str, ...]:
        """Heads make no difference where their losses count nothing."""
        return ("heads",) if settings.amount == 0 else ()

    def loss(self, step: Step) -> Tensor:
        """The sum of all losses."""
        n = len(self.context.modalities)
        amount = 1 / n if self.settings.amount == "1/n" else self.settings.amount
        everything, alone = self._outputs(step, n)
        losses = step.loss_of(everything)
        for i in range(n):
            losses = losses + amount * step.loss_of(alone[:, i]) * step.mask[:, i]
        return step.total(losses)

    def _outputs(self, step: Step, n: int) -> tuple[Tensor, Tensor]:
        """Fused outputs [B, K], and those of each modality alone [B, n, K]."""
        if self.module is not None:
            return step.logits, modality_outputs(step, self.module)
        both = torch.cat([torch.eye(n, dtype=torch.bool), torch.ones(1, n, dtype=torch.bool)])
        outputs = step.coalition_logits(both)
        return outputs[:, -1], outputs[:, :-1]


METHODS.register("multitask", Multitask)
