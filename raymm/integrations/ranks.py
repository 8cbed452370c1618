"""The processes of a distributed training that somebody else has started."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.distributed as dist

from raymm.training.communicator import SingleProcess, TorchDistributed

if TYPE_CHECKING:
    from raymm.training.communicator import Communicator

__all__ = ["check_ranks", "communicator_of", "device_of_messages", "found_communicator", "rank_and_world"]


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
