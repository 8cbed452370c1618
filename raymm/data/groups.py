"""Groups of samples that must not be torn apart, such as the clips of a speaker: splits that respect them.

A model that has heard a speaker in training knows the voice in the test, so that a split between samples of one group
makes results too good. Samples of one group, and samples of one recording, make a unit that goes into one split.
"""

import math
from collections.abc import Hashable, Sequence

import numpy as np
import numpy.typing as npt

from raymm.data.labels import name_some
from raymm.data.schema import SPLITS
from raymm.data.splits import SHARES, refuse_rare, strata_of
from raymm.errors import Problems
from raymm.seeds import derive
from raymm.tasks.base import Task
from raymm.tasks.labels import Labels

__all__ = ["assign_grouped_splits", "torn_groups_note", "units_of"]

PARTS = np.diff([0.0, *SHARES, 1.0])
"""Shares of train, val and test."""


def units_of(*keys: Sequence[Hashable | None]) -> npt.NDArray[np.int64]:
    """The unit of each sample, [N]: samples that have a key in common are one unit, over as many steps as it takes.

    Parameters
    ----------
    keys
        Sequences of N keys each, such as files and groups; None shares nothing.

    Examples
    --------
    >>> units_of(["a", "a", "b", None], ["x", "y", "y", None]).tolist()
    [0, 0, 0, 1]
    """
    count = len(keys[0])
    above = list(range(count))

    def root(row: int) -> int:
        while above[row] != row:
            above[row] = above[above[row]]
            row = above[row]
        return row

    for column in keys:
        first: dict[Hashable, int] = {}
        for row, key in enumerate(column):
            if key is not None:
                one, other = sorted((root(first.setdefault(key, row)), root(row)))
                above[other] = one
    _, units = np.unique([root(row) for row in range(count)], return_inverse=True)
    return units.astype(np.int64)


def assign_grouped_splits(
    labels: Labels,
    units: npt.NDArray[np.int64],
    names: Sequence[str],
    task: Task,
    classes: Sequence[str],
    seed: int,
    problems: Problems,
    called: str = "groups",
) -> list[str]:
    """Splits by unit, as near to 70/15/15 within each class as whole units allow.

    Units are dealt out from the largest to the smallest, each to the split that lacks most samples of its classes;
    equally large ones in an order that the seed decides. Then a class that a split lacks gets a unit from another
    split, where one can be spared. A class of fewer units than there are splits goes to `problems` where the task
    needs every class in every split.

    Parameters
    ----------
    labels, units
        Of N samples.
    names
        What the sample is called by which its unit is known: with the seed they decide, and not the order of the
        rows.
    called
        What units are, in messages.
    """
    strata, named = strata_of(labels, names, task, classes), task.stratum_names(classes)
    parts = _Parts(units, strata, len(named))
    if task.classes_in_every_split:
        of_class = np.bincount(parts.stratum, minlength=len(named)).tolist()
        there = {name: of_class[number] for number, name in enumerate(classes) if of_class[number]}
        refuse_rare(there, called, problems)
    order = _order(units, names, seed)
    split = _deal(parts, order)
    _fill_gaps(parts, [bool(name) for name in named], split, order)
    return [SPLITS[split[unit]] for unit in units]


class _Parts:
    """How many samples of each stratum each unit has, without the zeros: units and strata may both be very many.

    >>> parts = _Parts(np.array([0, 1, 1, 1]), np.array([7, 7, 2, 7]), 9)
    >>> parts.stratum.tolist(), parts.count.tolist(), parts.of(1)
    ([7, 2, 7], [1.0, 1.0, 2.0], slice(1, 3, None))
    """

    def __init__(self, units: npt.NDArray[np.int64], strata: npt.NDArray[np.int64], several: int) -> None:
        pairs, counts = np.unique(units * several + strata, return_counts=True)
        self.unit, self.stratum = np.divmod(pairs, several)
        self.count = counts.astype(np.float64)
        self.total = np.bincount(strata, minlength=several).astype(np.float64)
        self._ends = np.searchsorted(self.unit, np.arange(int(units.max()) + 2)).tolist()

    def __len__(self) -> int:
        """How many units there are."""
        return len(self._ends) - 1

    def of(self, unit: int) -> slice:
        """Where a unit stands in `stratum` and `count`."""
        return slice(self._ends[unit], self._ends[unit + 1])


def _order(units: npt.NDArray[np.int64], names: Sequence[str], seed: int) -> npt.NDArray[np.int64]:
    """Units from the largest to the smallest; the seed decides between equals."""
    first: dict[int, str] = {}
    for unit, name in zip(units.tolist(), names, strict=True):
        first[unit] = min(name, first.get(unit, name))
    by_name = np.array(sorted(first, key=lambda unit: first[unit]), np.int64)
    drawn = by_name[np.random.default_rng(derive(seed, "splits", "groups")).permutation(len(by_name))]
    return drawn[np.argsort(-np.bincount(units)[drawn], kind="stable")]


def _deal(parts: _Parts, order: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The number of the split of each unit; the last units go to splits that have none yet."""
    total = np.maximum(parts.total, 1)
    lacking = PARTS[:, None] * parts.total  # [splits, strata]
    split = np.zeros(len(parts), np.int64)
    empty = np.ones(len(SPLITS), bool)
    for left, unit in zip(range(len(order), 0, -1), order.tolist(), strict=True):
        strata, counts = parts.stratum[parts.of(unit)], parts.count[parts.of(unit)]
        shares = lacking[:, strata] / total[strata] * counts
        wanted = np.array([math.fsum(share) for share in shares])  # the same bits in any order, on any machine
        if left <= empty.sum():
            wanted[~empty] = -np.inf
        chosen = int(np.argmax(wanted))
        split[unit] = chosen
        empty[chosen] = False
        lacking[chosen, strata] -= counts
    return split


def _fill_gaps(
    parts: _Parts, named: Sequence[bool], split: npt.NDArray[np.int64], order: npt.NDArray[np.int64]
) -> None:
    """Move the smallest unit that can be spared, of equals the last, to each split that lacks a class."""
    there = np.zeros((len(SPLITS), len(named)), np.int64)  # units of each class in each split
    np.add.at(there, (split[parts.unit], parts.stratum), 1)
    there[:, ~np.array(named)] = len(parts) + 1  # of no class: nothing lacks them
    smallest_first = np.lexsort((-np.argsort(order)[parts.unit], parts.stratum))
    units_of_class = parts.unit[smallest_first]
    ends = np.searchsorted(parts.stratum[smallest_first], np.arange(len(named) + 1)).tolist()
    last: dict[int, int] = {}  # by unit, a class of which it was the last in its split when it was looked at

    def can_be_spared(unit: int) -> bool:
        if unit in last and there[split[unit], last[unit]] <= 1:
            return False
        strata = parts.stratum[parts.of(unit)]
        alone = strata[there[split[unit], strata] <= 1]
        if len(alone):
            last[unit] = int(alone[0])
        return not len(alone)

    for target, label in np.argwhere((there == 0) & (parts.total > 0)).tolist():
        if there[target, label]:  # a unit that was moved for another class
            continue
        own = units_of_class[ends[label] : ends[label + 1]].tolist()
        spared = next((unit for unit in own if can_be_spared(unit)), None)
        if spared is not None:
            strata = parts.stratum[parts.of(spared)]
            there[split[spared], strata] -= 1
            there[target, strata] += 1
            split[spared] = target


def torn_groups_note(groups: Sequence[str], splits: Sequence[str]) -> str:
    """A sentence on groups whose samples the manifest puts into several splits; empty where there are none.

    Examples
    --------
    >>> torn_groups_note(["ann", "ann", "bob", ""], ["train", "test", "train", "val"])[:64]
    "1 of 2 groups ('ann') is in more than one split, with 2 of 4 sam"
    """
    where: dict[str, set[str]] = {}
    for group, split in zip(groups, splits, strict=True):
        if group:
            where.setdefault(group, set()).add(split)
    torn = sorted(group for group, found in where.items() if len(found) > 1)
    if not torn:
        return ""
    known = set(torn)
    inside = sum(group in known for group in groups)
    return (
        f"{len(torn)} of {len(where)} groups ({name_some([repr(group) for group in torn])}) "
        f"{'is' if len(torn) == 1 else 'are'} in more than one split, with {inside} of {len(groups)} samples: "
        "results on test may be too good; leave the column split out and they are kept whole"
    )
