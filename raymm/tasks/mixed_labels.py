"""Labels of rows whose inputs are mixed with those of a partner, and losses by them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from raymm.tasks.base import Task

__all__ = ["MixedLabels", "losses_of"]


@dataclass(frozen=True)
class MixedLabels:
    """What the partner of each row adds to its label.

    Attributes
    ----------
    partner
        Labels of the partners, as those of the rows: [B], or [B, K].
    own
        Part of a row's own label in its loss, float32 [B], in 0..1; the rest is its partner's.
    """

    partner: Tensor
    own: Tensor

    def to(self, device: torch.device) -> MixedLabels:
        """The same on `device`."""
        return MixedLabels(self.partner.to(device, non_blocking=True), self.own.to(device, non_blocking=True))

    def pin_memory(self) -> MixedLabels:
        """The same in page-locked memory."""
        return MixedLabels(self.partner.pin_memory(), self.own.pin_memory())


def losses_of(task: Task, outputs: Tensor, labels: Tensor, mixed: MixedLabels | None = None) -> Tensor:
    """The task's losses of outputs [B, K], or of several outputs a row [B, S, K]: [B], or [B, S].

    The loss of a mixed row is the mean of those of both labels, weighted by their parts.
    """
    if outputs.ndim > 2:
        count = outputs.shape[1]
        wide = None if mixed is None else MixedLabels(_repeated(mixed.partner, count), _repeated(mixed.own, count))
        flat = losses_of(task, outputs.flatten(0, 1), _repeated(labels, count), wide)
        return flat.unflatten(0, outputs.shape[:2])
    losses = task.losses(outputs, labels)
    if mixed is None:
        return losses
    own = mixed.own.to(losses.dtype)
    return own * losses + (1 - own) * task.losses(outputs, mixed.partner)


def _repeated(values: Tensor, count: int) -> Tensor:
    return values.repeat_interleave(count, dim=0)
