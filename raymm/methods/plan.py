"""The re-sampling plan: every row that an epoch trains, and the modalities each row keeps.

A plan is a value: `index[r]` is a sample number, `keep[r]` the coalition code of the modalities that row r keeps, and
`weight[r]` the weight of its loss. The samples themselves come first, whole; the rows that a method adds follow. The
order in which an epoch visits the rows is a function of (seed, epoch) alone, and a global batch is dealt out to the
ranks in turn, so that every rank set trains exactly these rows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from raymm.config.own_parts import own_part
from raymm.methods.extra_rows import checked
from raymm.seeds import derive
from raymm.valuation.bits import masks_of

if TYPE_CHECKING:
    from raymm.methods.base import ExtraRows, Method, ResamplingInputs

__all__ = ["Plan", "base_plan", "code_type", "epoch_batches", "epoch_order", "make_plan", "rank_batches", "rows_of"]


@dataclass(frozen=True)
class Plan:
    """Rows of one epoch.

    Attributes
    ----------
    index
        Sample numbers, int64 [R].
    keep
        Coalition codes of the modalities that each row keeps, [R], of a small type that holds them (`code_type`).
    dropped
        Extra rows that the row budget left out.
    weight
        Weights of the rows' losses, float32 [R], or None where all are 1.
    group
        Groups of the rows, int64 [R]: a batch has rows of one group, and batches come in their order; or None.
    base
        How many rows from the first on are the samples once; None: all that the training split has.
    """

    index: npt.NDArray[np.int64]
    keep: npt.NDArray[np.integer]
    dropped: int = 0
    weight: npt.NDArray[np.float32] | None = None
    group: npt.NDArray[np.int64] | None = None
    base: int | None = None

    def __len__(self) -> int:
        return len(self.index)

    def masks(self, rows: npt.NDArray[np.int64], n: int) -> npt.NDArray[np.bool_]:
        """Keep-masks bool [len(rows), n] of some rows."""
        return masks_of(self.keep[rows], n)


def code_type(n: int) -> np.dtype[Any]:
    """The smallest type of the codes of coalitions of n players.

    >>> [code_type(n).name for n in (3, 9, 20, 40)]
    ['uint8', 'uint16', 'uint32', 'int64']
    """
    return np.dtype(np.int64) if n > 32 else np.min_scalar_type(2**n - 1)


def base_plan(rows: npt.NDArray[np.int64], n: int) -> Plan:
    """Every sample once, with all its modalities: what warm-up and joint training see.

    >>> base_plan(np.array([4, 7]), n=3).keep.tolist()
    [7, 7]
    """
    return Plan(rows, np.full(len(rows), 2**n - 1, code_type(n)))


def make_plan(method: Method, inputs: ResamplingInputs, row_budget: float | None = None) -> Plan:
    """The plan of an epoch: every sample once, and the extra rows of a method; or these alone.

    Parameters
    ----------
    row_budget
        Extra rows at most, as a multiple of the number of samples; which of them are left out is a uniform draw, and
        their number is reported. Rows that stand in the place of the samples are no extra rows.

    Examples
    --------
    Two samples with two modalities, of which the second contributes nothing to the first sample: it gets two copies
    that keep only the second modality (coalition code 2).

    >>> from raymm.config import load
    >>> from raymm.data import Schema, VectorSpec
    >>> from raymm.methods import ResamplingInputs, build_method
    >>> schema = Schema(modalities=(VectorSpec(name="a", size=1), VectorSpec(name="b", size=1)), classes=("x", "y"))
    >>> method = build_method(load(None, ("method=sample",)), schema)
    >>> phi = np.array([[2.0, 0.0], [1.0, 1.0]])
    >>> inputs = ResamplingInputs(
    ...     rows=np.array([10, 11]),
    ...     label=np.array([0, 1]),
    ...     present=np.ones((2, 2), dtype=bool),
    ...     phi=phi,
    ...     utility=method.context.utility,
    ...     seed=0,
    ...     classes=2,
    ... )
    >>> plan = make_plan(method, inputs)
    >>> list(zip(plan.index.tolist(), plan.keep.tolist()))
    [(10, 3), (11, 3), (10, 2), (10, 2)]
    """
    with own_part(type(method), "plan"):
        found = method.plan(inputs)
    extra = checked(found, inputs.present, type(method).__name__)
    n = inputs.present.shape[1]
    if not extra.base:
        index, keep = inputs.rows[extra.position], extra.keep.astype(code_type(n))
        return Plan(index, keep, weight=extra.weight, group=extra.group, base=0)
    kept = _within_budget(extra, inputs, row_budget)
    position, keep, base = extra.position[kept], extra.keep[kept], len(inputs.rows)
    weight = None
    if extra.weight is not None:
        weight = np.concatenate([np.ones(base, np.float32), extra.weight[kept]])
    dropped = len(extra) - len(position)
    del extra
    whole = np.full(base, 2**n - 1, code_type(n))
    keep = np.concatenate([whole, keep.astype(code_type(n))])
    return Plan(np.concatenate([inputs.rows, inputs.rows[position]]), keep, dropped, weight)


def epoch_order(length: int, seed: int, epoch: int) -> npt.NDArray[np.int64]:
    """The order in which an epoch visits the rows of its plan: a permutation of 0..length-1.

    >>> sorted(epoch_order(4, seed=0, epoch=2).tolist())
    [0, 1, 2, 3]
    """
    return np.random.default_rng(derive(seed, "order", epoch)).permutation(length)


def epoch_batches(plan: Plan, batch_size: int, seed: int, epoch: int) -> list[npt.NDArray[np.int64]]:
    """Rows of the plan in each global batch of an epoch; the last batch of a group may be smaller.

    >>> plan = Plan(np.arange(5), np.ones(5, np.int64), group=np.array([1, 0, 1, 0, 0]))
    >>> [sorted(rows.tolist()) for rows in epoch_batches(plan, 3, seed=0, epoch=0)]
    [[1, 3, 4], [0, 2]]
    """
    order = epoch_order(len(plan), seed, epoch)
    groups = [order] if plan.group is None else [order[plan.group[order] == one] for one in np.unique(plan.group)]
    return [rows[start : start + batch_size] for rows in groups for start in range(0, len(rows), batch_size)]


def rank_batches(
    batches: list[npt.NDArray[np.int64]], rank: int, world: int
) -> list[tuple[npt.NDArray[np.int64], int]]:
    """Plan rows of each step for one rank, with the number of rows of the global batch.

    Every rank gets the same number of steps; over all ranks each row appears exactly once. A rank's part of a small
    batch may be empty.

    >>> batches = [np.array([0, 1]), np.array([2, 3]), np.array([4])]
    >>> [(rows.tolist(), total) for rows, total in rank_batches(batches, rank=1, world=2)]
    [([1], 2), ([3], 2), ([], 1)]
    """
    return [(batch[rank::world], len(batch)) for batch in batches]


def _within_budget(extra: ExtraRows, inputs: ResamplingInputs, budget: float | None) -> npt.NDArray[np.int64] | slice:
    """The extra rows that are kept, in order: all, or their numbers."""
    if budget is None:
        return slice(None)
    generator = np.random.default_rng(derive(inputs.seed, "budget"))
    return np.sort(generator.permutation(len(extra))[: rows_of(budget, len(inputs.rows))])


def rows_of(budget: float, samples: int) -> int:
    """How many rows a budget allows, as a multiple of the samples: as its decimals say, not the float beside them.

    >>> rows_of(0.29, 100), int(0.29 * 100), rows_of(0.5, 7)
    (29, 28, 3)
    """
    return math.floor(Fraction(str(budget)) * samples)
