"""Modality-level re-sampling: copies of a modality that contributes less than the others on average.

Source: Wei et al., "Enhancing Multimodal Cooperation via Sample-level Modality Valuation", CVPR 2024, section 3.3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from pydantic import Field

from raymm.config.base import Settings
from raymm.config.registries import METHODS
from raymm.methods.base import Method
from raymm.methods.extra_rows import bernoulli_copies, mean_contributions, random_subset
from raymm.methods.functions import FM, FunctionOfGap, get_function
from raymm.methods.gaps import gaps
from raymm.methods.kept import KeepSettings, with_kept

if TYPE_CHECKING:
    from raymm.methods.base import ExtraRows, ResamplingInputs, Rows

__all__ = ["Modality", "ModalitySettings", "SubsetSettings"]


class SubsetSettings(Settings):
    """Settings of the methods that value a random subset Z of the training split."""

    fm: FunctionOfGap = Field(default_factory=FM.make, description="probability of a copy at a gap d in [0, 1]")
    subset: float = Field(default=0.2, gt=0, le=1, description="part of the samples in Z")


class ModalitySettings(SubsetSettings, KeepSettings):
    """Settings of `modality` and `class`."""


class Modality(Method):
    """Every sample gets a copy that keeps modality i with probability fm(d_i); d from mean contributions over Z.

    Z is drawn before the valuation, without replacement, so that only that part is valued. With `keep=coalition` a
    copy keeps a random coalition that has i (`raymm.methods.kept`).
    """

    Settings: ClassVar[type[Settings]] = ModalitySettings
    needs = "subset"
    source = "Wei et al., CVPR 2024, section 3.3"
    cost = "one encoder, one fusion and one backward pass a copy; a valuation of Z each time"
    tuned = (("fm.scale", (0.5, 1.0, 2.0)),)

    def rows_to_value(self, rows: Rows, seed: int) -> Rows:
        """Z."""
        return random_subset(rows, self.settings.subset, seed)

    def plan(self, inputs: ResamplingInputs) -> ExtraRows:
        """Copies of modalities that lag behind."""
        d = gaps(mean_contributions(inputs.phi)[None], inputs.utility)
        copies = bernoulli_copies(inputs, np.broadcast_to(d, inputs.phi.shape), get_function(self.settings.fm))
        return with_kept(copies, inputs, self.settings)


METHODS.register("modality", Modality)
