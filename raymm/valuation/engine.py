"""Value rows of a data set with a model: the kernel that one process runs, and every valuation actor too.

Encoders run once a sample; coalitions re-run the fusion only. Rows are taken in tiles of a fixed size, counted
from the start of the list, so that the same tiles (and so the same bits) come out wherever they are computed.
Consecutive tiles make a shard; where values are sampled, each shard has its own design.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import fields
from typing import Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from raymm.config import Config
from raymm.data import Batch, View
from raymm.types import Features
from raymm.valuation import SampleValues, TableInfo, ValuationTable, join_tables, utility
from raymm.valuation.enumeration import Full, Played, full_prediction, play, value_source
from raymm.valuation.logit_sources import Source, SumSource
from raymm.valuation.method import Method, choose_method
from raymm.valuation.protocol import SplitModel, fingerprint, logit_source
from raymm.valuation.sampling.estimator import value_closed_form, value_sampled

__all__ = [
    "TILES_OF_SHARD",
    "DataModel",
    "Rows",
    "method_for",
    "play_tile",
    "stream_rows",
    "table_info",
    "tiles",
    "to_table",
    "value_rows",
    "value_tile",
]

Rows = npt.NDArray[np.int64]

TILES_OF_SHARD = 64


class DataModel(SplitModel, Protocol):
    """A split model that reads the batches of a raymm data set."""

    def encode(self, batch: Batch) -> Features:
        """Features of a batch."""


def tiles(rows: Rows, size: int) -> list[Rows]:
    """Consecutive parts of `rows` of at most `size`."""
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def value_rows(model: DataModel, view: View, rows: Rows, config: Config, epoch: int | None = None) -> ValuationTable:
    """The valuation table of some samples, computed in this process."""
    return join_tables([table for _, table in stream_rows(model, view, rows, config, epoch)])


def stream_rows(
    model: DataModel,
    view: View,
    rows: Rows,
    config: Config,
    epoch: int | None = None,
    done: Collection[int] = (),
) -> Iterator[tuple[int, ValuationTable]]:
    """Number and table of each shard of `rows`, in order; those in `done` are left out."""
    method = method_for(model, view, rows, config, epoch)
    info = table_info(model, view, config, epoch, method)
    size = config.valuation.batch_size
    for shard, part in enumerate(tiles(rows, size * TILES_OF_SHARD)):
        if shard not in done:
            values = [(tile, value_tile(model, view, tile, config, method, shard)) for tile in tiles(part, size)]
            yield shard, join_tables([to_table(value, view, tile, info) for tile, value in values])


def method_for(model: DataModel, view: View, rows: Rows, config: Config, epoch: int | None = None) -> Method:
    """How these rows will be valued; errors as `choose_method`."""
    with _evaluating(model):
        batch = view.batch(rows[:4]).to(_device(model))
        return choose_method(model, batch, batch.mask, config, epoch)


def value_tile(model: DataModel, view: View, rows: Rows, config: Config, method: Method, shard: int) -> SampleValues:
    """Value one tile: read the valuation view, encode once, play coalitions."""
    with _evaluating(model), torch.inference_mode():
        batch = view.batch(rows).to(_device(model))
        features = model.encode(batch)
        worth = utility(config.valuation.utility)

        def source_of(some: torch.Tensor) -> Source:
            return logit_source(model, features[some], batch.mask[some])

        if method.name == "sampled":
            return value_sampled(source_of, batch.labels, batch.mask, worth, method.sampling(shard))
        source = logit_source(model, features, batch.mask)
        if method.name == "closed_form":
            assert isinstance(source, SumSource)
            return value_closed_form(source, batch.labels)
        return value_source(source, batch.labels, worth)


def play_tile(model: DataModel, view: View, rows: Rows, config: Config, codes: range) -> tuple[Played, Full]:
    """Play some coalitions of one tile; `settle` makes values of the parts of a tile."""
    with _evaluating(model), torch.inference_mode():
        batch = view.batch(rows).to(_device(model))
        source = logit_source(model, model.encode(batch), batch.mask)
        played = play(source, batch.labels, codes, utility(config.valuation.utility))
        return played, full_prediction(source, batch.labels)


def to_table(values: SampleValues, view: View, rows: Rows, info: TableInfo) -> ValuationTable:
    """Put names and labels beside the values of a tile."""
    shards = view.dataset.shards
    arrays = {field.name: getattr(values, field.name).cpu().numpy() for field in fields(values)}
    return ValuationTable(
        info=info, sample_id=shards.sample_id[rows], split=shards.split[rows], label=shards.label[rows], **arrays
    )


def table_info(model: DataModel, view: View, config: Config, epoch: int | None, method: Method) -> TableInfo:
    """What a table says of itself."""
    return TableInfo(
        modalities=view.dataset.schema.names,
        utility=config.valuation.utility,
        masking=getattr(model, "masking", "the model's own"),
        fingerprint=fingerprint(model) if isinstance(model, nn.Module) else type(model).__qualname__,
        epoch=epoch,
        method=method.name,
        budget=method.budget,
    )


@contextmanager
def _evaluating(model: DataModel) -> Iterator[None]:
    """In evaluation mode, and afterwards as before."""
    was_training = isinstance(model, nn.Module) and model.training
    if isinstance(model, nn.Module):
        model.eval()
    try:
        yield
    finally:
        if isinstance(model, nn.Module):
            model.train(was_training)


def _device(model: DataModel) -> torch.device:
    first = next(model.parameters(), None) if isinstance(model, nn.Module) else None
    return torch.device("cpu") if first is None else first.device
