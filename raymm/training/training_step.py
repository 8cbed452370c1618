"""What a method sees of a step on one rank: features that were encoded once, what follows from them, and its cost."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from raymm.errors import TrainingError
from raymm.methods.cost import Cost
from raymm.methods.gradients import flat_gradient
from raymm.seeds import derive, keys_of, uniform
from raymm.valuation.enumeration import value_samples
from raymm.valuation.protocol import evaluating, logit_source

if TYPE_CHECKING:
    from raymm.data.batch import Batch
    from raymm.models.model import MultimodalModel
    from raymm.training.step import Trainer
    from raymm.types import Features, Mask
    from raymm.valuation.logit_sources import LogitSource

__all__ = ["RankBatch", "TrainingStep", "sum_rows"]


@dataclass(frozen=True)
class RankBatch:
    """The part of a rank in one global batch.

    Attributes
    ----------
    batch
        Rows of this rank; there may be none.
    weight
        Weights of their losses, float32 [B], or None where all are 1.
    rows
        Rows of the global batch, over all ranks.
    epoch, number
        Number of the epoch and of the step within it, from 0.
    plan_rows, base
        Numbers of the rows in the plan, int64 [B], and whether each is a sample once and whole, bool [B]; None counts
        from 0, and has samples only.
    """

    batch: Batch
    weight: Tensor | None
    rows: int
    epoch: int
    number: int
    plan_rows: npt.NDArray[np.int64] | None = None
    base: npt.NDArray[np.bool_] | None = None


class TrainingStep:
    """The `raymm.methods.Step` of a rank: features that were encoded once, and what follows from them."""

    loss: Tensor
    """Sum of the losses of the global batch, once gradients are summed."""

    conflict: Tensor | None = None
    """`raymm.training.conflict.conflict_sums` of the first step of an epoch."""

    valued: Tensor | None = None
    """Contributions [B, n] by the weights before the update, where they come from the training pass."""

    def __init__(self, trainer: Trainer, part: RankBatch) -> None:
        batch = part.batch
        self.mask, self.labels, self.index, self.weight = batch.mask, batch.labels, batch.index, part.weight
        self.rows, self.epoch, self.number, self.turn = part.rows, part.epoch, part.number, 0
        self.model: nn.Module = trainer.model
        self.cost = Cost()
        self._trainer, self._part = trainer, part
        self.features: Features = self._encode(trainer.model)

    def begin_turn(self, turn: int) -> None:
        """Forget what was fused with the weights of the turn before."""
        self.turn = turn
        for name in ("logits", "_source", "_phi"):
            self.__dict__.pop(name, None)

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def base(self) -> Tensor:
        """Whether a row is a sample once and whole, bool [B]."""
        if self._part.base is None:
            return torch.ones(len(self), dtype=torch.bool, device=self.mask.device)
        return torch.from_numpy(self._part.base).to(self.mask.device)

    @cached_property
    def positions(self) -> Tensor:
        """Where this rank's rows stand in the global batch, int64 [B]."""
        communicator = self._trainer.communicator
        return torch.arange(len(self), device=self.mask.device) * communicator.world + communicator.rank

    @cached_property
    def logits(self) -> Tensor:
        """Outputs of the modalities that each row keeps, [B, K]."""
        return self.masked_logits(self.mask)

    def masked_logits(self, mask: Mask, features: Features | None = None) -> Tensor:
        """Outputs of each row with a mask of its own, [B, K], from the features at hand or from others."""
        if not len(self):
            return self._no_outputs()
        self.cost.fusions += len(self)
        return self.fuse(self.features if features is None else features, mask)

    def fuse(self, features: Features, mask: Mask) -> Tensor:
        """Outputs from features, at the precision of the training; what is fused here counts as no cost."""
        with self._trainer.autocast():
            return self._trainer.model.fuse(features, mask & self.mask)

    def coalition_logits(self, coalitions: Tensor) -> Tensor:
        """Outputs of coalitions (bool [S, n]), [B, S, K]; a coalition of a row is without what the row lacks."""
        if not len(self):
            return self._no_outputs(len(coalitions))
        self.cost.fusions += len(self) * len(coalitions)
        with self._trainer.autocast():
            return self._source.logits(coalitions.to(self.mask.device))

    def unimodal_logits(self) -> Tensor:
        """Outputs of each modality alone, [B, n, K]; those of no modality where a row lacks it."""
        return self.coalition_logits(torch.eye(self.mask.shape[1], dtype=torch.bool))

    def features_by(self, other: MultimodalModel) -> Features:
        """Features [B, n, D] of the same inputs by the encoders of another model, without a graph."""
        with torch.no_grad():
            return self._encode(other)

    def loss_of(self, logits: Tensor) -> Tensor:
        """The task's loss of outputs [B, K], one a row: [B]."""
        task = self._trainer.task
        losses = task.losses(logits.float(), self.labels)
        if losses.shape != (len(self),):
            raise TrainingError(
                f"losses of the task '{task.name}' are {list(losses.shape)}; expected one a row, [{len(self)}]"
            )
        return losses

    def total(self, losses: Tensor) -> Tensor:
        """Weighted sum of row losses [B]."""
        return sum_rows(losses if self.weight is None else losses * self.weight)

    def phi(self) -> Tensor:
        """Contributions [B, n], float64, by exact enumeration; NaN for a modality that a row lacks."""
        return self._phi

    def uniform(self, purpose: str, count: int) -> Tensor:
        """Uniform numbers [B, count], float32, keyed by purpose, epoch and row of the plan."""
        rows = np.arange(len(self)) if self._part.plan_rows is None else self._part.plan_rows
        keys = keys_of(derive(self._trainer.config.training.seed, purpose, self.epoch), rows)
        return torch.from_numpy(uniform(keys, count)).to(self.mask.device)

    def all_reduce(self, values: Tensor) -> Tensor:
        """Sum a tensor over all ranks; on every rank alike, also where `len(step)` is 0."""
        return self._trainer.summed(values)

    def gather(self, values: Tensor) -> Tensor:
        """Rows of all ranks in the order of the global batch, [rows, ...]; on every rank alike."""
        dtype = torch.promote_types(values.dtype, torch.float32) if values.is_floating_point() else values.dtype
        whole = values.new_zeros(self.rows, *values.shape[1:], dtype=dtype)  # the same on a rank without rows
        whole[self.positions] = values.detach().to(dtype)
        return self.all_reduce(whole)

    def encoder_parameters(self, modality: int) -> list[nn.Parameter]:
        """Parameters of a modality's encoder that are trained."""
        model = self._trainer.model
        return [one for one in model.encoders[model.names[modality]].parameters() if one.requires_grad]

    def fusion_parameters(self) -> list[nn.Parameter]:
        """Parameters of the fusion that are trained."""
        return [one for one in self._trainer.model.fusion.parameters() if one.requires_grad]

    def encoder_gradients(self, loss: Tensor, modality: int) -> Tensor:
        """Flat gradient of a loss over the rows of the global batch, by an encoder's parameters, [P], float32."""
        parameters = self.encoder_parameters(modality)
        self.cost.backwards += len(self)
        if not loss.requires_grad or not parameters:
            return torch.zeros(sum(one.numel() for one in parameters), device=self.features.device)
        return flat_gradient(loss / self.rows, parameters, retain_graph=True).detach().float()

    def _encode(self, model: MultimodalModel) -> Features:
        batch = self._part.batch
        self.cost.encodings += sum(len(values) for values in batch.inputs.values())
        if not len(batch):
            return torch.zeros(0, len(model.names), model.size, device=self._trainer.device)
        with self._trainer.autocast():
            return model.encode(batch)

    def _no_outputs(self, *coalitions: int) -> Tensor:
        return self.features.new_zeros(0, *coalitions, self._trainer.method.context.outputs)

    @cached_property
    def _source(self) -> LogitSource:
        return logit_source(self._trainer.model, self.features, self.mask)

    @cached_property
    def _phi(self) -> Tensor:
        if not len(self):
            return torch.zeros(self.mask.shape, dtype=torch.float64, device=self.mask.device)
        model, features = self._trainer.model, self.features.detach()
        self.cost.fusions += len(self) * 2 ** self.mask.shape[1]
        utility, task = self._trainer.config.valuation.utility, self._trainer.task
        with evaluating(model), torch.no_grad():
            return value_samples(model, features, self.labels, present=self.mask, utility_name=utility, task=task).phi


def sum_rows(losses: Tensor) -> Tensor:
    """Sum of row losses [B], in the order of additions of torch's cross-entropy with reduction="sum".

    Float32 sums depend on their order; in this one the sum of the rows' cross-entropies has the bits of torch's own.

    >>> losses = torch.rand(1000, generator=torch.Generator().manual_seed(0))
    >>> bool((sum_rows(losses) - losses.double().sum()).abs() < 1e-3)
    True
    """
    return functional.nll_loss(-losses[:, None], losses.new_zeros(len(losses), dtype=torch.long), reduction="sum")
