"""PMR: the modality that lags behind is drawn to the prototypes of its classes.

Source: Fan et al., "PMR: Prototypical Modal Rebalance for Multimodal Learning", CVPR 2023.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from raymm.config.base import Settings
from raymm.config.registries import METHODS
from raymm.methods.base import Method
from raymm.methods.unimodal import EpochMeans, batch_means, of_the_others, one_modality

if TYPE_CHECKING:
    from raymm.methods.base import MethodContext
    from raymm.methods.epochs import EpochStart
    from raymm.methods.step import Step

__all__ = ["Pmr", "PmrSettings"]


class PmrSettings(Settings):
    """Settings of `pmr`."""

    alpha: float = Field(default=1.0, ge=0, description="weight of the prototype loss of a modality that lags behind")
    strength: Literal["clip", "full"] = Field(
        default="clip", description="clip: the further behind, the more, as in the paper; full: all or nothing"
    )
    momentum: float = Field(default=0.2, ge=0, lt=1, description="what an epoch keeps of the prototypes before it")
    last_epoch: int | None = Field(default=100, ge=0, description="last epoch with prototype losses; null: all")
    entropy: float = Field(default=0.0, ge=0, description="weight of the entropy of a modality that is ahead")
    entropy_epochs: int = Field(default=10, ge=0, description="first epochs, in which the entropy has that weight")


class Pmr(Method):
    """L = L(z) + sum_i [alpha * lag_i * PCE_i - entropy * lead_i * H_i], from the second epoch on.

    The prototype of class k in modality i is the mean feature of that class over an epoch's rows; a moving mean keeps
    `momentum` of those before. p_i = softmax over classes of minus the distances of f_i to the prototypes,
    PCE_i = -log p_i[y], H_i the entropy of p_i. s_i is the batch's mean of p_i[y], rho_i = s_i / (mean of the others'
    s_j), lag_i = min(1 / rho_i - 1, 1) and lead_i = min(rho_i - 1, 1), each at least 0. With strength=full, as in the
    published code, lag_i is 1 for a modality that lags behind. With two modalities this is the paper; the mean of the
    others is this package's form for more of them.

    The source encodes a tenth of the training split again for the prototypes; here they come from the features that
    the epoch's steps had anyway, so that the first epoch, which has none, is joint. The term with H_i is not in the
    published code, hence off by default. Rows whose class or modality has no prototype yet are left out. Defined for
    two or more modalities, every fusion, and one class a sample.
    """

    Settings = PmrSettings
    reads_labels = True
    source = "Fan et al., CVPR 2023, equations 5 to 12"
    cost = "n * K distances of features a row; no further pass or fusion"
    tuned = (("alpha", (0.3, 1.0, 3.0)),)

    def __init__(self, settings: Any, context: MethodContext) -> None:
        super().__init__(settings, context)
        shape = len(context.modalities), context.outputs, context.feature_size
        self.prototypes = torch.zeros(shape)
        self.known = torch.zeros(shape[:2], dtype=torch.bool)
        self._sums = torch.zeros(shape[0], shape[1], shape[2] + 1, dtype=torch.float64)
        self._ready = False
        self._means = EpochMeans(context.modalities)

    @classmethod
    def problems(cls, settings: Any, context: MethodContext) -> list[str]:
        """Refuse a single modality, and labels that are not one class."""
        del settings
        found = one_modality(context)
        if context.task != "classification":
            found.append(
                f"the task {context.task} has no one class a sample whose prototype its features could be drawn to; "
                "use method=ogm_ge or method=agm"
            )
        return found

    def before_epoch(self, start: EpochStart) -> None:
        """Begin the sums of the epoch."""
        del start
        self._means.restart()
        self._sums = torch.zeros_like(self._sums)
        self._ready = bool(self.known.any())

    def loss(self, step: Step) -> Tensor:
        """The joint loss, and the prototype terms of the modalities."""
        self._sums = self._sums.to(step.features.device)
        self._sums += _class_sums(step, self.known.shape[1])
        joint = step.loss_of(step.logits)
        last = self.settings.last_epoch
        if not self._ready or (last is not None and step.epoch > last):
            return step.total(joint)
        return step.total(joint + self._terms(step))

    def after_steps(self, reduce: Callable[[Tensor], Tensor]) -> None:
        """Move the prototypes to the class means of the epoch."""
        sums = reduce(self._sums)
        seen = sums[..., -1] > 0
        means = (sums[..., :-1] / sums[..., -1:].clamp(min=1)).float()
        old, known = self.prototypes.to(means.device), self.known.to(means.device)
        keep = torch.where(known, self.settings.momentum, 0.0)[..., None]
        self.prototypes = torch.where(seen[..., None], keep * old + (1 - keep) * means, old)
        self.known = known | seen

    def figures(self) -> dict[str, float]:
        """Mean weight of each modality's prototype loss and of its entropy, without alpha and `entropy`."""
        return self._means.figures()

    def state_dict(self) -> dict[str, Tensor]:
        """Prototypes [n, K, D], and which there are."""
        return {"prototypes": self.prototypes, "known": self.known}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take them over."""
        self.prototypes, self.known = state["prototypes"], state["known"]

    def _terms(self, step: Step) -> Tensor:
        """The prototype terms of each row, [B]."""
        logs, there = self._log_probabilities(step)
        own = logs.gather(2, step.labels[:, None, None].expand(-1, logs.shape[1], 1))[..., 0]
        score = batch_means(step, torch.where(there, own.exp(), 0.0))
        share = batch_means(step, there.float())
        lag, lead = self._strengths(score / share)
        self._means.add(lag=lag, lead=lead)
        terms = -self.settings.alpha * lag.float() * own
        if step.epoch < self.settings.entropy_epochs:
            entropy = -(logs.exp() * logs.masked_fill(logs.isinf(), 0.0)).sum(dim=-1)
            terms = terms - self.settings.entropy * lead.float() * entropy
        return torch.where(there, terms, 0.0).sum(dim=1)

    def _log_probabilities(self, step: Step) -> tuple[Tensor, Tensor]:
        """log p_i of each row, [B, n, K], and whether it has the modality and its class a prototype there, [B, n]."""
        known = self.known.to(step.features.device)
        there = step.mask & known[:, step.labels].T
        features = torch.where(there[..., None], step.features, 0.0)
        prototypes = self.prototypes.to(features.device)
        distances = torch.cdist(features.transpose(0, 1), prototypes, compute_mode="donot_use_mm_for_euclid_dist")
        logs = (-distances).masked_fill(~known[:, None], -torch.inf)
        logs = torch.where(there.T[..., None], logs, 0.0).log_softmax(dim=-1)
        return logs.transpose(0, 1), there

    def _strengths(self, scores: Tensor) -> tuple[Tensor, Tensor]:
        """lag and lead of each modality, [n], from the means of p_i[y]."""
        ratio = scores / of_the_others(scores)
        lag, lead = (1 / ratio - 1).clamp(0, 1).nan_to_num(), (ratio - 1).clamp(0, 1).nan_to_num()
        return ((lag > 0).double(), lead) if self.settings.strength == "full" else (lag, lead)


def _class_sums(step: Step, classes: int) -> Tensor:
    """Sums of the features of each modality and class over this rank's rows, and their number, [n, K, D + 1]."""
    kept = step.mask.double()[..., None]
    values = torch.cat([torch.where(step.mask[..., None], step.features.detach(), 0.0).double(), kept], dim=2)
    return torch.einsum("bk,bnd->nkd", functional.one_hot(step.labels, classes).double(), values)


METHODS.register("pmr", Pmr)
