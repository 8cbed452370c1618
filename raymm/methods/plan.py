"""The re-sampling plan: every row that an epoch trains, and the modalities each row keeps.

A plan is a value: `index[r]` is a sample number and `keep[r]` a bit mask. The samples themselves come first,
whole; copies follow. The order in which an epoch visits the rows is a function of (seed, epoch) alone, and a
global batch is dealt out to the ranks in turn, so that every rank set trains exactly these rows.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from raymm.methods.strategies import Copies, Situation, strategy
from raymm.seeds import derive

__all__ = ["Plan", "base_plan", "epoch_order", "make_plan", "rank_batches"]


@dataclass(frozen=True)
class Plan:
    """Rows of one epoch.

    Attributes
    ----------
    index
        Sample numbers, int64 [R].
    keep
        Coalition codes of the modalities that each row keeps, int64 [R].
    dropped
        Copies that the row budget left out.
    """

    index: npt.NDArray[np.int64]
    keep: npt.NDArray[np.int64]
    dropped: int = 0

    def __len__(self) -> int:
        return len(self.index)

    def masks(self, rows: npt.NDArray[np.int64], n: int) -> npt.NDArray[np.bool_]:
        """Keep-masks bool [len(rows), n] of some rows."""
        return (self.keep[rows, None] >> np.arange(n)) % 2 == 1


def base_plan(rows: npt.NDArray[np.int64], n: int) -> Plan:
    """Every sample once, with all its modalities: what warm-up and joint training see."""
    return Plan(rows, np.full(len(rows), 2**n - 1, np.int64))


def make_plan(situation: Situation) -> Plan:
    """The plan of an epoch: every sample once, and the copies of the configured strategy.

    `resampling.row_budget` caps the copies at that multiple of the number of samples; which of them are left
    out is a uniform draw, and their number is reported.
    """
    n = situation.present.shape[1]
    base = base_plan(situation.rows, n)
    copies = strategy(situation.config.strategy)[0](situation)
    kept = _within_budget(copies, situation)
    return Plan(
        index=np.concatenate([base.index, situation.rows[copies.position[kept]]]),
        keep=np.concatenate([base.keep, np.int64(1) << copies.modality[kept]]),
        dropped=len(copies.position) - len(kept),
    )


def epoch_order(length: int, seed: int, epoch: int) -> npt.NDArray[np.int64]:
    """The order in which an epoch visits the rows of its plan: a permutation of 0..length-1."""
    return np.random.default_rng(derive(seed, "order", epoch)).permutation(length)


def rank_batches(
    order: npt.NDArray[np.int64], batch_size: int, rank: int, world: int
) -> list[tuple[npt.NDArray[np.int64], int]]:
    """Plan rows of each step for one rank, with the number of rows of the global batch.

    Every rank gets the same number of steps; over all ranks each row of `order` appears exactly once. The last
    batch may be smaller, and a rank's part of it empty.
    """
    starts = range(0, len(order), batch_size)
    batches = [order[start : start + batch_size] for start in starts]
    return [(batch[rank::world], len(batch)) for batch in batches]


def _within_budget(copies: Copies, situation: Situation) -> npt.NDArray[np.int64]:
    count = len(copies.position)
    budget = situation.config.row_budget
    if budget is None or count <= int(budget * len(situation.rows)):
        return np.arange(count)
    generator = np.random.default_rng(derive(situation.seed, "budget"))
    return np.sort(generator.permutation(count)[: int(budget * len(situation.rows))])
