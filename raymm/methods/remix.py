"""Data Remixing: each sample is trained by the modality that is least sure of it, in batches of one modality.

Source: Ma et al., "Improving Multimodal Learning Balance and Sufficiency through Data Remixing", ICML 2025.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from raymm.config.base import Settings
from raymm.config.registries import METHODS
from raymm.methods.base import ExtraRows, Method
from raymm.methods.probabilities import divergence_from_uniform, no_classes
from raymm.methods.unimodal import modality_losses, one_modality

if TYPE_CHECKING:
    from raymm.methods.base import MethodContext, ResamplingInputs
    from raymm.methods.epochs import EpochEnd, EpochStart
    from raymm.methods.step import Step

__all__ = ["Remix", "RemixSettings"]


class RemixSettings(Settings):
    """Settings of `remix`."""

    warmup_amount: float = Field(
        default=0.5, ge=0, description="factor of the loss of each modality alone in rows that are whole"
    )
    amount: float = Field(default=1.0, ge=0, description="the same in rows that keep one modality")


class Remix(Method):
    """After the warm-up an epoch trains every sample once, by one modality alone: the one that is least sure of it.

    That is the modality i with the smallest KL(p(z_i) || uniform) = log K - H(p(z_i)), whatever the label, by the
    evaluation view and the weights at the end of the epoch before. Rows of one batch keep the same modality; batches
    come by modality, in schema order. No row is whole, so that an epoch is cheaper than one of joint training.

    The loss is CE(z) + c sum over i of CE(z_i), z_i the outputs of modality i alone: c = `warmup_amount` in the
    warm-up, where rows are whole, and `amount` in rows that keep one modality, where z and z_i are one and the same
    output here (in the paper they share all weights but the bias). Defined for two or more modalities, every fusion,
    and classification.
    """

    Settings = RemixSettings
    needs = "state"
    source = "Ma et al., ICML 2025, section 3"
    cost = "1 encoder row a sample instead of n, n + 1 fusions; an epoch one forward pass over the training split"
    tuned = (("amount", (0.5, 1.0, 2.0)),)

    def __init__(self, settings: Any, context: MethodContext) -> None:
        super().__init__(settings, context)
        self.certainty = torch.zeros(0, len(context.modalities))

    @classmethod
    def problems(cls, settings: Any, context: MethodContext) -> list[str]:
        """Refuse a single modality, and a task without classes."""
        del settings
        return one_modality(context) + no_classes(context, "how sure a modality is")

    def before_epoch(self, start: EpochStart) -> None:
        """Make room for all samples."""
        if not len(self.certainty):
            self.certainty = torch.full((start.samples, len(self.context.modalities)), torch.nan)

    def loss(self, step: Step) -> Tensor:
        """The loss of what a row keeps, and of each of its modalities alone."""
        whole, single = self.settings.warmup_amount, self.settings.amount
        amount = torch.where(step.base, whole, single).to(step.features.dtype)
        alone = modality_losses(step, step.unimodal_logits()).sum(dim=1)
        return step.total(step.loss_of(step.logits) + amount * alone)

    @torch.no_grad()
    def after_evaluation(self, end: EpochEnd) -> None:
        """Note how sure each modality is of each training sample, once the next epoch is remixed."""
        if not self.context.warmup <= end.epoch + 1 < end.epochs:
            return
        single = torch.eye(len(self.context.modalities), dtype=torch.bool)
        for batch in end.batches("train"):
            features = end.model.encode(batch)
            end.cost.fusions += len(batch) * len(single)
            for position, only in enumerate(single.to(batch.mask.device)):
                sure = divergence_from_uniform(end.model.fuse(features, batch.mask & only))
                sure = torch.where(batch.mask[:, position], sure, torch.nan)
                self.certainty[batch.index.cpu(), position] = sure.cpu()

    def plan(self, inputs: ResamplingInputs) -> ExtraRows:
        """One row a sample, which keeps the modality that is least sure, of equal ones the first.

        Samples that were not looked at, as after a branch from another method, are trained whole; those that have
        nothing that the model reads (`model.modalities`) have no row.
        """
        n = inputs.present.shape[1]
        certainty = np.full(inputs.present.shape, np.nan, np.float32)
        if len(self.certainty):
            certainty = self.certainty.numpy()[inputs.rows]
        certainty = np.where(inputs.present & ~np.isnan(certainty), certainty, np.inf)
        which, scored = certainty.argmin(axis=1), np.isfinite(certainty).any(axis=1)
        keep = np.where(scored, np.int64(1) << which, 2**n - 1)
        rows = np.flatnonzero(inputs.present.any(axis=1))
        return ExtraRows(rows, keep[rows], base=False, group=np.where(scored, which, n)[rows])

    def state_dict(self) -> dict[str, Tensor]:
        """How sure each modality is of each sample, NaN where that is not known."""
        return {"certainty": self.certainty}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take it over."""
        self.certainty = state["certainty"].cpu()


METHODS.register("remix", Remix)
