"""One modality alone: the control that says whether the others are worth their price."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field

from raymm.config.base import Settings
from raymm.config.registries import METHODS
from raymm.errors import did_you_mean
from raymm.methods.base import Method

if TYPE_CHECKING:
    from torch import Tensor

    from raymm.methods.base import MethodContext
    from raymm.methods.step import Step

__all__ = ["Alone", "AloneSettings"]


class AloneSettings(Settings):
    """Settings of `alone`."""

    modality: str | None = Field(
        default=None,
        description="its name, which also sets model.modalities; default: the one named there",
    )


class Alone(Method):
    """CE of one modality, over the rows that have it: the model has no other, in training, evaluation and serving.

    Only that modality is read. The others are to the run as if each sample lacked them (`model.modalities`), so that
    all metrics are those of a unimodal model, epochs are picked by it, and it is the only player of every game.
    Training rows that lack the modality have no loss; evaluated samples that lack it are answered by the baseline and
    count, as they do for any other method. Defined for any fusion and any task.
    """

    Settings = AloneSettings
    source = "the unimodal control"
    cost = "the encoder rows of one modality only"

    def __init__(self, settings: Any, context: MethodContext) -> None:
        super().__init__(settings, context)
        self.position = context.modalities.index(_read(context)[0])

    @classmethod
    def problems(cls, settings: Any, context: MethodContext) -> list[str]:
        """Refuse a model of several modalities, or of another one."""
        read, wanted = _read(context), settings.modality
        if unknown := [name for name in read if name not in context.modalities]:
            remedy = did_you_mean(unknown[0], context.modalities)
            return [f"there is no modality '{unknown[0]}' to train alone; {remedy}"]
        if len(read) > 1:
            known = ", ".join(context.modalities)
            return [f"say which modality is trained alone, as method.settings.modality={read[0]}; there are {known}"]
        if wanted not in {None, read[0]}:
            return [f"method.settings.modality={wanted}, but model.modalities={read[0]}; leave one of them out"]
        return []

    def mask(self, kept: npt.NDArray[np.bool_], keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
        """The modality alone."""
        del keys
        alone: npt.NDArray[np.bool_] = kept & (np.arange(kept.shape[1]) == self.position)
        return alone

    def loss(self, step: Step) -> Tensor:
        """The loss of the rows that have it."""
        return step.total(torch.where(step.mask[:, self.position], step.loss_of(step.logits), 0.0))


def _read(context: MethodContext) -> tuple[str, ...]:
    """Modalities that the model reads."""
    return context.modalities if context.reads is None else context.reads


METHODS.register("alone", Alone)
