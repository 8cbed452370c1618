"""Uni-modal teacher: encoders are held to features of encoders that were trained alone.

Source: Du et al., "On Uni-Modal Feature Learning in Supervised Multi-Modal Learning", ICML 2023, section 4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from pydantic import Field
from torch import Tensor, nn

from raymm.config.base import Settings
from raymm.config.registries import METHODS
from raymm.methods.base import Method
from raymm.methods.pretrained import stage_of, stage_problems
from raymm.methods.unimodal import leave, modality_losses, modality_outputs, own_heads

if TYPE_CHECKING:
    from collections.abc import Mapping

    from raymm.methods.base import MethodContext
    from raymm.methods.epochs import EpochEnd, EpochStart
    from raymm.methods.step import Step
    from raymm.models.model import MultimodalModel

__all__ = ["Umt", "UmtSettings"]


class UmtSettings(Settings):
    """Settings of `umt`."""

    stage: int | None = Field(
        default=None, ge=1, description="first epochs, which train the teachers; default: half of training.epochs"
    )
    strength: float = Field(default=10.0, ge=0, description="s: factor of the distance to the teachers' features")


class Umt(Method):
    """L = CE(z) + s * sum over the modalities i of a row of mean_d (f_i - teacher f_i)^2, s = 10.

    The teachers are trained in the first epochs of the run: L = sum_i CE(h_i(f_i)) with heads h_i of the method's
    own, the fusion left as it is. Then they are kept, the model's encoders begin anew with the weights that the run
    began with, and follow them; teachers see the same augmented inputs, in evaluation mode. In the paper they come
    from separate trainings of the full length. Defined for any number of modalities, any fusion and any task.
    """

    Settings = UmtSettings
    reads_encoders = True
    source = "Du et al., ICML 2023, section 4 (UMT)"
    cost = "one encoder pass more in stage 2, without a backward pass"
    tuned = (("strength", (1.0, 10.0, 50.0)),)

    module: nn.ModuleList

    def __init__(self, settings: Any, context: MethodContext) -> None:
        super().__init__(settings, context)
        heads = own_heads("own", context)
        assert heads is not None
        self.module = heads
        self.stage = self.stage_epochs(settings, context.epochs)
        self.kept: dict[str, Tensor] = {}
        self._teachers: MultimodalModel | None = None

    @classmethod
    def problems(cls, settings: Any, context: MethodContext) -> list[str]:
        """Refuse stages that leave no epoch for the students."""
        return stage_problems(settings.stage, context)

    @classmethod
    def stage_epochs(cls, settings: Any, epochs: int) -> int:
        """Those of the teachers."""
        return stage_of(settings.stage, epochs)

    def before_epoch(self, start: EpochStart) -> None:
        """Begin anew at the end of the teachers' stage, and restore them from there on."""
        if start.epoch < self.stage:
            return
        self._teachers = start.initial_model().eval().requires_grad_(requires_grad=False)
        if start.epoch == self.stage:
            start.model.encoders.load_state_dict(self._teachers.encoders.state_dict())
            start.forget(start.model.encoders)
        self._teachers.encoders.load_state_dict(self.kept)

    def after_evaluation(self, end: EpochEnd) -> None:
        """Make teachers of the encoders at the end of their stage; all ranks read those of the first."""
        if end.epoch + 1 == self.stage:
            self.kept = {name: tensor.detach().clone() for name, tensor in end.model.encoders.state_dict().items()}

    def loss(self, step: Step) -> Tensor:
        """The loss of the stage."""
        if self._teachers is None:
            return step.total(modality_losses(step, modality_outputs(step, self.module)).sum(dim=1))
        distance = (step.features - step.features_by(self._teachers)).square().mean(dim=2)
        pull = torch.where(step.mask, distance, 0.0).sum(dim=1)
        return step.total(step.loss_of(step.logits) + self.settings.strength * pull)

    def on_gradients(self, step: Step) -> None:
        """Leave what the stage does not train."""
        leave(step.fusion_parameters() if self._teachers is None else self.module.parameters())

    def state_dict(self) -> dict[str, Tensor]:
        """Weights of the teachers, once they are trained."""
        return self.kept

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take them over."""
        self.kept = dict(state)


METHODS.register("umt", Umt)
