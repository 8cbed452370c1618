"""Rows of a split that were encoded outside of a training step, as methods look at them after an epoch."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from raymm.seeds import derive, keys_of, uniform
from raymm.tasks.mixed_labels import losses_of
from raymm.valuation.protocol import logit_source

if TYPE_CHECKING:
    from raymm.data.batch import Batch
    from raymm.models.model import MultimodalModel
    from raymm.tasks.base import Task
    from raymm.types import Mask
    from raymm.valuation.logit_sources import LogitSource

__all__ = ["EvaluationRows"]


class EvaluationRows:
    """Features of a batch, encoded once with their graph, and outputs of coalitions from them.

    Parameters
    ----------
    batch
        Rows of a split, see `raymm.methods.epochs.EpochEnd.batch`.
    seed, epoch
        Of the run; they key what is drawn.
    """

    def __init__(self, model: MultimodalModel, batch: Batch, seed: int, epoch: int) -> None:
        self.mask, self.labels = batch.mask, batch.labels
        self.features = model.encode(batch)
        self._model, self._index, self._key = model, batch.index, (seed, epoch)

    def coalition_logits(self, coalitions: Tensor) -> Tensor:
        """Outputs of coalitions (bool [S, n]), [B, S, K]."""
        return self._source.logits(coalitions.to(self.mask.device))

    def masked_logits(self, mask: Mask) -> Tensor:
        """Outputs of each row with a mask of its own, [B, K]."""
        return self._model.fuse(self.features, mask & self.mask)

    def losses_by(self, task: Task, outputs: Tensor) -> Tensor:
        """The task's losses of outputs [B, S, K], [B, S]."""
        return losses_of(task, outputs, self.labels)

    def uniform(self, purpose: str, count: int) -> Tensor:
        """Uniform numbers [B, count], keyed by sample and epoch."""
        seed, epoch = self._key
        keys = keys_of(derive(seed, purpose, "evaluation", epoch), self._index.cpu().numpy())
        return torch.from_numpy(uniform(keys, count)).to(self.mask.device)

    @cached_property
    def _source(self) -> LogitSource:
        return logit_source(self._model, self.features, self.mask)
