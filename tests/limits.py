"""What a megabyte of any input may take: ten seconds of a processor of its own, and a gigabyte of memory."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch

from raymm.training.memory import most_memory, watch_memory

__all__ = ["SECONDS", "within_limits"]

SECONDS = 20
"""Of processor time: beside others on the same cores, the same work takes up to twice as much."""
MIB = 1024
CPU = torch.device("cpu")


@contextmanager
def within_limits() -> Iterator[None]:
    """The block keeps to both limits, whatever this process took before."""
    watch_memory(CPU)
    before, start = most_memory(CPU), time.process_time()
    yield
    seconds, taken = time.process_time() - start, most_memory(CPU) - before
    assert seconds < SECONDS, f"{seconds:.1f} s"
    assert not taken >= MIB, f"{taken} MiB"  # not a number where the system does not tell it
