"""Modality dropout: rows lose modalities at random.

Source: Neverova et al., "ModDrop: Adaptive Multi-Modal Gesture Recognition", TPAMI 2016, section 4.2.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from pydantic import Field

from raymm.config.base import Settings
from raymm.config.registries import METHODS
from raymm.methods.base import Method
from raymm.seeds import uniform

__all__ = ["Dropout", "DropoutSettings"]


class DropoutSettings(Settings):
    """Settings of `dropout`."""

    rate: float = Field(default=0.3, ge=0, lt=1, description="probability that a modality of a row is dropped")


class Dropout(Method):
    """Each modality of a row is kept with probability 1 - rate, drawn anew in each epoch; one is always kept.

    Of a row whose m modalities would all be dropped, which happens with probability rate^m, one is kept, each with
    probability 1/m. The loss is the task's loss of what is kept. Defined for any number of modalities, any fusion and
    any task. The original drops channels of the input and has no rule for rows without any.
    """

    Settings = DropoutSettings
    source = "Neverova et al., TPAMI 2016, section 4.2 (ModDrop)"
    cost = "less by the encoder rows that are dropped"
    tuned = (("rate", (0.1, 0.3, 0.5)),)

    def mask(self, kept: npt.NDArray[np.bool_], keys: npt.NDArray[np.uint64]) -> npt.NDArray[np.bool_]:
        """What is kept of each row."""
        drawn = uniform(keys, kept.shape[1])
        left = kept & (drawn >= self.settings.rate)
        last = np.where(kept, drawn, -1.0).argmax(axis=1)  # all numbers were below the rate: any is as likely
        return left | (kept & ~left.any(axis=1, keepdims=True) & (np.arange(kept.shape[1]) == last[:, None]))


METHODS.register("dropout", Dropout)
