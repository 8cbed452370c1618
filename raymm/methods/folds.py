"""Contributions out of fold: of each training sample by a model that was not trained on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from raymm.seeds import derive, keys_of, uniform
from raymm.valuation.enumeration import phi_of_source
from raymm.valuation.protocol import logit_source

if TYPE_CHECKING:
    from raymm.methods.epochs import EpochEnd, EpochStart
    from raymm.methods.step import Step
    from raymm.valuation.utilities import Utility

__all__ = ["Folds"]


@dataclass(frozen=True)
class Folds:
    """K parts of the samples, and the first epochs of a run, which train a model without each of them in turn.

    Attributes
    ----------
    count, epochs
        K, and epochs of each model; with a count of 0 there are none.
    seed
        Seed of the run, which decides in which fold a sample is.

    Examples
    --------
    >>> folds = Folds(count=2, epochs=3, seed=0)
    >>> [folds.at(epoch) for epoch in (0, 2, 3, 5, 6)]
    [0, 0, 1, 1, None]
    """

    count: int
    epochs: int
    seed: int

    @property
    def stage(self) -> int:
        """Epochs of all models together."""
        return self.count * self.epochs

    def at(self, epoch: int) -> int | None:
        """The fold that is left out in an epoch; None once all models are trained."""
        return epoch // self.epochs if epoch < self.stage else None

    def left_out(self, step: Step) -> int | None:
        """The same of a step."""
        return self.at(step.epoch) if self.count else None

    def of_samples(self, index: Tensor) -> Tensor:
        """The fold of each sample (int64 [B]), int64 [B]: a function of its number and the seed."""
        drawn = uniform(keys_of(derive(self.seed, "folds"), index.cpu().numpy()), 1)[:, 0]
        return torch.from_numpy(np.minimum((drawn * self.count).astype(np.int64), self.count - 1)).to(index.device)

    def weights(self, step: Step, fold: int) -> Tensor:
        """Weights of the rows [B]: 0 in the fold that is left out; those of a global batch have a mean of 1."""
        inside = (self.of_samples(step.index) != fold).to(step.mask.device)
        trained = step.all_reduce(inside.double().sum())
        return (inside * (step.rows / trained.clamp(min=1))).float()

    def begin(self, start: EpochStart) -> None:
        """Begin anew, with the weights that the run began with, for each model and after the last."""
        if 0 < start.epoch <= self.stage and start.epoch % self.epochs == 0:
            start.model.load_state_dict(start.initial_model().state_dict())
            start.forget(start.model)

    def value(self, end: EpochEnd, utility: Utility, table: Tensor) -> Tensor:
        """The table [samples, n] with the contributions of a fold, once the model without it is trained."""
        fold = self.at(end.epoch)
        if fold is None or (end.epoch + 1) % self.epochs:
            return table
        table = table.clone()
        for batch in end.batches("train", lambda index: self.of_samples(index) == fold):
            with torch.no_grad():
                source = logit_source(end.model, end.model.encode(batch), batch.mask)
                table[batch.index.cpu()] = phi_of_source(source, batch.labels, utility).float().cpu()
            end.cost.fusions += len(batch) * 2 ** batch.mask.shape[1]
        return table
