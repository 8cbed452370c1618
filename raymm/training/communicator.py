"""What training needs from the other communicator: sums, and agreement on failure.

Gradients are added, not averaged: every rank divides by the rows of the *global* batch, so ranks may hold
different numbers of rows, or none, and the sum is the gradient of the whole batch. That is why the model is
not wrapped in DistributedDataParallel, which averages over ranks and expects every parameter on every rank:
a rank whose rows all lack a modality has no gradient for its encoder.
"""

from collections.abc import Callable, Iterable
from typing import Protocol

import torch
import torch.distributed as dist
from torch import Tensor, nn

from raymm.errors import RaymmError, TrainingError
from raymm.models.memory_format import laid_out_as

__all__ = ["Communicator", "SingleProcess", "TorchDistributed", "on_every_rank", "on_first_rank", "sum_gradients"]


class Communicator(Protocol):
    """The workers of a run, as one of them uses them."""

    rank: int
    world: int

    def all_reduce_sum(self, tensor: Tensor) -> None:
        """Replace `tensor` by its sum over all ranks, in place."""


class SingleProcess:
    """One process."""

    rank = 0
    world = 1

    def all_reduce_sum(self, tensor: Tensor) -> None:
        """Leave `tensor` as it is."""


class TorchDistributed:
    """The default process group of torch.distributed, which must be initialised already."""

    def __init__(self) -> None:
        self.rank = dist.get_rank()
        self.world = dist.get_world_size()

    def all_reduce_sum(self, tensor: Tensor) -> None:
        """All-reduce with a sum."""
        dist.all_reduce(tensor)


def sum_gradients(parameters: Iterable[nn.Parameter], communicator: Communicator, loss: Tensor) -> Tensor:
    """Add gradients and the loss, or losses, over all ranks, in one message; return what is summed of the loss.

    A parameter without a gradient counts as zero, so that an update does not depend on which rank had which rows. One
    that is frozen (`requires_grad` is False) is left out, so that no optimizer lets it decay. What was summed is not
    copied back: gradients are then parts of the message.
    """
    owned = [parameter for parameter in parameters if parameter.requires_grad]
    for parameter in owned:
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
    if communicator.world == 1:
        return loss
    gradients = [parameter.grad for parameter in owned if parameter.grad is not None]
    flat = torch.cat([gradient.reshape(-1) for gradient in gradients] + [loss.reshape(-1)])
    communicator.all_reduce_sum(flat)
    parts = flat[: -loss.numel()].split([gradient.numel() for gradient in gradients])
    for parameter, gradient, part in zip(owned, gradients, parts, strict=True):
        summed = part.view_as(gradient).to(gradient.dtype)  # of its type already, it stays a part of `flat`
        parameter.grad = laid_out_as(summed, parameter)  # fused optimizers read both in one order
    return flat[-loss.numel() :].view_as(loss).clone()  # alone: losses are kept for an epoch, the message is not


def on_first_rank(communicator: Communicator, device: torch.device, action: Callable[[], None]) -> None:
    """Run `action` on rank 0 while the others wait; when it fails, it fails on every rank.

    Raises
    ------
    RaymmError
        What `action` raised on rank 0; on the other ranks, that rank 0 has failed.
    """
    if _another_failed(communicator, device, action if communicator.rank == 0 else lambda: None):
        raise TrainingError("training failed on rank 0, which reports the cause")


def on_every_rank(
    communicator: Communicator, device: torch.device, action: Callable[[], None], instead: Callable[[], None]
) -> None:
    """Run `action` on every rank; when it fails on one, all of them fail, so that none waits for it.

    Parameters
    ----------
    instead
        Run by ranks that did not fail when another did: it may find the same mistake, and raise it.

    Raises
    ------
    RaymmError
        What `action` or `instead` raised on this rank; else, that another rank has failed.
    """
    if _another_failed(communicator, device, action):
        instead()
        raise TrainingError("training failed on another rank, whose log has the cause")


def _another_failed(communicator: Communicator, device: torch.device, action: Callable[[], None]) -> bool:
    """Run `action`, and hear whether it failed on another rank; what it raises here is raised once all have heard."""
    failure: RaymmError | None = None
    try:
        action()
    except RaymmError as cause:
        failure = cause
    failed = torch.tensor([float(failure is not None)], device=device)
    communicator.all_reduce_sum(failed)
    if failure is not None:
        raise failure
    return bool(failed.item())
