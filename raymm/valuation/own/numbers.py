"""The places of samples in their data set, where the sampler of a loader tells them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from typing import Any

from torch.utils.data import (
    BatchSampler,
    DataLoader,
    DistributedSampler,
    IterableDataset,
    RandomSampler,
    SequentialSampler,
    SubsetRandomSampler,
    WeightedRandomSampler,
)

__all__ = ["numbers_of"]

log = logging.getLogger(__name__)

SHUFFLED = (RandomSampler, SubsetRandomSampler, WeightedRandomSampler)

RANDOM = (
    "the loader draws samples at random and ids= names none: samples are numbered as they come, which is not their "
    "place in the data set; give ids=, or a loader that does not shuffle"
)
UNKNOWN = (
    "which samples the loader draws is decided by its %s, and ids= names none: samples are numbered as they come, "
    "which may not be their place in the data set; give ids="
)


def numbers_of(batches: Any) -> Iterator[Sequence[int]] | None:
    """The places in the data set of the samples of each batch; None where they are counted as they come.

    A part that a sampler draws in an order that can be drawn again, such as that of a rank (`DistributedSampler`,
    also one that shuffles), has the places that it draws. The log says where samples that are counted may have
    another place.

    Examples
    --------
    >>> ranks = DistributedSampler(range(5), num_replicas=2, rank=1, shuffle=False)
    >>> [list(numbers) for numbers in numbers_of(DataLoader(range(5), 2, sampler=ranks))]
    [[1, 3], [0]]
    >>> numbers_of(DataLoader(range(5), 2)) is None
    True
    """
    if not isinstance(batches, DataLoader) or isinstance(batches.dataset, IterableDataset):
        return None
    grouped = batches.batch_sampler
    sampler = batches.sampler if grouped is None else getattr(grouped, "sampler", grouped)
    known = grouped is None or type(grouped) is BatchSampler
    if known and type(sampler) is SequentialSampler:
        return None
    if isinstance(grouped, Sequence):
        return iter(grouped)
    if type(grouped) is BatchSampler and (type(sampler) is DistributedSampler or isinstance(sampler, Sequence)):
        return iter(grouped)
    log.warning(*((RANDOM,) if _shuffles(sampler) else (UNKNOWN, type(sampler if known else grouped).__name__)))
    return None


def _shuffles(sampler: Any) -> bool:
    return isinstance(sampler, SHUFFLED) or (isinstance(sampler, DistributedSampler) and sampler.shuffle)
