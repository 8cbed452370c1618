"""MCR: each encoder makes the prediction depend on its own features, in competition with the others.

Source: Kontras et al., "Balancing Multimodal Training Through Game-Theoretic Regularization", NeurIPS 2025.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from raymm.config.base import Settings
from raymm.config.registries import METHODS
from raymm.methods.base import Method
from raymm.methods.contrast import supervised_contrast
from raymm.methods.probabilities import jensen_shannon, no_classes
from raymm.methods.unimodal import modality_losses, one_modality
from raymm.seeds import derive

if TYPE_CHECKING:
    from raymm.methods.base import MethodContext
    from raymm.methods.step import Step

__all__ = ["Mcr", "McrSettings"]


class McrSettings(Settings):
    """Settings of `mcr`."""

    amount: float = Field(default=0.1, ge=0, description="l: factor of the regulariser")
    k: Literal[-1, 0, 1] = Field(
        default=1,
        description="what an encoder does about the effect of the others: 1 lowers it (competition), 0 leaves it, -1 "
        "raises it (collaboration)",
    )
    permutations: int = Field(default=6, ge=1, description="permutations of the batch, for each modality")
    alone: float = Field(default=1.0, ge=0, description="factor of the loss of each modality alone")
    contrast: float = Field(default=0.0, ge=0, description="factor of the supervised contrast between modalities")
    temperature: float = Field(default=0.5, gt=0, description="of that contrast")
    redundancy: float = Field(default=0.0, ge=0, description="factor of the error of features predicted from outputs")


class Mcr(Method):
    """L = CE(z) + alone * sum of CE(z_i) + amount * R + contrast * N + redundancy * E.

    R = mean over permutations of sum over i of (k J'_i - J_i). J_i is the Jensen-Shannon divergence between the
    prediction of a row and the one with the features of modality i taken from another row of the batch, as encoder i
    learns from it: features of the others are constants. J'_i is the same number as the other encoders learn from it:
    features of i are constants. So an encoder raises the effect of its own modality and, with k = 1, lowers that of
    the others. The undisturbed prediction is a constant in both (code that the authors publish lets gradients into
    it); the fusion learns from both. The permutations are of the global batch, keyed by seed, epoch and step. Rows
    that lack a modality take no part in R.

    N is the supervised contrast (`raymm.methods.contrast`) between the features of all modalities of the batch. E is
    the mean square error of features that two layers of the method's own predict from the outputs, which are
    constants. Both are off unless they are asked for, as in most published settings. Defined for two or more
    modalities, every fusion, and classification.
    """

    Settings = McrSettings
    reads_labels = True
    source = "Kontras et al., NeurIPS 2025, section 3"
    cost = "n + 2 * permutations * n fusions more (n + permutations * n where k = 0); no further pass"
    tuned = (("amount", (0.1, 1.0, 10.0)), ("k", (-1, 0, 1)))

    def __init__(self, settings: Any, context: MethodContext) -> None:
        super().__init__(settings, context)
        if settings.redundancy:
            size, n = context.feature_size, len(context.modalities)
            layers = nn.Linear(context.outputs, size, bias=False), nn.ReLU(), nn.Linear(size, n * size, bias=False)
            self.module = nn.Sequential(*layers)

    @classmethod
    def problems(cls, settings: Any, context: MethodContext) -> list[str]:
        """Refuse a single modality, and a task without classes."""
        del settings
        return one_modality(context) + no_classes(context, "the effect of a modality")

    @classmethod
    def idle(cls, settings: Any) -> tuple[str, ...]:
        """Settings of terms that count nothing."""
        off = () if settings.amount else ("k", "permutations")
        return off if settings.contrast else (*off, "temperature")

    def loss(self, step: Step) -> Tensor:
        """All terms; those that need the global batch are asked for on every rank alike."""
        losses = step.loss_of(step.logits)
        if self.settings.alone:
            losses = losses + self.settings.alone * modality_losses(step, step.unimodal_logits()).sum(dim=1)
        if self.settings.amount:
            losses = losses + self.settings.amount * self._effects(step)
        if isinstance(self.module, nn.Sequential):
            losses = losses + self.settings.redundancy * self._unpredicted(step, self.module)
        total = step.total(losses)
        if self.settings.contrast:
            total = total + self.settings.contrast * supervised_contrast(step, self.settings.temperature)
        return total

    def _effects(self, step: Step) -> Tensor:
        """R, row by row, [B]: of all terms those that are differentiated by features of this row."""
        features, predicted = step.gather(step.features), step.gather(step.logits)
        whole = step.gather(step.mask.long()).bool().all(dim=1)
        own, n = step.positions, len(self.context.modalities)
        total = step.logits.new_zeros(len(step)).float()
        for number in range(self.settings.permutations):
            for i in range(n):
                source = self._permutation(step, whole, number, i)
                target = torch.empty_like(source).scatter_(0, source, torch.arange(len(source), device=source.device))
                mixed = features[target[own]].clone()  # the rows that features of this rank's rows went to
                mixed[:, i] = step.features[:, i]
                total = total - self._divergence(step, mixed, predicted[target[own]])
                if self.settings.k:
                    mixed = step.features.clone()
                    mixed[:, i] = features[source[own], i]
                    total = total + self.settings.k * self._divergence(step, mixed, predicted[own])
        return torch.where(whole[own], total, 0.0) / self.settings.permutations

    def _permutation(self, step: Step, whole: Tensor, number: int, modality: int) -> Tensor:
        """For each row of the global batch the row whose features it gets, int64 [rows]; rows with gaps stay."""
        seed = derive(self.context.seed, "mcr", step.epoch, step.number, number, modality)
        rows = torch.nonzero(whole)[:, 0]
        order = torch.from_numpy(np.random.default_rng(seed).permutation(len(rows))).to(rows.device)
        source = torch.arange(len(whole), device=rows.device)
        source[rows] = rows[order]
        return source

    def _divergence(self, step: Step, features: Tensor, predicted: Tensor) -> Tensor:
        return jensen_shannon(step.masked_logits(step.mask, features), predicted)

    def _unpredicted(self, step: Step, layers: nn.Module) -> Tensor:
        """E, row by row, over the modalities that a row has, [B]."""
        predicted = layers(step.logits.detach()).view_as(step.features)
        errors = (step.features - predicted).square().mean(dim=-1)
        return torch.where(step.mask, errors, 0.0).sum(dim=1) / step.mask.sum(dim=1).clamp(min=1)


METHODS.register("mcr", Mcr)
