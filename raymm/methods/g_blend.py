"""G-Blend: losses of single modalities and of all together, weighed by how much each generalises against overfits.

Source: Wang, Tran and Feiszli, "What Makes Training Multi-modal Classification Networks Hard?", CVPR 2020.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import TYPE_CHECKING, Any, Literal

import torch
from pydantic import Field
from torch import Tensor

from raymm.config.base import Settings
from raymm.config.registries import METHODS
from raymm.methods.base import Method
from raymm.methods.unimodal import Heads, modality_losses, modality_outputs, one_modality, own_heads
from raymm.seeds import derive, keys_of, uniform

if TYPE_CHECKING:
    from raymm.methods.base import MethodContext
    from raymm.methods.epochs import EpochStart
    from raymm.methods.step import Step

__all__ = ["GBlend", "GBlendSettings", "blend"]


class GBlendSettings(Settings):
    """Settings of `g_blend`."""

    estimate: Literal["online", "offline"] = Field(
        default="online",
        description="weights from the training itself, again and again; or from trials before it",
    )
    every: int = Field(default=10, ge=2, description="epochs over which overfitting and generalisation are measured")
    holdout: float = Field(default=0.1, gt=0, lt=1, description="part of the training split that is not trained on")
    least_overfitting: float = Field(
        default=0.01, gt=0, description="nats; less overfitting than this counts as this much"
    )
    heads: Heads = Field(
        default="own", description="outputs of a modality alone: a layer of its own, or shared with the fusion"
    )


class GBlend(Method):
    """L = sum_i w_i L(z_i) + w_joint L(z), with w proportional to G / O^2 and of sum 1.

    Over `every` epochs G is how much a loss falls on samples that are not trained on (at least 0), and O how much
    the difference between that loss and the training loss grows; both from means over epochs, the first and the last
    of the window. Until weights can be estimated all are equal; where no loss falls on held-out samples they stay.

    The held-out samples are a part of the training split (`holdout`, keyed by seed and sample), so that the split
    that selects the epoch is not used. Their rows go through the model with the others, without a part in the loss:
    their losses cost nothing more, and are measured as those of trained rows are (with dropout and augmentation).
    The loss is divided by 1 - holdout, so that a batch counts as much as without them. Layers that normalise over the
    batch see their inputs.

    - online: windows of `every` epochs one after another, from the losses of the blended training itself.
    - offline: as in the paper, from trials that train each path alone. Epochs 0 to every - 1 train each modality
      alone (with heads=own encoders and heads are apart, so that they are n separate trainings at once), epochs
      `every` to 2 * every - 1 the joint loss alone from the initial weights; then the weights are fixed, and training
      begins anew from the initial weights. Each time their average (`training.ema`) begins anew as well. The learning
      rate must be constant: it is a function of the epoch, and training would begin with what the trials left of it.
      What the optimizer remembers goes on through all three, and the epoch that is picked may be one of the trials.

    Defined for two or more modalities, every fusion and every task.
    """

    Settings = GBlendSettings
    source = "Wang et al., CVPR 2020, section 3"
    cost = "n linear layers (heads=own) or n fusions more; offline: the first 2 * every epochs are trials"
    tuned = (("holdout", (0.1, 0.2)),)

    def __init__(self, settings: Any, context: MethodContext) -> None:
        super().__init__(settings, context)
        self.module = own_heads(settings.heads, context)
        self._initial = None if self.module is None else deepcopy(self.module.state_dict())
        paths = len(context.modalities) + 1
        self.weights = torch.full((paths,), 1 / paths, dtype=torch.float64)
        self.losses = torch.zeros(0, 2, paths, dtype=torch.float64)
        self._sums = torch.zeros(2, 2, paths, dtype=torch.float64)

    @classmethod
    def problems(cls, settings: Any, context: MethodContext) -> list[str]:
        """Refuse a single modality, and trials that leave no epoch to train in or a lower rate."""
        found = one_modality(context)
        if settings.estimate == "online":
            return found
        trials = 2 * settings.every
        if context.schedule != "constant":
            found.append(
                f"with optimizer.schedule={context.schedule} training would begin after the trials, with the rate of "
                "that epoch; set optimizer.schedule=constant without a warm-up, or method.settings.estimate=online"
            )
        if context.epochs <= trials:
            found.append(
                f"the trials take 2 * every = {trials} epochs, and training.epochs={context.epochs} leaves none to "
                "train in; set fewer method.settings.every, or method.settings.estimate=online"
            )
        return found

    @classmethod
    def stage_epochs(cls, settings: Any, epochs: int) -> int:
        """Those of the trials."""
        del epochs
        return 0 if settings.estimate == "online" else 2 * settings.every

    def before_epoch(self, start: EpochStart) -> None:
        """Begin the sums of the epoch; after each trial, begin anew from the initial weights."""
        self._sums = torch.zeros_like(self._sums)
        every = self.settings.every
        if self.settings.estimate == "offline" and start.epoch in (every, 2 * every):
            start.model.load_state_dict(start.initial_model().state_dict())
            start.forget_average(start.model)
            if self.module is not None and self._initial is not None:
                self.module.load_state_dict(self._initial)

    def loss(self, step: Step) -> Tensor:
        """The blended loss of the rows that are trained on; the losses of all rows are kept for the estimate."""
        alone = modality_losses(step, modality_outputs(step, self.module))
        losses = torch.cat([alone, step.loss_of(step.logits)[:, None]], dim=1)
        held = self._held_out(step)
        self._sums = self._sums.to(losses.device)
        self._sums += _sums_of(losses.detach().double(), step.mask, held)
        blended = losses @ self._weights_in(step.epoch).to(losses)
        return step.total(torch.where(held, 0.0, blended)) / (1 - self.settings.holdout)

    def after_steps(self, reduce: Callable[[Tensor], Tensor]) -> None:
        """Remember the mean losses of the epoch; at the end of a window, estimate the weights."""
        total, count = reduce(self._sums)
        self.losses = torch.cat([self.losses.to(total.device), (total / count)[None]])
        every, epochs = self.settings.every, len(self.losses)
        if self.settings.estimate == "online" and epochs % every == 0:
            self._estimate(self.losses[epochs - every], self.losses[-1])
        elif self.settings.estimate == "offline" and epochs == 2 * every:
            first, last = self.losses[[0, every]], self.losses[[every - 1, -1]]
            self._estimate(_apart(*first), _apart(*last))

    def figures(self) -> dict[str, float]:
        """Weight of each path, and its mean losses of the epoch on trained and on held-out rows."""
        names = (*self.context.modalities, "joint")
        rows = {"weight": self.weights, "trained": self.losses[-1, 0], "held_out": self.losses[-1, 1]}
        return {
            f"{what}_{name}": value
            for what, values in rows.items()
            for name, value in zip(names, values.tolist(), strict=True)
            if value == value  # noqa: PLR0124  (not NaN)
        }

    def state_dict(self) -> dict[str, Tensor]:
        """Weights of the paths, [n + 1], and their mean losses in all epochs so far, [epochs, 2, n + 1]."""
        return {"weights": self.weights, "losses": self.losses}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take them over."""
        self.weights, self.losses = state["weights"], state["losses"]

    def _weights_in(self, epoch: int) -> Tensor:
        """Weights of the paths in an epoch, [n + 1]: in the trials, of one path or of the modalities alone."""
        if self.settings.estimate == "online" or epoch >= 2 * self.settings.every:
            return self.weights
        joint = torch.zeros_like(self.weights)
        joint[-1] = 1
        return 1 - joint if epoch < self.settings.every else joint

    def _held_out(self, step: Step) -> Tensor:
        """Whether each row's sample is held out, bool [B]."""
        keys = keys_of(derive(self.context.seed, "g_blend", "holdout"), step.index.cpu().numpy())
        return torch.from_numpy(uniform(keys, 1)[:, 0] < self.settings.holdout).to(step.mask.device)

    def _estimate(self, first: Tensor, last: Tensor) -> None:
        found = blend(first, last, self.settings.least_overfitting)
        if bool(found.isfinite().all()):
            self.weights = found


def blend(first: Tensor, last: Tensor, least: float = 0.01) -> Tensor:
    """Weights of paths from their losses (trained, held out) [2, P] at both ends of a window, [P].

    NaN where a loss is missing or none falls on the held-out samples.

    >>> first = torch.tensor([[1.0, 1.0], [1.0, 1.0]])
    >>> last = torch.tensor([[0.5, 0.2], [0.6, 0.6]])  # equally good on held-out samples, overfitted by 0.1 and 0.4
    >>> blend(first, last)
    tensor([0.9412, 0.0588])
    """
    generalisation = (first[1] - last[1]).clamp(min=0)
    overfitting = (last[1] - last[0]) - (first[1] - first[0])
    raw = generalisation / overfitting.square().clamp(min=least**2)
    return raw / raw.sum()


def _sums_of(losses: Tensor, mask: Tensor, held: Tensor) -> Tensor:
    """Sums of the losses [B, n + 1] of trained and of held-out rows, and their numbers: [2, 2, n + 1]."""
    counts = torch.cat([mask, torch.ones_like(held)[:, None]], dim=1).double()
    parts = torch.stack([~held, held]).double()
    return torch.stack([parts @ losses, parts @ counts])


def _apart(alone: Tensor, joint: Tensor) -> Tensor:
    """The losses [2, n + 1] of the modalities from one trial, and of all together from the other."""
    return torch.cat([alone[:, :-1], joint[:, -1:]], dim=1)


METHODS.register("g_blend", GBlend)
