"""What a method remembers of every sample and modality from epoch to epoch, equal on any number of workers."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["SampleMemory"]


class SampleMemory:
    """A table [samples, n] of numbers that steps note; it changes between epochs only.

    Parameters
    ----------
    columns
        n.

    Attributes
    ----------
    table
        float32 [samples, n], on the CPU; NaN where nothing was noted yet. It has no rows before `allocate`.

    Examples
    --------
    >>> memory = SampleMemory(columns=2)
    >>> memory.allocate(3)
    >>> memory.note(torch.tensor([2]), torch.tensor([[0.5, torch.nan]]))
    >>> memory.keep_notes(lambda sums: sums)
    >>> memory.rows(torch.tensor([2, 0])).tolist()
    [[0.5, nan], [nan, nan]]
    """

    def __init__(self, columns: int) -> None:
        self.table = torch.empty(0, columns)
        self._notes: list[tuple[Tensor, Tensor]] = []

    def allocate(self, samples: int) -> None:
        """Make room for the samples of a data set, once, and forget notes of an epoch that was not finished."""
        self._notes = []
        if not len(self.table):
            self.table = torch.full((samples, self.table.shape[1]), torch.nan)

    def rows(self, index: Tensor) -> Tensor:
        """What is remembered of samples (int64 [B]), [B, n]."""
        return self.table[index.cpu()]

    def note(self, index: Tensor, values: Tensor) -> None:
        """Note numbers [B, n] of samples, NaN where there is none; of several notes in an epoch the mean is kept."""
        self._notes.append((index.cpu(), values.detach().float().cpu()))

    def keep_notes(self, reduce: Callable[[Tensor], Tensor], *, once: bool = False) -> None:
        """Put the notes of all workers into the table; with `once`, only where nothing was remembered before."""
        sums = torch.zeros(2, *self.table.shape, dtype=torch.float64)
        for index, values in self._notes:
            known = ~values.isnan()
            sums[0].index_add_(0, index, torch.where(known, values, 0.0).double())
            sums[1].index_add_(0, index, known.double())
        total, count = reduce(sums)
        new = (count > 0) & (self.table.isnan() if once else True)
        self.table = torch.where(new, (total / count.clamp(min=1)).float(), self.table)
        self._notes = []
