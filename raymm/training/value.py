"""Value rows of a data set with a model: the kernel that one process runs, and every valuation actor too.

Encoders run once a sample; coalitions re-run the fusion only. Rows are taken in tiles of a fixed size, counted
from the start of the list, so that the same tiles (and so the same bits) come out wherever they are computed.
"""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch

from raymm.config import Config
from raymm.data import Batch, View
from raymm.model import MultimodalModel, fingerprint
from raymm.valuation import SampleValues, TableInfo, ValuationTable
from raymm.valuation.samples import Played, play, settle
from raymm.valuation.table import pack

__all__ = ["concatenate", "play_tile", "table_info", "tiles", "to_table", "value_rows", "value_tile"]

Rows = npt.NDArray[np.int64]


def tiles(rows: Rows, size: int) -> list[Rows]:
    """Consecutive parts of `rows` of at most `size`."""
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def value_rows(
    model: MultimodalModel, view: View, rows: Rows, config: Config, epoch: int | None = None
) -> ValuationTable:
    """The valuation table of some samples, computed in this process."""
    info = table_info(model, config, epoch)
    return concatenate(list(_tables(model, view, rows, config, info)))


def value_tile(model: MultimodalModel, view: View, rows: Rows, config: Config) -> SampleValues:
    """Value one tile: read the valuation view, encode once, play all coalitions."""
    played, batch = play_tile(model, view, rows, config, range(2 ** len(model.names)))
    return settle([played], batch.labels, batch.mask)


def play_tile(model: MultimodalModel, view: View, rows: Rows, config: Config, codes: range) -> tuple[Played, Batch]:
    """Play some coalitions of one tile, in float32 and without dropout."""
    device = next(model.parameters()).device
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            batch = view.batch(rows).to(device)
            played = play(
                model.fuse,
                model.encode(batch),
                batch.labels,
                batch.mask,
                codes,
                config.valuation.utility,
                model.partials if model.additive else None,
            )
            return played, batch
    finally:
        model.train(was_training)


def to_table(values: SampleValues, view: View, rows: Rows, info: TableInfo) -> ValuationTable:
    """Put names and labels beside the values of a tile."""
    shards = view.dataset.shards
    return ValuationTable(
        info=info,
        sample_id=shards.sample_id[rows],
        split=shards.split[rows],
        label=shards.label[rows],
        prediction=values.prediction.cpu().numpy(),
        phi=values.phi.cpu().numpy(),
        outcomes=pack(values.right.cpu().numpy()),
        loss=values.loss.cpu().numpy(),
    )


def table_info(model: MultimodalModel, config: Config, epoch: int | None) -> TableInfo:
    """What a table says of the game and the model."""
    return TableInfo(
        modalities=model.names,
        utility=config.valuation.utility,
        masking=config.model.baseline,
        fingerprint=fingerprint(model),
        epoch=epoch,
    )


def concatenate(parts: Sequence[ValuationTable]) -> ValuationTable:
    """One table from several of the same game, in order."""
    columns = ("sample_id", "split", "label", "prediction", "phi", "outcomes", "loss")
    joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in columns}
    return ValuationTable(info=parts[0].info, **joined)


def _tables(
    model: MultimodalModel, view: View, rows: Rows, config: Config, info: TableInfo
) -> Iterator[ValuationTable]:
    for tile in tiles(rows, config.valuation.batch_size):
        yield to_table(value_tile(model, view, tile, config), view, tile, info)
