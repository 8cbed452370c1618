"""Sample-level re-sampling: copies of the samples to which a modality contributes too little.

Source: Wei et al., "Enhancing Multimodal Cooperation via Sample-level Modality Valuation", CVPR 2024, section 3.3.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from raymm.config.registries import METHODS
from raymm.methods.base import Method
from raymm.methods.extra_rows import copies_of_pieces
from raymm.methods.functions import FS, FunctionOfLack, get_function
from raymm.methods.kept import KeepSettings, with_kept

if TYPE_CHECKING:
    from raymm.methods.base import ExtraRows, MethodContext, ResamplingInputs

__all__ = ["Sample", "SampleSettings", "sample_counts"]


class SampleSettings(KeepSettings):
    """Settings of `sample`."""

    fs: FunctionOfLack = Field(default_factory=FS.make, description="copies at a lack 1 - phi of contribution")


class Sample(Method):
    """Modality i of a sample gets fs(1 - phi_i) copies that keep only i, where phi_i is below the fair share 1.

    A fractional count is its floor plus a Bernoulli draw of the fraction. Defined for any number of modalities. With
    `keep=coalition` a copy keeps a random coalition that has i (`raymm.methods.kept`).
    """

    Settings = SampleSettings
    needs = "all"
    source = "Wei et al., CVPR 2024, section 3.3"
    cost = "one encoder, one fusion and one backward pass a copy; a valuation of the training split each time"
    tuned = (("fs.scale", (1.0, 2.0, 4.0)),)

    @classmethod
    def problems(cls, settings: Any, context: MethodContext) -> list[str]:
        """Refuse a utility without a fair share: a contribution could not be called low."""
        del settings
        if context.utility.fair_share is not None:
            return []
        problem = (
            f"valuation.utility={context.utility.name} has no fair share below which a contribution is low; use the "
            "utility count (soft_count where no answer is right or wrong), or method=modality"
        )
        return [problem]

    def plan(self, inputs: ResamplingInputs) -> ExtraRows:
        """Copies of the samples with low contributions."""
        counts = (sample_counts(self.settings, piece) for piece in inputs.pieces())
        return with_kept(copies_of_pieces(counts), inputs, self.settings)


def sample_counts(settings: SampleSettings, inputs: ResamplingInputs) -> npt.NDArray[np.int64]:
    """Number of copies of each sample and modality, int64 [N, n]."""
    share = inputs.utility.fair_share
    assert share is not None
    low = np.nan_to_num(inputs.phi, nan=share) < share
    # fs is given for the fair share 1; the lack is taken in parts of it
    expected = get_function(settings.fs)(np.where(low, (share - inputs.phi) / share, 0.0))
    expected = np.where(low, expected, 0.0)
    whole = np.floor(expected)
    extra = inputs.draw("sample", expected.shape[1]) < expected - whole
    counts: npt.NDArray[np.int64] = (whole + extra).astype(np.int64)
    return counts


METHODS.register("sample", Sample)
