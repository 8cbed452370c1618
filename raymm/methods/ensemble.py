"""The unimodal ensemble: a model for each modality, trained apart, whose answers are averaged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from raymm.config.registries import METHODS
from raymm.methods.base import Method
from raymm.methods.unimodal import modality_losses

if TYPE_CHECKING:
    from torch import Tensor

    from raymm.methods.base import MethodContext
    from raymm.methods.step import Step

__all__ = ["Ensemble"]


class Ensemble(Method):
    """n trainings in one run: L = sum over the modalities i of a row of CE(h_i(f_i)), and nothing is shared.

    Needs `model.fusion=ensemble`, which has a head for each modality and averages their answers. The gradient of one
    modality does not depend on another, so this is training each alone for the same epochs, but for two things: one
    epoch is picked for all of them, by the validation of the mean, and `optimizer.clip_norm` bounds the norm of all
    gradients together (without it, they are separate trainings bit for bit as far as sums are). A modality that a row
    lacks has no loss there. `model.calibrate=modality_temperatures` then divides each answer by a temperature that is
    fitted on validation. Defined for any number of modalities and any task.
    """

    source = "the unimodal ensemble; e.g. Du et al., ICML 2023, section 4 (UME)"
    cost = "n fusions in the place of one; no further pass"

    @classmethod
    def problems(cls, settings: Any, context: MethodContext) -> list[str]:
        """Refuse a fusion that shares something."""
        del settings
        if context.fusion == "ensemble":
            return []
        return [f"model.fusion={context.fusion} shares a head between the modalities; use model.fusion=ensemble"]

    def loss(self, step: Step) -> Tensor:
        """Sum of the losses of the modalities alone."""
        return step.total(modality_losses(step, step.unimodal_logits()).sum(dim=1))


METHODS.register("ensemble", Ensemble)
