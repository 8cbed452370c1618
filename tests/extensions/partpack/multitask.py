"""A method with a loss: that of the fused outputs plus alpha times the losses of each modality alone."""

from pydantic import Field

from raymm.config import Settings
from raymm.config.registries import METHODS
from raymm.methods import Method

__all__ = ["MultiTask"]


class MultiTaskSettings(Settings):
    """Settings of `multitask_alone`."""

    alpha: float = Field(default=1.0, ge=0)


class MultiTask(Method):
    """loss = task(fused) + alpha * mean over the modalities that a row has of task(modality alone)."""

    Settings = MultiTaskSettings

    def loss(self, step):
        alone = step.unimodal_logits()
        losses = [step.loss_of(alone[:, i]) * step.mask[:, i] for i in range(alone.shape[1])]
        of_each = sum(losses) / step.mask.sum(dim=1).clamp(min=1)
        return step.total(step.loss_of(step.logits) + self.settings.alpha * of_each)


METHODS.register("multitask_alone", MultiTask)
