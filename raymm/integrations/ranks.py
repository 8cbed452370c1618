"""The processes of a distributed training that somebody else has started."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from raymm.errors import TrainingError
from raymm.training.communicator import SingleProcess, TorchDistributed

if TYPE_CHECKING:
    from raymm.training.communicator import Communicator

__all__ = [
    "SPLIT_TWICE",
    "check_all_read",
    "check_ranks",
    "communicator_of",
    "device_of_messages",
    "found_communicator",
    "rank_and_world",
    "say_if_not_synchronised",
]

log = logging.getLogger(__name__)

SPLIT_TWICE = (
    "the Resampler has split each batch over the processes already, and this library would split the parts again; "
    "Lightning and Fabric: set use_distributed_sampler=False; Accelerate: make the loader by "
    "raymm.integrations.accelerate.prepare_loader(accelerator, resampler, samples)"
)
"""Why a batch sampler that knows its rank is not wrapped by one that splits batches."""


def found_communicator() -> Communicator:
    """The default process group of torch.distributed, which other libraries start; or one process."""
    return TorchDistributed() if dist.is_available() and dist.is_initialized() else SingleProcess()


def rank_and_world(rank: int | None, world: int | None) -> tuple[int, int]:
    """Rank and number of processes: as given, or as found at this moment."""
    if rank is not None and world is not None:
        return rank, world
    found = found_communicator()
    return found.rank, found.world


def communicator_of(rank: int, world: int) -> Communicator:
    """What carries messages between these ranks; a single process where torch.distributed has other ones."""
    found = found_communicator()
    return found if (found.rank, found.world) == (rank, world) else SingleProcess()


def device_of_messages() -> torch.device:
    """Where a tensor has to lie so that the process group can send it."""
    if dist.is_available() and dist.is_initialized() and dist.get_backend() == "nccl":
        return torch.device("cuda", torch.cuda.current_device())
    return torch.device("cpu")


def check_ranks(rank: int | None, world: int | None) -> list[str]:
    """What is wrong with a rank and a number of processes, in words."""
    if rank is None and world is None:
        return []
    if rank is None or world is None:
        return ["rank and world belong together; give both, or none, so that torch.distributed is asked"]
    return [] if 0 <= rank < world else [f"rank={rank} is none of the {world} ranks 0 to {world - 1}"]


def check_all_read(communicator: Communicator, device: torch.device, epoch: int, read: int | None) -> None:
    """Refuse an epoch whose rows some processes have read, and others have not: their parts were not trained."""
    reading = torch.tensor([float(read == epoch)], device=device)
    communicator.all_reduce_sum(reading)
    if 0 < reading.item() < communicator.world:
        raise TrainingError(
            f"{reading.item():.0f} of {communicator.world} processes have read rows of epoch {epoch}, and each has "
            "to read its own part; in Accelerate, make the loader by raymm.integrations.accelerate.prepare_loader "
            "(dispatch_batches=True reads in the first process alone)"
        )


def say_if_not_synchronised() -> bool:
    """Whether a loss of several processes is computed where no gradients will be averaged; says so in the log.

    DistributedDataParallel averages what is computed in its `forward`, and does not see what is called beside it.
    """
    outside = getattr(DistributedDataParallel, "_active_ddp_module", False) is None
    found = outside and torch.is_grad_enabled() and found_communicator().world > 1
    if found:
        log.warning(
            "CoalitionLoss is computed outside of the forward of DistributedDataParallel, which then does not "
            "average the gradients of the processes: their weights drift apart. Call encode, fuse and the loss in "
            "the forward of the module that is wrapped (Lightning's training_step is); nothing is wrong where "
            "gradients are averaged in another way"
        )
    return found
