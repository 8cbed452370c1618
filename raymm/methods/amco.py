"""AMCo: features of the modality that the model depends on are hidden, more and more of them.

Source: Zhou et al., "Adaptive Mask Co-optimization for Modal Dependence in Multimodal Learning", ICASSP 2023.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from raymm.config.base import Settings
from raymm.config.registries import METHODS
from raymm.methods.base import Method
from raymm.methods.probabilities import no_classes
from raymm.methods.unimodal import EpochMeans, modality_losses, one_modality
from raymm.seeds import derive

if TYPE_CHECKING:
    from raymm.methods.base import MethodContext
    from raymm.methods.epochs import EpochStart
    from raymm.methods.step import Step

__all__ = ["Amco", "AmcoSettings"]

LARGEST_SCALE = 10.0
"""What is left of the features is multiplied by at most this."""


class AmcoSettings(Settings):
    """Settings of `amco`."""

    share: float = Field(
        default=0.5, gt=0, le=1, description="share of all probability from which on the model depends on a modality"
    )
    ramp: float = Field(default=0.3, gt=0, description="epoch / 10 * batch at which all features are hidden")


class Amco(Method):
    """L = CE(z) + sum over i of CE(z_i), with a part p of the features of the dependent modality set to zero.

    The softmax over the outputs of all modalities alone, [n K], gives each a share of the probability. A modality
    whose mean share over the rows that have every modality is at least `share` is the dependent one, from the next
    batch of the epoch on, until another is; each epoch begins without one. p = sin(pi / 2 min(1, l / ramp)) with l =
    epoch / 10 * batch (both from 0) grows within an epoch, faster in later ones. floor(p D) of the D features, drawn
    anew for each batch, are hidden in all rows of it, and the others multiplied by 1 / (1 - p), at most by 10. z and
    z_i are both fused from these features.

    Defined for two or more modalities, every fusion, and classification. The schedule is that of BalanceBenchmark's
    implementation, where the first of several dependent modalities stays the one that is masked.
    """

    Settings = AmcoSettings
    source = "Zhou et al., ICASSP 2023"
    cost = "n fusions more; no further pass"
    tuned = (("share", (0.4, 0.5, 0.6)),)

    def __init__(self, settings: Any, context: MethodContext) -> None:
        super().__init__(settings, context)
        self._means = EpochMeans(context.modalities)
        self._dependent: int | None = None

    @classmethod
    def problems(cls, settings: Any, context: MethodContext) -> list[str]:
        """Refuse a single modality, and a task without classes."""
        del settings
        return one_modality(context) + no_classes(context, "the share of a modality")

    def before_epoch(self, start: EpochStart) -> None:
        """No modality is the dependent one yet."""
        del start
        self._dependent = None
        self._means.restart()

    def loss(self, step: Step) -> Tensor:
        """Losses of the fused outputs and of each modality alone."""
        features, n = self._hidden(step), step.mask.shape[1]
        single = torch.eye(n, dtype=torch.bool, device=step.mask.device)
        alone = torch.stack([step.masked_logits(one.expand_as(step.mask), features) for one in single], dim=1)
        losses = step.loss_of(step.masked_logits(step.mask, features)) + modality_losses(step, alone).sum(dim=1)
        self._look_for_dependent(step, alone.detach())
        return step.total(losses)

    def figures(self) -> dict[str, float]:
        """Mean share of the probability of each modality, and of its features that were hidden."""
        return self._means.figures()

    def _hidden(self, step: Step) -> Tensor:
        """Features [B, n, D], with some of the dependent modality's hidden."""
        hidden = torch.zeros(step.mask.shape[1])
        features = step.features
        if self._dependent is not None:
            part = math.sin(math.pi / 2 * min(1.0, step.epoch / 10 * step.number / self.settings.ramp))
            size = features.shape[-1]
            seed = derive(self.context.seed, "amco", step.epoch, step.number)
            kept = np.ones(size, np.float32)
            kept[np.random.default_rng(seed).permutation(size)[: int(part * size)]] = 0
            factors = torch.ones(features.shape[1:])
            factors[self._dependent] = torch.from_numpy(kept) * min(1 / max(1 - part, 1e-9), LARGEST_SCALE)
            features = features * factors.to(features.device)
            hidden[self._dependent] = int(part * size) / size
        self._means.add(hidden=hidden)
        return features

    def _look_for_dependent(self, step: Step, alone: Tensor) -> None:
        """Note the modality that has the share, from outputs [B, n, K]; equal on every rank."""
        n = alone.shape[1]
        shares = alone.double().flatten(1).softmax(dim=-1).unflatten(1, (n, -1)).sum(dim=-1)
        whole = step.mask.all(dim=1)
        sums = torch.cat([shares[whole].sum(dim=0), whole.sum().double()[None]])
        *totals, count = step.all_reduce(sums)
        mean = torch.stack(totals) / count
        self._means.add(share=mean)
        most = int(mean.nan_to_num(nan=-1.0).argmax())
        if mean[most] >= self.settings.share:
            self._dependent = most


METHODS.register("amco", Amco)
