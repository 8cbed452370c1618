"""Which samples a gallery shows: for each modality those with the lowest and with the most surprising contributions.

"Lowest" is by phi. "Surprising" is by how far phi lies below what is expected of the sample: the mean phi of the same
modality over the other samples of its class that have the same modalities,

    surprise = expected - phi,   expected = mean of phi over the others of the group.

Where a group has fewer than `FEWEST` others, those of the same class stand in, and else all that have the modality. A
modality is thus surprising where it usually helps and does not here, while the lowest ones may be of a class in which
it never does. A task without classes (regression) compares samples that have the same modalities.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from raymm.valuation.bits import bits_at
from raymm.valuation.patterns import pattern_labels

if TYPE_CHECKING:
    from raymm.valuation.table import ValuationTable

__all__ = ["FEWEST", "LISTS", "Entry", "choose", "expected_phi", "lowest_rows", "pattern_numbers", "surprising_rows"]

LISTS = ("lowest", "surprising")

FEWEST = 5
"""Other samples that a group needs for its mean to be an expectation."""

ROUNDING = 1e-9
"""Part of the largest contribution by which rounding may move a mean."""

Numbers = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Entry:
    """A place of a sample in a list of a modality.

    Attributes
    ----------
    row, modality
        Of the sample in the table, and the position of the modality.
    listed
        One of `LISTS`.
    rank
        From 1 on.
    phi, expected
        The sample's contribution, and the mean that it is compared with (NaN where there is no other sample).
    pattern
        Position in `raymm.valuation.patterns.PATTERNS`, of the modality against all others; None where unknown.
    """

    row: int
    modality: int
    listed: str
    rank: int
    phi: float
    expected: float
    pattern: int | None


def choose(table: ValuationTable, count: int, most: int) -> dict[int, list[Entry]]:
    """The samples of all lists by row of the table, each with its places in them.

    Rows come in the order of their best rank, modality by modality, so that any first part of them is a fair one.

    Parameters
    ----------
    count
        Samples of a list.
    most
        Samples in all.
    """
    lists: list[list[Entry]] = []
    means = expected_phi(table)
    for position in range(len(table.info.modalities)):
        phi, expected = table.phi[:, position], means[:, position]
        rows = {"lowest": lowest_rows(phi, count), "surprising": surprising_rows(phi, expected, count)}
        lists += [_entries(table, position, listed, rows[listed], expected) for listed in LISTS]
    chosen: dict[int, list[Entry]] = {}
    for rank in range(max(map(len, lists), default=0)):
        for entry in (entries[rank] for entries in lists if rank < len(entries)):
            if entry.row in chosen or len(chosen) < most:
                chosen.setdefault(entry.row, []).append(entry)
    return chosen


def lowest_rows(phi: Numbers, count: int) -> Rows:
    """Rows of the lowest of contributions [N], lowest first, at most `count`; NaN (missing) is left out."""
    return np.argsort(phi, kind="stable")[: min(count, int(np.count_nonzero(~np.isnan(phi))))]


def surprising_rows(phi: Numbers, expected: Numbers, count: int) -> Rows:
    """Rows with the largest `expected - phi`, largest first, at most `count`; only those below their expectation.

    A mean of equal numbers differs from them by rounding: less than `ROUNDING` of the largest is not below.

    >>> surprising_rows(np.array([0.0, 1.0, -1.0, np.nan]), np.array([0.5, 0.5, 0.5, 0.5]), 3).tolist()
    [2, 0]
    """
    surprise = np.nan_to_num(expected - phi, nan=-np.inf)
    reach = ROUNDING * np.nanmax(np.abs(phi), initial=0.0)
    return lowest_rows(np.where(surprise > reach, -surprise, np.nan), count)


def expected_phi(table: ValuationTable) -> Numbers:
    """The mean phi of each modality over the samples that each sample is compared with, [N, n].

    NaN where the modality is missing, or no other sample has it.
    """
    present = ~np.isnan(table.phi)
    of_all, of_class = np.zeros(len(table), np.int64), _classes(table)
    of_class_and_pattern = _joined(of_class, _number_of_set(present))
    expected = np.full(table.phi.shape, np.nan)
    for position in range(present.shape[1]):
        rows = np.flatnonzero(present[:, position])
        for groups, needed in ((of_all, 1), (of_class, FEWEST), (of_class_and_pattern, FEWEST)):
            mean, others = _mean_of_others(table.phi[rows, position], groups[rows])
            enough = others >= needed
            expected[rows[enough], position] = mean[enough]
    return expected


def pattern_numbers(table: ValuationTable, rows: Sequence[int] | Rows, position: int) -> list[int | None]:
    """The pattern of a modality against all others in some rows; None where outcomes or the others are not known."""
    n = len(table.info.modalities)
    if not table.shows_outcomes or n < 2:
        return [None] * len(rows)
    chosen = np.asarray(rows, np.int64)
    full = 2**n - 1
    correct = bits_at(table.outcomes[chosen], [0, 1 << position, full ^ (1 << position), full])
    present = ~np.isnan(table.phi[chosen])
    known = present[:, position] & (present.sum(axis=1) > 1)
    labels = pattern_labels(correct, 0, 1).tolist()  # of {modality}, {the others}, all: bits 1, 2, 3
    return [label if shown else None for label, shown in zip(labels, known.tolist(), strict=True)]


def _entries(table: ValuationTable, position: int, listed: str, rows: Rows, expected: Numbers) -> list[Entry]:
    patterns = pattern_numbers(table, rows, position)
    return [
        Entry(row, position, listed, rank, float(table.phi[row, position]), float(expected[row]), pattern)
        for rank, (row, pattern) in enumerate(zip(rows.tolist(), patterns, strict=True), start=1)
    ]


def _classes(table: ValuationTable) -> Rows:
    """A number [N] for each label; of several labels a sample, for each set of them; of numbers, one for all."""
    if not table.task.categorical:
        return np.zeros(len(table), np.int64)
    if table.label.ndim == 1:
        return np.unique(table.label, return_inverse=True)[1]
    return _number_of_set(table.label)


def _number_of_set(members: npt.NDArray[np.bool_]) -> Rows:
    """A number [N], below N, for each row of bool [N, any number of members]: the same for equal rows."""
    packed = np.ascontiguousarray(np.packbits(members, axis=1))
    return np.unique(packed.view([("", packed.dtype)] * packed.shape[1]), return_inverse=True)[1].reshape(-1)


def _joined(first: Rows, second: Rows) -> Rows:
    """A number for each pair of two numbers."""
    return np.unique(first * (second.max(initial=0) + 1) + second, return_inverse=True)[1]


def _mean_of_others(values: Numbers, groups: Rows) -> tuple[Numbers, Rows]:
    """Mean of the other values of each one's group, and how many these are."""
    sums, sizes = np.bincount(groups, weights=values), np.bincount(groups)
    others = sizes[groups] - 1
    return (sums[groups] - values) / np.maximum(others, 1), others
