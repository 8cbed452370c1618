"""The valuation of rows of a data set: the code that one process runs, and every valuation actor too.

Encoders run once a sample; coalitions run the fusion alone. Rows are taken in batches of a fixed size, counted from
the start of the list, so that the batches (and so the bits) are the same wherever they are computed. Consecutive
batches make a block; where values are sampled, each block has its own design.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import fields
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from raymm.tasks.registry import task_fields
from raymm.valuation.enumeration import evaluate_coalitions, grand_prediction, value_source
from raymm.valuation.logit_sources import SumSource
from raymm.valuation.method import choose_method
from raymm.valuation.protocol import SplitModel, evaluating, fingerprint, logit_source, players
from raymm.valuation.sampling.estimator import value_closed_form, value_sampled
from raymm.valuation.table import TableInfo, ValuationTable, join_tables
from raymm.valuation.utilities import get_utility

if TYPE_CHECKING:
    from raymm.config.sections import Config
    from raymm.data.batch import Batch
    from raymm.data.reader import BatchReader
    from raymm.types import Features
    from raymm.valuation.logit_sources import LogitSource
    from raymm.valuation.method import ValuationMethod
    from raymm.valuation.sample_values import CoalitionSums, GrandPrediction, SampleValues
    from raymm.valuation.utilities import Utility

__all__ = [
    "BATCHES_PER_BLOCK",
    "Arrays",
    "DataModel",
    "Rows",
    "batches",
    "evaluate_batch",
    "in_order",
    "method_for",
    "stream_rows",
    "table_info",
    "to_arrays",
    "to_table",
    "value_batch",
    "value_parts",
    "value_rows",
]

Rows = npt.NDArray[np.int64]
Arrays = dict[str, npt.NDArray[Any]]

Part = TypeVar("Part")

BATCHES_PER_BLOCK = 64


class DataModel(SplitModel, Protocol):
    """A split model that reads the batches of a raymm data set."""

    def encode(self, batch: Batch) -> Features:
        """Features of a batch."""


def batches(rows: Rows, size: int) -> list[Rows]:
    """Consecutive parts of `rows` of at most `size`.

    Examples
    --------
    >>> [part.tolist() for part in batches(np.arange(5), 2)]
    [[0, 1], [2, 3], [4]]
    """
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def in_order(numbered: Iterable[tuple[int, Part]]) -> Iterator[Part]:
    """What is numbered from 0, whichever comes first, in the order of the numbers; what comes too early waits.

    >>> list(in_order([(1, "b"), (0, "a"), (2, "c")]))
    ['a', 'b', 'c']
    """
    early: dict[int, Part] = {}
    following = 0
    for number, part in numbered:
        early[number] = part
        while following in early:
            yield early.pop(following)
            following += 1


def value_rows(
    model: DataModel, view: BatchReader, rows: Rows, config: Config, epoch: int | None = None
) -> ValuationTable:
    """The valuation table of some samples, computed in this process."""
    return join_tables(value_parts(model, view, rows, config, epoch), len(rows))


def value_parts(
    model: DataModel, view: BatchReader, rows: Rows, config: Config, epoch: int | None = None
) -> Iterator[ValuationTable]:
    """The tables of consecutive parts of `rows`, which together are that of `value_rows`."""
    method, info = _method_and_info(model, view, rows, config, epoch)
    for block, block_rows in enumerate(batches(rows, config.valuation.batch_size * BATCHES_PER_BLOCK)):
        yield from _tables(model, view, block_rows, config, method, block, info)


def stream_rows(
    model: DataModel,
    view: BatchReader,
    rows: Rows,
    config: Config,
    epoch: int | None = None,
    done: Collection[int] = (),
) -> Iterator[tuple[int, ValuationTable]]:
    """Number and table of each block of `rows`, in order; those in `done` are left out."""
    method, info = _method_and_info(model, view, rows, config, epoch)
    for block, block_rows in enumerate(batches(rows, config.valuation.batch_size * BATCHES_PER_BLOCK)):
        if block not in done:
            tables = _tables(model, view, block_rows, config, method, block, info)
            yield block, join_tables(tables, len(block_rows))


def _method_and_info(
    model: DataModel, view: BatchReader, rows: Rows, config: Config, epoch: int | None
) -> tuple[ValuationMethod, TableInfo]:
    method = method_for(model, view, rows, config, epoch)
    return method, table_info(model, view, config, epoch, method)


def _tables(
    model: DataModel,
    view: BatchReader,
    rows: Rows,
    config: Config,
    method: ValuationMethod,
    block: int,
    info: TableInfo,
) -> Iterator[ValuationTable]:
    """The table of each batch of a block."""
    for part in batches(rows, config.valuation.batch_size):
        yield to_table(to_arrays(value_batch(model, view, part, config, method, block)), view, part, info)


def method_for(
    model: DataModel, view: BatchReader, rows: Rows, config: Config, epoch: int | None = None
) -> ValuationMethod:
    """The method by which these rows will be valued; errors as `choose_method`."""
    with evaluating(model):
        batch = view.batch(rows[:4]).to(_device(model))
        return choose_method(model, batch, batch.mask, config, epoch)


def value_batch(
    model: DataModel, view: BatchReader, rows: Rows, config: Config, method: ValuationMethod, block: int
) -> SampleValues:
    """Value one batch: read its rows in the evaluation view, encode them once, evaluate coalitions."""
    with evaluating(model), torch.inference_mode():
        batch = view.batch(rows).to(_device(model))
        features = model.encode(batch)
        utility = _utility(view, config)

        def source_of(some: torch.Tensor) -> LogitSource:
            return logit_source(model, features[some], batch.mask[some])

        if method.name == "sampled":
            return value_sampled(source_of, batch.labels, players(model, batch.mask), utility, method.sampling(block))
        source = logit_source(model, features, batch.mask)
        if method.name == "closed_form":
            assert isinstance(source, SumSource)
            return value_closed_form(source, batch.labels, utility.task)
        return value_source(source, batch.labels, utility)


def evaluate_batch(
    model: DataModel, view: BatchReader, rows: Rows, config: Config, codes: range
) -> tuple[CoalitionSums, GrandPrediction]:
    """Evaluate some coalitions of one batch; `combine` makes values of all parts of a batch."""
    with evaluating(model), torch.inference_mode():
        batch = view.batch(rows).to(_device(model))
        source = logit_source(model, model.encode(batch), batch.mask)
        utility = _utility(view, config)
        sums = evaluate_coalitions(source, batch.labels, codes, utility)
        return sums, grand_prediction(source, batch.labels, utility.task)


def to_arrays(values: SampleValues | CoalitionSums | GrandPrediction) -> Arrays:
    """The fields of a result as numpy arrays: what leaves the kernel, for a table or for another process."""
    return {field.name: getattr(values, field.name).cpu().numpy() for field in fields(values)}


def to_table(arrays: Arrays, view: BatchReader, rows: Rows, info: TableInfo) -> ValuationTable:
    """The table of a batch: the arrays of its `SampleValues`, with the names and labels of its samples."""
    shards = view.dataset.shards
    return ValuationTable(
        info=info,
        sample_id=shards.ids(rows),
        split=shards.splits(rows),
        label=shards.label[rows],
        source=np.array(shards.sources(rows), dtype=np.str_),
        **arrays,
    )


def table_info(
    model: DataModel, view: BatchReader, config: Config, epoch: int | None, method: ValuationMethod
) -> TableInfo:
    """The metadata of a table."""
    return TableInfo(
        modalities=view.dataset.schema.names,
        utility=config.valuation.utility,
        masking=getattr(model, "masking", "the model's own"),
        fingerprint=fingerprint(model) if isinstance(model, nn.Module) else type(model).__qualname__,
        epoch=epoch,
        method=method.name,
        budget=method.budget,
        task=task_fields(view.dataset.schema.task),
        classes=len(view.dataset.schema.classes),
        class_names=view.dataset.schema.classes,
    )


def _utility(view: BatchReader, config: Config) -> Utility:
    """The configured utility, for the labels of the data set."""
    return get_utility(config.valuation.utility, view.dataset.schema.task)


def _device(model: DataModel) -> torch.device:
    first = next(model.parameters(), None) if isinstance(model, nn.Module) else None
    return torch.device("cpu") if first is None else first.device
