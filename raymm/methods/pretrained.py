"""Fusion of unimodal encoders: first every encoder is trained alone, then what fuses them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field

from raymm.config.base import Settings
from raymm.config.registries import METHODS
from raymm.methods.base import Method
from raymm.methods.unimodal import leave, modality_losses, modality_outputs, own_heads

if TYPE_CHECKING:
    from torch import Tensor, nn

    from raymm.methods.base import MethodContext
    from raymm.methods.step import Step

__all__ = ["Pretrained", "PretrainedSettings", "stage_of", "stage_problems"]


class PretrainedSettings(Settings):
    """Settings of `pretrained`."""

    stage: int | None = Field(
        default=None, ge=1, description="first epochs, which train encoders alone; default: half of training.epochs"
    )
    finetune: int = Field(
        default=0,
        ge=0,
        description="afterwards: 0 freezes the encoders, 1 trains them with the fusion, k in every k-th step only, "
        "which is a k-th of the learning rate whatever the optimizer",
    )


def stage_problems(stage: int | None, context: MethodContext) -> list[str]:
    """What is wrong with a first stage of so many epochs, in words."""
    if context.epochs < 2:
        return ["training.epochs=1 leaves no epoch for a second stage; use 2 or more"]
    if stage is not None and stage >= context.epochs:
        remedy = f"use {context.epochs - 1} or less"
        return [
            f"method.settings.stage={stage} leaves no epoch after it (training.epochs={context.epochs}); {remedy}"
        ]
    return []


def stage_of(stage: int | None, epochs: int) -> int:
    """Epochs of the first of two stages, in a training of so many: half of them where that is not set."""
    return epochs // 2 if stage is None else stage


class Pretrained(Method):
    """Stage 1: L = sum_i CE(h_i(f_i)), h_i heads of the method's own. Stage 2: CE(z), encoders frozen or fine-tuned.

    In stage 1 the fusion is left as it is, in stage 2 the heads h_i are; what is left has no gradient, so neither
    momentum nor weight decay moves it. A frozen encoder stays in training mode: its dropout goes on, and layers that
    normalise by the batch still follow it. Epochs of stage 1 have a fusion that was not trained, so validation picks
    one of stage 2. Defined for any number of modalities, any fusion and any task.
    """

    Settings = PretrainedSettings
    reads_encoders = True
    source = "frozen or fine-tuned fusion of unimodal encoders, a control of Kontras et al., NeurIPS 2025 (MCR)"
    cost = "nothing; less where encoders are frozen, whose backward pass is left out"
    tuned = (("finetune", (0, 1)),)

    module: nn.ModuleList

    def __init__(self, settings: Any, context: MethodContext) -> None:
        super().__init__(settings, context)
        heads = own_heads("own", context)
        assert heads is not None
        self.module = heads
        self.stage = self.stage_epochs(settings, context.epochs)

    @classmethod
    def problems(cls, settings: Any, context: MethodContext) -> list[str]:
        """Refuse stages that leave no epoch for the fusion."""
        return stage_problems(settings.stage, context)

    @classmethod
    def stage_epochs(cls, settings: Any, epochs: int) -> int:
        """Those of the encoders alone."""
        return stage_of(settings.stage, epochs)

    def loss(self, step: Step) -> Tensor:
        """The loss of the stage."""
        if step.epoch < self.stage:
            return step.total(modality_losses(step, modality_outputs(step, self.module)).sum(dim=1))
        features = step.features if self._finetunes(step) else step.features.detach()
        return step.total(step.loss_of(step.masked_logits(step.mask, features)))

    def on_gradients(self, step: Step) -> None:
        """Leave what the stage does not train."""
        if step.epoch < self.stage:
            leave(step.fusion_parameters())
            return
        leave(self.module.parameters())
        if not self._finetunes(step):
            for i in range(len(self.context.modalities)):
                leave(step.encoder_parameters(i))

    def _finetunes(self, step: Step) -> bool:
        every = self.settings.finetune
        return bool(every) and step.number % every == 0


METHODS.register("pretrained", Pretrained)
