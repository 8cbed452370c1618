"""Class-level re-sampling: modality level, class by class."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from raymm.config.registries import METHODS
from raymm.methods.extra_rows import bernoulli_copies, mean_contributions
from raymm.methods.functions import get_function
from raymm.methods.gaps import gaps
from raymm.methods.kept import with_kept
from raymm.methods.modality import Modality

if TYPE_CHECKING:
    from raymm.methods.base import ExtraRows, MethodContext, ResamplingInputs

__all__ = ["PerClass"]


class PerClass(Modality):
    """As `modality`, with the mean contribution taken over the samples of each class in Z."""

    source = "raymm; the modality level of Wei et al., CVPR 2024, stratified by class"

    @classmethod
    def problems(cls, settings: Any, context: MethodContext) -> list[str]:
        """Refuse labels that are no classes."""
        found = super().problems(settings, context)
        if context.utility.task.categorical:
            return found
        return [*found, f"labels of the task {context.task} are no classes; use method=modality"]

    def plan(self, inputs: ResamplingInputs) -> ExtraRows:
        """Copies of modalities that lag behind in the class of a sample, or on average in its classes."""
        member = inputs.membership
        overall = mean_contributions(inputs.phi)
        mean = np.stack([mean_contributions(inputs.phi[of_class]) for of_class in member.T])
        d = gaps(np.where(np.isnan(mean), overall, mean), inputs.utility)
        count = member.sum(axis=1, keepdims=True)
        own = np.where(count > 0, member @ d / np.maximum(count, 1), gaps(overall[None], inputs.utility))
        return with_kept(bernoulli_copies(inputs, own, get_function(self.settings.fm)), inputs, self.settings)


METHODS.register("class", PerClass)
