"""MMPareto: the gradients of the joint loss and of a modality's own loss, combined without harm to either.

Source: Wei and Hu, "MMPareto: Boosting Multimodal Learning with Innocent Unimodal Assistance", ICML 2024.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from pydantic import Field
from torch import Tensor

from raymm.config.base import Settings
from raymm.config.registries import METHODS
from raymm.methods.base import Method
from raymm.methods.gradients import cosines
from raymm.methods.unimodal import EpochMeans, Heads, modality_losses, modality_outputs, one_modality, own_heads

if TYPE_CHECKING:
    from raymm.methods.base import MethodContext
    from raymm.methods.epochs import EpochStart
    from raymm.methods.step import Step

__all__ = ["MMPareto", "MMParetoSettings", "pareto"]


class MMParetoSettings(Settings):
    """Settings of `mmpareto`."""

    heads: Heads = Field(
        default="own", description="outputs of a modality alone: a layer of its own, or shared with the fusion"
    )
    gamma: float = Field(default=1.5, gt=0, description="factor of the encoders' gradients")


class MMPareto(Method):
    """Encoder i descends by gamma * v of a = grad L(z) and b = grad L(z_i), which are never added before.

    - Where they agree (a.b >= 0): v = a + b.
    - Where they conflict: v has the direction of t a + (1 - t) b, the shortest vector between a and b, along which
      both losses fall, and the length of a + b; t = b.(b - a) / |a - b|^2.

    Heads and fusion descend by the plain sum of all losses. Defined for two or more modalities, every fusion and
    task. The length is that of the whole gradient of an encoder; the published code restores it tensor by tensor.
    Logged: the mean cosine of a and b (`conflict_cosine`) and the share of steps in which they conflict (`conflict`).
    Where these are rare, the method is a multi-task loss with gamma times the step for the encoders.
    """

    Settings = MMParetoSettings
    reads_encoders = True
    source = "Wei and Hu, ICML 2024, section 3.3"
    cost = "a second backward pass of the encoders; n + 1 fusions more, or one and n linear layers with heads=own"
    tuned = (("gamma", (1.0, 1.5, 2.0)),)

    def __init__(self, settings: Any, context: MethodContext) -> None:
        super().__init__(settings, context)
        self.module = own_heads(settings.heads, context)
        self._means = EpochMeans(context.modalities)
        self._joint: list[Tensor] = []

    @classmethod
    def problems(cls, settings: Any, context: MethodContext) -> list[str]:
        """Refuse a single modality."""
        del settings
        return one_modality(context)

    def before_epoch(self, start: EpochStart) -> None:
        """Begin the means of the epoch."""
        del start
        self._means.restart()

    def loss(self, step: Step) -> Tensor:
        """All losses, with the joint one cut off from the encoders: what they get from it is kept apart."""
        joint = step.total(step.loss_of(step.logits))
        self._joint = [step.encoder_gradients(joint, i) for i in range(len(self.context.modalities))]
        heads_only = step.total(step.loss_of(step.masked_logits(step.mask, step.features.detach())))
        alone = modality_losses(step, modality_outputs(step, self.module))
        return heads_only + step.total(alone.sum(dim=1))

    def on_gradients(self, step: Step) -> None:
        """Put the combined gradient in the place of the encoder's own."""
        parts = [len(one) for one in self._joint]
        cosines = []
        for position, joint in enumerate(step.all_reduce(torch.cat(self._joint)).split(parts)):
            gradients = [one.grad for one in step.encoder_parameters(position) if one.grad is not None]
            alone = torch.cat([joint.new_zeros(0), *(one.flatten().float() for one in gradients)])
            combined, cosine = pareto(joint, alone)
            for gradient, part in zip(gradients, combined.split([one.numel() for one in gradients]), strict=True):
                gradient.copy_(self.settings.gamma * part.view_as(gradient))
            cosines.append(cosine)
        self._joint = []
        cosine = torch.stack(cosines)
        conflict = (cosine < 0).double().masked_fill(cosine.isnan(), torch.nan)
        self._means.add(conflict_cosine=cosine, conflict=conflict)

    def figures(self) -> dict[str, float]:
        """Cosines of the two gradients of each encoder, and shares of steps in which they conflict."""
        return self._means.figures()


def pareto(joint: Tensor, alone: Tensor) -> tuple[Tensor, Tensor]:
    """The common descent direction of two gradients [P], and their cosine (NaN where one of them is zero).

    >>> pareto(torch.tensor([1.0, 1.0]), torch.tensor([1.0, 0.0]))[0]
    tensor([2., 1.])
    >>> pareto(torch.tensor([2.0, 0.0]), torch.tensor([-1.0, 1.0]))[0]  # the shortest is [0.2, 0.6]
    tensor([0.4472, 1.3416])
    """
    product, square_joint, square_alone = joint @ alone, joint @ joint, alone @ alone
    share = (square_alone - product) / (square_joint + square_alone - 2 * product)
    shortest = share * joint + (1 - share) * alone
    plain = joint + alone
    length = shortest.norm()
    restored = torch.where(length == 0, 0.0, shortest * (plain.norm() / length))  # what overflows is NaN, and seen
    return torch.where(product < 0, restored, plain), cosines(joint, alone)


METHODS.register("mmpareto", MMPareto)
