"""What a method sees of a step on one rank: features that were encoded once, what follows from them, and its cost."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
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
from raymm.tasks.mixed_labels import losses_of
from raymm.valuation.enumeration import phi_of_source
from raymm.valuation.protocol import evaluating, logit_source
from raymm.valuation.utilities import get_utility

if TYPE_CHECKING:
    from raymm.data.batch import Batch
    from raymm.models.model import MultimodalModel
    from raymm.tasks.base import Task
    from raymm.tasks.mixed_labels import MixedLabels
    from raymm.training.step import Trainer
    from raymm.types import Features, Mask
    from raymm.valuation.logit_sources import LogitSource
    from raymm.valuation.protocol import FusionModel

__all__ = ["FusedStep", "RankBatch", "TrainingStep", "sum_rows"]


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
    update_rows, ends_update
        Rows of all global batches of the same update (`training.accumulate`), and whether this one is the last of
        them; None: of this batch alone.
    """

    batch: Batch
    weight: Tensor | None
    rows: int
    epoch: int
    number: int
    plan_rows: npt.NDArray[np.int64] | None = None
    base: npt.NDArray[np.bool_] | None = None
    update_rows: int | None = None
    ends_update: bool = True


class FusedStep:
    """Rows that were encoded, by whatever loop, as a method's loss sees them.

    Parameters
    ----------
    fusion
        What makes outputs of features; it may not mix rows.
    mask, labels, weight
        Modalities that each row keeps, bool [B, n]; labels of the task's type; weights of the losses [B], or None.
    task, utility
        The task, and the name of the utility that contributions are computed with.
    outputs
        K: width of the outputs, for a rank without rows.
    """

    features: Features

    mixed: MixedLabels | None = None
    """What the partners of mixed rows add to their labels (`view.mixup`)."""

    def __init__(
        self,
        fusion: FusionModel,
        mask: Mask,
        labels: Tensor,
        weight: Tensor | None,
        task: Task,
        utility: str,
        outputs: int,
    ) -> None:
        self.mask, self.weight, self._labels = mask, weight, labels
        self.cost = Cost()
        self._fusion, self._task, self._utility, self._outputs = fusion, task, utility, outputs

    def forget_outputs(self) -> None:
        """Forget what was fused with weights that have changed since."""
        for name in ("logits", "_source", "_phi"):
            self.__dict__.pop(name, None)

    def __len__(self) -> int:
        return len(self._labels)

    @property
    def labels(self) -> Tensor:
        """Labels [B], or [B, K]; raises `TrainingError` where rows are mixed and have no one label."""
        if self.mixed is not None:
            raise TrainingError(
                "the labels or contributions of mixed rows were asked for, which have two labels each; take losses "
                "by step.loss_of, or train with view.mixup.alpha=0"
            )
        return self._labels

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
        with self._precision():
            return self._fusion.fuse(features, mask & self.mask)

    def coalition_logits(self, coalitions: Tensor) -> Tensor:
        """Outputs of coalitions (bool [S, n]), [B, S, K]; a coalition of a row is without what the row lacks."""
        if not len(self):
            return self._no_outputs(len(coalitions))
        self.cost.fusions += len(self) * len(coalitions)
        with self._precision():
            return self._source.logits(coalitions.to(self.mask.device))

    def unimodal_logits(self) -> Tensor:
        """Outputs of each modality alone, [B, n, K]; those of no modality where a row lacks it."""
        return self.coalition_logits(torch.eye(self.mask.shape[1], dtype=torch.bool))

    def loss_of(self, logits: Tensor) -> Tensor:
        """The task's loss of outputs [B, K], one a row: [B]."""
        losses = losses_of(self._task, logits.float(), self._labels, self.mixed)
        if losses.shape != (len(self),):
            raise TrainingError(
                f"losses of the task '{self._task.name}' are {list(losses.shape)}; expected one a row, [{len(self)}]"
            )
        return losses

    def losses_by(self, task: Task, outputs: Tensor) -> Tensor:
        """A task's losses of outputs of several coalitions [B, S, K], [B, S]."""
        return losses_of(task, outputs, self._labels, self.mixed)

    def total(self, losses: Tensor) -> Tensor:
        """Weighted sum of row losses [B]."""
        return sum_rows(losses if self.weight is None else losses * self.weight)

    def phi(self) -> Tensor:
        """Contributions [B, n], float64, by exact enumeration; NaN for a modality that a row lacks."""
        return self._phi

    def source_of(self, features: Features) -> LogitSource:
        """Outputs of any coalitions from features."""
        return logit_source(self._fusion, features, self.mask)

    def _precision(self) -> AbstractContextManager[object]:
        """The precision in which the fusion computes; default: that of the features."""
        return nullcontext()

    def _module_of_fusion(self) -> object:
        """What is in evaluation mode while contributions are computed."""
        return self._fusion

    def _features_without_graph(self) -> Features:
        return self.features.detach()

    def _no_outputs(self, *coalitions: int) -> Tensor:
        return self.features.new_zeros(0, *coalitions, self._outputs)

    @cached_property
    def _source(self) -> LogitSource:
        return self.source_of(self.features)

    @cached_property
    def _phi(self) -> Tensor:
        if not len(self):
            return torch.zeros(self.mask.shape, dtype=torch.float64, device=self.mask.device)
        self.cost.fusions += len(self) * 2 ** self.mask.shape[1]
        with evaluating(self._module_of_fusion()), torch.no_grad():
            source = self.source_of(self._features_without_graph())
            return phi_of_source(source, self.labels, get_utility(self._utility, self._task))


class TrainingStep(FusedStep):
    """The `raymm.methods.Step` of a rank: features that were encoded once, and what follows from them."""

    loss: Tensor
    """Sum of the losses of the global batch, once gradients are summed; of several, [batches], those of the update
    that this step ends."""

    conflict: Tensor | None = None
    """`raymm.training.conflict.conflict_sums` of the first step of an epoch."""

    valued: Tensor | None = None
    """Contributions [B, n] by the weights before the update, where they come from the training pass."""

    def __init__(self, trainer: Trainer, part: RankBatch) -> None:
        batch, utility = part.batch, trainer.config.valuation.utility
        outputs = trainer.method.context.outputs
        super().__init__(trainer.model, batch.mask, batch.labels, part.weight, trainer.task, utility, outputs)
        self.index, self.rows, self.mixed = batch.index, part.rows, batch.mixed
        self.epoch, self.number, self.turn = part.epoch, part.number, 0
        self.model: nn.Module = trainer.model
        self._trainer, self._part = trainer, part
        self.features: Features = self._encode(trainer.model)

    def begin_turn(self, turn: int) -> None:
        """Forget what was fused with the weights of the turn before."""
        self.turn = turn
        self.forget_outputs()

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

    def features_by(self, other: MultimodalModel) -> Features:
        """Features [B, n, D] of the same inputs by the encoders of another model, without a graph."""
        with torch.no_grad():
            return self._encode(other)

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
        return self._trainer.model.encoder_parameters(modality)

    def fusion_parameters(self) -> list[nn.Parameter]:
        """Parameters of the fusion that are trained."""
        return self._trainer.model.fusion_parameters()

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

    def _precision(self) -> torch.autocast:
        return self._trainer.autocast()

    def _module_of_fusion(self) -> nn.Module:
        return self._trainer.model.fusing


def sum_rows(losses: Tensor) -> Tensor:
    """Sum of row losses [B], in the order of additions of torch's cross-entropy with reduction="sum".

    Float32 sums depend on their order; in this one the sum of the rows' cross-entropies has the bits of torch's own.

    >>> losses = torch.rand(1000, generator=torch.Generator().manual_seed(0))
    >>> bool((sum_rows(losses) - losses.double().sum()).abs() < 1e-3)
    True
    """
    return functional.nll_loss(-losses[:, None], losses.new_zeros(len(losses), dtype=torch.long), reduction="sum")
