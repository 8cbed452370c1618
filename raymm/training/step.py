"""One step of training: mask, encode once, loss of the method, backward, sum over ranks, gradients of the method,
clip, update. The mask is drawn before (`raymm.training.epoch`), so that what it drops is not even read.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from raymm.config.own_parts import is_own, own_part
from raymm.errors import ConfigError, TrainingError
from raymm.methods.base import Method
from raymm.training.average import WeightAverage
from raymm.training.communicator import sum_gradients
from raymm.training.conflict import conflict_sums
from raymm.training.parameter_groups import freeze
from raymm.training.training_step import TrainingStep

if TYPE_CHECKING:
    from raymm.config.sections import Config
    from raymm.models.model import MultimodalModel
    from raymm.tasks.base import Task
    from raymm.training.communicator import Communicator
    from raymm.training.training_step import RankBatch

__all__ = ["Trainer", "parameters_of"]


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
        self._losses: list[Tensor] = []
        self._parameters: list[nn.Parameter] = []
        ema = self.config.training.ema
        self.average = None if ema is None else WeightAverage(self.model, ema)
        own = is_own(type(self.method)) and type(self.method).on_gradients is not Method.on_gradients
        self._looks_at_gradients = own and precision != "float16"  # whose gradients overflow at times
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=precision == "float16")

    def begin_epoch(self, epoch: int) -> None:
        """Put the model into training, without what is frozen in this epoch."""
        self._losses, self._parameters = [], []
        self.model.train()
        freeze(self.model, self.optimizer, epoch)

    def evaluated(self) -> AbstractContextManager[None]:
        """Inside, the model has the weights that are evaluated, valued and committed: the average if there is one."""
        return nullcontext() if self.average is None else self.average.in_place()

    def step(self, part: RankBatch) -> TrainingStep:
        """Update the weights, once a turn; the step's `loss` is then summed over the rows of all ranks and turns.

        With `training.accumulate`, gradients are added up until the last batch of an update, which updates; `loss` is
        then the losses of all of its batches.
        """
        step = TrainingStep(self, part)
        if not part.number:
            step.conflict = conflict_sums(step)
        losses = []
        for turn in range(self.method.turns):
            if turn:
                step.begin_turn(turn)
            self._add_gradients(step, part)
            if part.ends_update:
                losses.append(self._update(step))
        if part.ends_update:
            step.loss = losses[0] if len(losses) == 1 else torch.stack(losses).sum()
        return step

    def summed(self, values: Tensor) -> Tensor:
        """A tensor summed over all ranks, without its graph; on every rank alike."""
        total = values.detach().to(self.device, copy=True)  # where the workers can reach it
        self.communicator.all_reduce_sum(total)
        return total.to(values.device)

    def _add_gradients(self, step: TrainingStep, part: RankBatch) -> None:
        """Add the gradients of a batch to those of its update, of which it may be the first."""
        if not self._losses:
            self.optimizer.zero_grad(set_to_none=True)
        loss = self._loss(step)
        if self.config.valuation.source == "online" and not step.turn:
            step.valued = step.phi()
        scaled = self.scaler.scale(loss / (part.update_rows or step.rows))
        if scaled.requires_grad:
            scaled.backward()
        step.cost.backwards += len(step)
        self._losses.append(loss.detach())

    def _update(self, step: TrainingStep) -> Tensor:
        """One update of the weights; the losses of its global batches, one number where there is one."""
        losses, self._losses = self._losses, []
        self._parameters = self._parameters or parameters_of(self.model, self.method)  # looked for once an epoch
        parameters = [one for one in self._parameters if one.requires_grad]
        total = sum_gradients(parameters, self.communicator, losses[0] if len(losses) == 1 else torch.stack(losses))
        self.scaler.unscale_(self.optimizer)
        self._change_gradients(step, parameters)
        if self.config.optimizer.clip_norm is not None:
            nn.utils.clip_grad_norm_(parameters, self.config.optimizer.clip_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.average is not None:
            self.average.update()
        return total

    def _change_gradients(self, step: TrainingStep, parameters: list[nn.Parameter]) -> None:
        """Let the method do so; of one of somebody's own the gradients are looked at before and after."""
        kind = type(self.method)
        looked = self._looks_at_gradients and _all_finite(parameters)
        with own_part(kind, "on_gradients"):
            self.method.on_gradients(step)
        if looked and not _all_finite(parameters):
            raise TrainingError(f"{kind.__name__}.on_gradients makes gradients NaN or infinite, which were finite")

    def _loss(self, step: TrainingStep) -> Tensor:
        """The loss of the method, one number; a rank without rows may have nothing to differentiate."""
        with own_part(type(self.method), "loss"):
            loss: object = self.method.loss(step)
        where = f"method={self.config.method.name}: the loss"
        if not isinstance(loss, Tensor) or loss.ndim or loss.is_complex():
            found = f"a {type(loss).__name__}"
            if isinstance(loss, Tensor):
                found = f"a tensor {list(loss.shape)}" if loss.ndim else f"a number of {loss.dtype}"
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


def _all_finite(parameters: list[nn.Parameter]) -> bool:
    found = [one.grad.isfinite().all() for one in parameters if one.grad is not None]
    return not found or bool(torch.stack(found).all())
