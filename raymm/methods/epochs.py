"""What a method is told at both ends of an epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from raymm.methods.cost import Cost

if TYPE_CHECKING:
    from torch import Tensor, nn

    from raymm.data.batch import Batch
    from raymm.models.model import MultimodalModel
    from raymm.valuation.table import ValuationTable

__all__ = ["EpochEnd", "EpochStart"]


@dataclass(frozen=True)
class EpochStart:
    """Before the first step of an epoch, on every rank.

    Attributes
    ----------
    epoch, epochs
        Number of the epoch, from 0, and epochs of the whole training.
    samples
        Samples of the data set, of all splits: `Step.index` is below it.
    model
        The model, whose weights may be changed.
    initial_model
        Makes a new model with the weights that this run began with.
    forget
        Takes a module whose weights begin anew: what the optimizer and the average of the weights (`training.ema`)
        remember of them is of others.
    forget_average
        The same of the average alone: what the optimizer remembers goes on.
    """

    epoch: int
    epochs: int
    samples: int
    model: MultimodalModel
    initial_model: Callable[[], MultimodalModel]
    forget: Callable[[nn.Module], None]
    forget_average: Callable[[nn.Module], None] = lambda _: None


class ReadBatches(Protocol):
    """Reads samples of a split."""

    def __call__(
        self, split: Literal["train", "val"], wanted: Callable[[Tensor], Tensor] = ..., /
    ) -> Iterator[Batch]:
        """Batches of all samples, or of those that are wanted."""


@dataclass(frozen=True)
class EpochEnd:
    """After an epoch, on the first rank, once validation was valued and before the next plan.

    Attributes
    ----------
    epoch, epochs
        Number of the epoch that was trained, from 0, and epochs of the whole training.
    table
        Exact or sampled values of the validation split, see `raymm.valuation.table.ValuationTable`.
    model
        The model in evaluation mode; its weights are not to be changed.
    batch
        `batch(split, count)` reads at most `count` random samples of "train" or "val" in the evaluation view; which
        ones is keyed by seed, epoch and split. `model.encode` and `model.fuse` take it from there.
    batches
        `batches(split)` reads all samples of "train" or "val" in the evaluation view, in order, batch by batch;
        `batches(split, wanted)` those for whose numbers (int64 [N]) `wanted` is true (bool [N]).
    cost
        Counts what the method computes here. Rows that `batch` and `batches` read are counted as encoded once; add
        fusions and backward passes.
    """

    epoch: int
    epochs: int
    table: ValuationTable
    model: MultimodalModel
    batch: Callable[[Literal["train", "val"], int], Batch]
    batches: ReadBatches
    cost: Cost = field(default_factory=Cost)
