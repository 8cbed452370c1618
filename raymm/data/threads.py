"""How many threads torch computes on: it decides the bits of a run, and is a setting of the whole process."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["on_threads"]


@contextmanager
def on_threads(threads: int | None) -> Iterator[None]:
    """Compute on so many threads within the block (None: nothing is set), then on as many as before.

    >>> before = torch.get_num_threads()
    >>> with on_threads(before + 1):
    ...     torch.get_num_threads() - before
    1
    >>> torch.get_num_threads() == before
    True
    """
    if threads is None:
        yield
        return
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
