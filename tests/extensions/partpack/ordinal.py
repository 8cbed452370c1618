"""A task: classes with an order (that of `--classes`), where a neighbour is nearly right."""

from typing import ClassVar

import numpy as np
import torch
from pydantic import Field

from raymm.config import Settings
from raymm.config.registries import TASKS
from raymm.tasks import Classification

__all__ = ["Ordinal"]


class OrdinalSettings(Settings):
    """Settings of `ordinal`."""

    tolerance: int = Field(default=0, ge=0, description="classes that an answer may be away and still be right")


class Ordinal(Classification):
    """Cross-entropy plus the expected distance from the label, in classes."""

    Settings = OrdinalSettings
    name = "ordinal"
    by_argmax: ClassVar[bool] = False

    def losses(self, outputs, labels):
        distance = (torch.arange(outputs.shape[-1], device=labels.device) - labels[:, None]).abs()
        return super().losses(outputs, labels) + (outputs.softmax(dim=-1) * distance).sum(dim=-1)

    def correct(self, outputs, labels):
        return (outputs.argmax(dim=-1) - labels[:, None]).abs() <= self.settings.tolerance

    def is_right(self, prediction, labels):
        return np.abs(prediction - labels) <= self.settings.tolerance

    def metrics(self, prediction, labels, losses, classes, probabilities=None):
        found = super().metrics(prediction, labels, losses, classes, probabilities)
        return {**found, "accuracy": float(self.is_right(prediction, labels).mean())}


TASKS.register("ordinal", Ordinal)
