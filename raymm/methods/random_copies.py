"""The random control: as many copies as `sample` would add, of random samples and modalities."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import Field

from raymm.config.registries import METHODS
from raymm.methods.base import ExtraRows, Method
from raymm.methods.functions import FS, FunctionOfLack
from raymm.methods.kept import KeepSettings, with_kept
from raymm.methods.sample import Sample, SampleSettings, sample_counts
from raymm.seeds import derive

if TYPE_CHECKING:
    from raymm.methods.base import MethodContext, ResamplingInputs

__all__ = ["RandomCopies", "RandomSettings"]


class RandomSettings(KeepSettings):
    """Settings of `random`."""

    fs: FunctionOfLack = Field(default_factory=FS.make, description="of `sample`, whose number of copies is matched")
    random_rows: float | None = Field(
        default=None, ge=0, description="copies for each sample; default: as many as `sample` would add"
    )


class RandomCopies(Method):
    """Copies that keep one modality, drawn uniformly from all (sample, modality) pairs that exist.

    The control of `sample`: whether the valuation chooses better than chance at the same number of rows. With
    `keep=coalition` a copy keeps a random coalition that has the drawn modality (`raymm.methods.kept`).
    """

    Settings = RandomSettings
    needs = "all"
    source = "raymm; the control of Wei et al., CVPR 2024, section 3.3"
    cost = "one encoder, one fusion and one backward pass a copy; a valuation of the training split each time"
    tuned = (("fs.scale", (1.0, 2.0, 4.0)),)

    @classmethod
    def problems(cls, settings: Any, context: MethodContext) -> list[str]:
        """As `sample`, whose number of copies is matched unless it is given."""
        return Sample.problems(settings, context) if settings.random_rows is None else []

    @classmethod
    def idle(cls, settings: Any) -> tuple[str, ...]:
        """fs only says how many rows there are where `random_rows` does not."""
        return () if settings.random_rows is None else ("fs",)

    def plan(self, inputs: ResamplingInputs) -> ExtraRows:
        """Random copies."""
        amount = self.settings.random_rows
        if amount is None:
            matched = SampleSettings(fs=self.settings.fs)
            count = sum(int(sample_counts(matched, piece).sum()) for piece in inputs.pieces())
        else:
            count = round(amount * len(inputs.rows))
        pairs = np.flatnonzero(inputs.present)  # number of the sample times n, plus that of the modality
        generator = np.random.default_rng(derive(inputs.seed, "random"))
        chosen = np.sort(generator.integers(len(pairs), size=count))
        where, which = np.divmod(pairs[chosen], inputs.present.shape[1])
        return with_kept(ExtraRows(where, np.int64(1) << which), inputs, self.settings)


METHODS.register("random", RandomCopies)
