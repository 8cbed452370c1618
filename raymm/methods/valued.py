"""Losses of coalitions that are weighed by what their members lack of a fair contribution."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from pydantic import Field
from torch import Tensor

from raymm.config.registries import METHODS
from raymm.methods.coalition import Coalition, CoalitionSettings
from raymm.methods.folds import Folds
from raymm.methods.functions import FS, FunctionOfLack, get_function
from raymm.methods.sample import Sample
from raymm.methods.sample_memory import SampleMemory
from raymm.methods.valued_switches import capability, least_worth, mean_values, progress

if TYPE_CHECKING:
    from raymm.methods.base import MethodContext
    from raymm.methods.coalition_terms import Terms
    from raymm.methods.epochs import EpochEnd, EpochStart
    from raymm.methods.step import Step

__all__ = ["Valued", "ValuedSettings"]


class ValuedSettings(CoalitionSettings):
    """Settings of `valued`."""

    fs: FunctionOfLack = Field(default_factory=FS.make, description="weight at a lack 1 - phi of contribution")
    floor: float = Field(default=0.5, ge=0, description="weight where nothing is lacking")
    by: Literal["sample", "modality", "class"] = Field(
        default="sample",
        description="whose phi: of the row in this step, or means over validation of a modality, or of it in a class",
    )
    smoothing: float = Field(
        default=0.0, ge=0, lt=1, description="part of a sample's phi of the epochs before in that of this one"
    )
    gate: bool = Field(
        default=False, description="weigh a modality by its validation accuracy alone above that of a constant answer"
    )
    learnability: bool = Field(
        default=False,
        description="weigh by 4 u (1 - u), u the part of the answer learned alone since the start",
    )
    interactions: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="part that goes to the coalitions worth least beside their single members",
    )
    folds: int = Field(
        default=0,
        ge=0,
        description="models that are each trained without a part of the samples, whose phi they then give; 0: phi of "
        "the row itself",
    )
    fold_epochs: int | None = Field(
        default=None,
        ge=1,
        description="first epochs of the run for each; default: a tenth of training.epochs",
    )


class Valued(Coalition):
    """The loss of `coalition`, its shares weighed by the contributions phi of the very same forward pass.

    q'(C) = q(C) t(C) / m with t(C) the mean over the members i of C of t_i = g_i (floor + r_i fs((f - phi_i)+ /
    f)), where f is the fair share, g_i and r_i are 1 unless switched on, and m is such that the coalitions of a
    global batch weigh as much as in `coalition`. The floor keeps a batch in which few rows lack something from
    spending all its weight on these, which by then are mostly wrong labels and noise; with 0 the weights are those of
    the re-sampling rule alone (and even in a batch where nothing is lacking).

    The switches, all off by default: `by` takes phi from means over validation, of the epoch before, instead of the
    training rows, on which it approaches the fair share once they are fitted; before there are any nothing lacks.
    `folds` K: phi of a sample is of a model that was not trained on it. Each sample is in one of K folds at random
    (recordings are not kept together), and for each fold the first E = `fold_epochs` epochs train a model without it
    by the loss of `coalition`, from the weights that the run begins with; phi of the fold is then computed in the
    evaluation view, and stays as it is. So the first K * E epochs of the run give phi, the others the model, which
    begins anew, at the learning rate of its epoch: with a schedule it lacks what the folds took. Validation picks
    among all epochs, but `training.patience` counts from the model's first.
    `smoothing` s: phi = s * phi of the sample in earlier epochs + (1 - s) * phi now. `gate`: g_i = (accuracy of i
    alone on validation - share of its most frequent label)+ over the largest such number, 1 before the first epoch's
    end or where no modality is above. `learnability`: r_i = 4 u (1 - u), u = (p - p_1) / (1 - p_1) in [0, 1], with p
    the probability that i alone gives the label and p_1 that of the sample's first epoch: weight goes to what is
    being learned, not to what is known or never rises. `interactions` e: (1 - e) q' + e q*, where q* is even over the
    coalitions of the row with the lowest v(C) - sum of v({i}), where that is negative, and else q'.

    Defined for any number of modalities and fusion; a utility with a fair share is needed.
    """

    Settings = ValuedSettings
    reads_labels = True
    source = "raymm; fs and phi of Wei et al., CVPR 2024, section 3.3"
    cost = (
        "as coalition, and 2^n fusions without gradient where phi is that of the row; with folds: their epochs, and "
        "one encoder pass of the training split"
    )
    tuned = (("amount", (0.3, 0.5, 0.7)), ("floor", (0.25, 0.5, 1.0)))

    def __init__(self, settings: Any, context: MethodContext) -> None:
        super().__init__(settings, context)
        n = len(context.modalities)
        self.gate = torch.ones(n)
        self.means = torch.full((context.classes + 1, n), torch.nan, dtype=torch.float64)
        self.phi, self.first, self.out_of_fold = SampleMemory(n), SampleMemory(n), SampleMemory(n)
        each = _epochs_of_fold(settings, context.epochs)
        self.folds = Folds(0 if settings.amount == 0 else settings.folds, each, context.seed)

    @classmethod
    def problems(cls, settings: Any, context: MethodContext) -> list[str]:
        """As `coalition`; a utility without a fair share, and switches that do not fit each other or the run."""
        found = super().problems(settings, context) + Sample.problems(settings, context)
        found += _fold_problems(settings, context)
        task = context.utility.task
        if settings.by != "sample" and settings.smoothing:
            found.append(f"settings.smoothing is for by=sample; by={settings.by} reads means over validation")
        if settings.gate and not task.hard:
            found.append(f"settings.gate needs answers that are right or wrong, which the task {task.name} has not")
        if settings.learnability and "probability" not in task.soft:
            found.append(
                f"settings.learnability needs the probability of a label, which the task {task.name} has not"
            )
        if not settings.interactions:
            return found
        if len(context.modalities) < 3:
            found.append("settings.interactions needs coalitions of two besides all: three modalities or more")
        if context.utility.by_size is None:
            found.append(f"settings.interactions needs a hard utility such as count, not {context.utility.name}")
        return found

    @classmethod
    def idle(cls, settings: Any) -> tuple[str, ...]:
        """As `coalition`; and the epochs of folds that there are not."""
        found = super().idle(settings)
        return found if found or settings.folds else ("fold_epochs",)

    @classmethod
    def stage_epochs(cls, settings: Any, epochs: int) -> int:
        """Those of the folds."""
        return 0 if settings.amount == 0 else settings.folds * _epochs_of_fold(settings, epochs)

    def row_losses(self, step: Step) -> Tensor:
        """The losses of the rows; while folds are trained, without the fold that is left out."""
        losses, fold = super().row_losses(step), self.folds.left_out(step)
        return losses if fold is None else losses * self.folds.weights(step, fold)

    def shares(self, step: Step, terms: Terms, amount: Tensor) -> Tensor:
        """The shares of `coalition`, weighed; in all rows of the global batch they add up to the same."""
        if self.folds.left_out(step) is not None:
            return terms.share
        weight = self.weights_of_modalities(step)
        members = terms.members & step.mask[:, None]
        count = members.sum(dim=-1).clamp(min=1)
        tilted = terms.share * (members * weight[:, None]).sum(dim=-1) / count
        if self.settings.interactions:
            tilted = self._towards_interactions(step, terms, tilted)
        outer = amount if step.weight is None else amount * step.weight
        sums = torch.stack([(outer * share.sum(dim=1)).double().sum() for share in (terms.share, tilted)])
        total, found = step.all_reduce(sums)
        return torch.where(found > 0, tilted * (total / found), terms.share).float()

    def weights_of_modalities(self, step: Step) -> Tensor:
        """t_i of each row and modality, float32 [B, n]; any number where the row lacks it."""
        fair = self.context.utility.fair_share
        assert fair is not None
        phi = self._phi_of(step).numpy()
        lack = np.clip(np.where(np.isnan(phi), 0.0, (fair - phi) / fair), 0.0, None)
        weight = torch.from_numpy(get_function(self.settings.fs)(lack))
        if self.settings.learnability:
            weight = weight * self._being_learned(step)
        return (self.gate * (self.settings.floor + weight)).to(step.mask.device, torch.float32)

    def before_epoch(self, start: EpochStart) -> None:
        """Make room for what is remembered of samples; begin anew where a fold begins."""
        self.folds.begin(start)
        for _, memory in self._memories():
            memory.allocate(start.samples)

    def after_steps(self, reduce: Callable[[Tensor], Tensor]) -> None:
        """Remember the samples of this epoch."""
        for name, memory in self._memories():
            if memory is not self.out_of_fold:
                memory.keep_notes(reduce, once=name == "first")

    def after_evaluation(self, end: EpochEnd) -> None:
        """Read capability and mean contributions from the valuation of validation."""
        if self.settings.gate:
            self.gate = capability(end.table)
        if self.settings.by != "sample":
            self.means = mean_values(end.table, self.context.classes)
        self.out_of_fold.table = self.folds.value(end, self.context.utility, self.out_of_fold.table)

    def state_dict(self) -> dict[str, Tensor]:
        """What the switches that are on read."""
        state = {name: memory.table for name, memory in self._memories()}
        if self.settings.gate:
            state["gate"] = self.gate
        if self.settings.by != "sample":
            state["means"] = self.means
        return state

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take it over."""
        for name, memory in self._memories():
            memory.table = state[name]
        self.gate, self.means = state.get("gate", self.gate), state.get("means", self.means)

    def _memories(self) -> list[tuple[str, SampleMemory]]:
        on = (self.settings.smoothing > 0, self.settings.learnability, self.folds.count > 0)
        memories = (("phi", self.phi), ("first", self.first), ("out_of_fold", self.out_of_fold))
        return [named for named, wanted in zip(memories, on, strict=True) if wanted]

    def _phi_of(self, step: Step) -> Tensor:
        """phi of the rows, float64 [B, n] on the CPU; NaN where it is not known or the modality is missing."""
        if self.settings.by != "sample":
            return self._means_of(step)
        if self.folds.count:
            return self.out_of_fold.rows(step.index).double()
        phi = step.phi().cpu()
        if not self.settings.smoothing:
            return phi
        before, kept = self.phi.rows(step.index).double(), self.settings.smoothing
        smooth = torch.where(before.isnan(), phi, kept * before + (1 - kept) * phi)
        self.phi.note(step.index, smooth)
        return smooth

    def _means_of(self, step: Step) -> Tensor:
        """Mean phi over validation for each row: of its class, of several classes the mean, of none that over all."""
        by_class, overall = self.means[:-1], self.means[-1]
        if self.settings.by == "modality":
            return overall.expand(len(step), -1)
        member = self.context.utility.task.class_membership(step.labels.cpu().numpy(), len(by_class))
        belongs = torch.from_numpy(member).double()
        count = belongs.sum(dim=1, keepdim=True)
        return torch.where(count > 0, belongs @ by_class / count.clamp(min=1), overall)

    def _being_learned(self, step: Step) -> Tensor:
        """4 u (1 - u) of each row and modality, [B, n] on the CPU; 0 in the first epoch of a sample."""
        alone = step.unimodal_logits().detach()
        now = self.context.utility.task.probability(alone, step.labels).float().cpu()
        before = self.first.rows(step.index)
        self.first.note(step.index, torch.where(step.mask.cpu(), now, torch.nan))
        return progress(now, torch.where(before.isnan(), now, before))

    def _towards_interactions(self, step: Step, terms: Terms, shares: Tensor) -> Tensor:
        """A part of each row's shares for the coalitions that are worth least beside their single members."""
        chosen = least_worth(step, terms, self.context.utility)
        part = self.settings.interactions * chosen.sum(dim=1, keepdim=True)  # 0 where no coalition is chosen
        return (1 - part) * shares + part * shares.sum(dim=1, keepdim=True) * chosen


def _epochs_of_fold(settings: ValuedSettings, epochs: int) -> int:
    """Epochs of the model without each fold, in a training of so many."""
    return settings.fold_epochs or max(1, epochs // 10)


def _fold_problems(settings: ValuedSettings, context: MethodContext) -> list[str]:
    """What is wrong with `folds` in a run, in words."""
    count, found = settings.folds, []
    each = _epochs_of_fold(settings, context.epochs)
    if count == 1:
        found.append("settings.folds=1 would train on no sample; use 2 or more, or 0 for phi of the row itself")
    if count > 1 and count * each >= context.epochs:
        found.append(
            f"settings.folds={count} of {each} epochs each leave no epoch after them (training.epochs="
            f"{context.epochs}); lower folds or fold_epochs, or train {count * each + 1} epochs or more"
        )
    if count and settings.by != "sample":
        found.append(f"settings.folds is for by=sample; by={settings.by} reads means over validation")
    if count and settings.smoothing:
        found.append("settings.folds gives phi once, which has nothing to smooth; use smoothing=0, or folds=0")
    return found


METHODS.register("valued", Valued)
