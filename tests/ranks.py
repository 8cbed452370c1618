"""Several ranks in one process: a thread each, and a communicator that adds in the order of the ranks."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TypeVar

import torch

__all__ = ["Threads", "on_ranks", "ranks"]

T = TypeVar("T")
U = TypeVar("U")

PATIENCE = 60
"""Seconds that a rank waits for the others."""


@dataclass
class Shared:
    """What the ranks have in common: where they meet, and what each of them brought."""

    barrier: threading.Barrier
    parts: dict[int, torch.Tensor] = field(default_factory=dict)


class Threads:
    """The communicator of one rank among threads of this process."""

    def __init__(self, rank: int, world: int, shared: Shared) -> None:
        self.rank, self.world, self._shared = rank, world, shared

    def all_reduce_sum(self, tensor: torch.Tensor) -> None:
        self._shared.parts[self.rank] = tensor.clone()
        self._shared.barrier.wait(PATIENCE)
        shapes = {(part.shape, part.dtype) for part in self._shared.parts.values()}
        assert len(shapes) == 1, f"ranks add tensors of different shapes: {shapes}"
        tensor.copy_(sum(self._shared.parts[rank] for rank in range(self.world)))
        self._shared.barrier.wait(PATIENCE)

    def leave(self) -> None:
        """Let nobody wait for this rank any longer."""
        self._shared.barrier.abort()


def ranks(world: int) -> list[Threads]:
    """The communicators of so many ranks."""
    shared = Shared(threading.Barrier(world))
    return [Threads(rank, world, shared) for rank in range(world)]


def on_ranks(communicators: list[Threads], parts: list[T], work: Callable[[T], U]) -> list[U]:
    """What `work` returns on each rank, at the same time; what it raises on one ends the wait of the others."""

    def run(communicator: Threads, part: T) -> U:
        try:
            return work(part)
        except BaseException:
            communicator.leave()
            raise

    with ThreadPoolExecutor(len(communicators)) as executor:
        futures = [executor.submit(run, *pair) for pair in zip(communicators, parts, strict=True)]
    failures = [failure for future in futures if (failure := future.exception()) is not None]
    for failure in sorted(failures, key=lambda raised: isinstance(raised, threading.BrokenBarrierError)):
        raise failure  # the cause, not what it did to the others
    return [future.result() for future in futures]
