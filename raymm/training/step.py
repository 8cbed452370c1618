"""One step of training: mask, encode once, loss of the method, backward, sum over ranks, gradients of the method,
clip, update. The mask is drawn before (`raymm.training.epoch`), so that what it drops is not even read.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim import Optimizer

from raymm.errors import ConfigError, TrainingError
from raymm.training.communicator import sum_gradients
from raymm.valuation.enumeration import value_samples
from raymm.valuation.protocol import evaluating, logit_source

if TYPE_CHECKING:
    from raymm.config.sections import Config
    from raymm.data.batch import Batch
    from raymm.methods.base import Method
    from raymm.models.model import MultimodalModel
    from raymm.tasks.base import Task
    from raymm.training.communicator import Communicator
    from raymm.types import Features
    from raymm.valuation.logit_sources import LogitSource

__all__ = ["RankBatch", "Trainer", "TrainingStep", "parameters_of", "sum_rows"]


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
    """

    batch: Batch
    weight: Tensor | None
    rows: int
    epoch: int
    number: int


@dataclass
class Trainer:
    """A model in training on one rank: the model, its optimizer, the method, and where they live."""

    model: MultimodalModel
    optimizer: Optimizer
    method: Method
    config: Config
    communicator: Communicator
    device: torch.device
    task: Task

    def __post_init__(self) -> None:
        precision = self.config.training.precision
        if precision == "float16" and self.device.type != "cuda":
            raise ConfigError("training.precision=float16 needs a GPU; use bfloat16 or float32 on a CPU")
        self.dtype = getattr(torch, precision)
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=precision == "float16")

    def step(self, part: RankBatch) -> TrainingStep:
        """Update the weights once; the step's `loss` is then summed over the rows of all ranks."""
        self.optimizer.zero_grad(set_to_none=True)
        step = TrainingStep(self, part)
        loss = self._loss(step)
        scaled = self.scaler.scale(loss / part.rows)
        if scaled.requires_grad:
            scaled.backward()
        parameters = parameters_of(self.model, self.method)
        step.loss = sum_gradients(parameters, self.communicator, loss.detach())
        self.scaler.unscale_(self.optimizer)
        self.method.on_gradients(step)
        if self.config.optimizer.clip_norm is not None:
            nn.utils.clip_grad_norm_(parameters, self.config.optimizer.clip_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return step

    def _loss(self, step: TrainingStep) -> Tensor:
        """The loss of the method, one number; a rank without rows may have nothing to differentiate."""
        loss: object = self.method.loss(step)
        where = f"method={self.config.method.name}: the loss"
        if not isinstance(loss, Tensor) or loss.ndim:
            found = f"a tensor {list(loss.shape)}" if isinstance(loss, Tensor) else f"a {type(loss).__name__}"
            raise TrainingError(
                f"{where} is {found}; return the sum over the rows, such as step.total(losses of rows)"
            )
        if len(step) and not loss.requires_grad:
            raise TrainingError(f"{where} has no gradient, so nothing would be trained; is it detached?")
        return loss

    def autocast(self) -> torch.autocast:
        """The precision in which encoders and fusion compute."""
        return torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32)


def parameters_of(model: nn.Module, method: Method) -> list[nn.Parameter]:
    """All that is trained: the parameters of the model, then those of the method's own module."""
    own = method.module
    return list(chain(model.parameters(), own.parameters() if own is not None else ()))


class TrainingStep:
    """The `raymm.methods.Step` of a rank: features that were encoded once, and what follows from them."""

    loss: Tensor
    """Sum of the losses of the global batch, once gradients are summed."""

    def __init__(self, trainer: Trainer, part: RankBatch) -> None:
        batch = part.batch
        self.mask, self.labels, self.index, self.weight = batch.mask, batch.labels, batch.index, part.weight
        self.rows, self.epoch, self.number = part.rows, part.epoch, part.number
        self.model: nn.Module = trainer.model
        self._trainer = trainer
        self.features: Features = self._encode(batch)

    def __len__(self) -> int:
        return len(self.labels)

    @cached_property
    def logits(self) -> Tensor:
        """Outputs of the modalities that each row keeps, [B, K]."""
        if not len(self):
            return self._no_outputs()
        with self._trainer.autocast():
            return self._trainer.model.fuse(self.features, self.mask)

    def coalition_logits(self, coalitions: Tensor) -> Tensor:
        """Outputs of coalitions (bool [S, n]), [B, S, K]; a coalition of a row is without what the row lacks."""
        if not len(self):
            return self._no_outputs(len(coalitions))
        with self._trainer.autocast():
            return self._source.logits(coalitions.to(self.mask.device))

    def unimodal_logits(self) -> Tensor:
        """Outputs of each modality alone, [B, n, K]; those of no modality where a row lacks it."""
        return self.coalition_logits(torch.eye(self.mask.shape[1], dtype=torch.bool))

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

    def all_reduce(self, values: Tensor) -> Tensor:
        """Sum a tensor over all ranks; on every rank alike, also where `len(step)` is 0."""
        total = values.detach().clone()
        self._trainer.communicator.all_reduce_sum(total)
        return total

    def _encode(self, batch: Batch) -> Features:
        model = self._trainer.model
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
