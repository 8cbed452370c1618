"""Value a split with a model that was trained before, or with somebody's own: find it, check it, stream the table.

A table grows in parts beside its file, OUT.parts/shard-00012.parquet, each written whole; the same command after an
interruption values only the shards that are missing. At the end the parts become OUT.
"""

import json
import shutil
from collections.abc import Callable, Collection, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from raymm.config import Config
from raymm.data import Dataset, View
from raymm.data.identity import same_data
from raymm.storage import atomic_path, layout, write_json
from raymm.valuation import ValuationTable, read_table, write_table
from raymm.valuation.engine import TILES_OF_SHARD, DataModel, Rows, method_for, table_info
from raymm.valuation.table import TableWriter

__all__ = ["Stream", "Valuing", "value_to_file"]

Stream = Callable[[DataModel, View, Rows, Config, int | None, Collection[int]], Iterator[tuple[int, ValuationTable]]]
"""`(model, view, rows, config, epoch, done) -> (shard, table)`: in this process, or through the actor pool."""


@dataclass(frozen=True)
class Valuing:
    """A model, the view of the data it reads, and the rows to value."""

    model: DataModel
    view: View
    rows: Rows
    config: Config

    def on_cluster(self, **settings: float) -> "Valuing":
        """The same with other settings of the section `cluster`, which decide no numbers."""
        cluster = self.config.cluster.model_copy(update=settings)
        return replace(self, config=self.config.model_copy(update={"cluster": cluster}))

    @property
    def shards(self) -> int:
        """Number of shards that the rows make."""
        return -(-len(self.rows) // (self.config.valuation.batch_size * TILES_OF_SHARD))


def value_to_file(
    job: Valuing, stream: Stream, out: Path, follow: Callable[[Iterator[Any], int], Iterator[Any]]
) -> ValuationTable:
    """Value a split into a Parquet file, going on from parts that an earlier call has left; returns the table.

    Parameters
    ----------
    stream
        Where the work is done.
    follow
        `(shards, total) -> shards`, shows how far it is.
    """
    folder = layout.valuation_parts_folder(out)
    done = _parts_of(folder, job)
    shards = stream(job.model, job.view, job.rows, job.config, None, done)
    for shard, table in follow(shards, job.shards - len(done)):
        write_table(layout.valuation_part(folder, shard), table)
    first = read_table(layout.valuation_part(folder, 0))
    with atomic_path(out) as temporary, TableWriter(temporary, first.info) as writer:
        for shard in range(job.shards):
            writer.write(read_table(layout.valuation_part(folder, shard)))
    shutil.rmtree(folder)
    return read_table(out)


def _parts_of(folder: Path, job: Valuing) -> set[int]:
    """Shards that are there already; parts of another valuation are thrown away."""
    about, identity = folder / layout.PARTS_ABOUT, _identity(job)
    if not about.exists() or not _is_of(json.loads(about.read_text()), identity, job.view.dataset):
        shutil.rmtree(folder, ignore_errors=True)
        write_json(about, identity)
        return set()
    return layout.valuation_parts(folder)


def _is_of(recorded: dict[str, Any], identity: dict[str, Any], dataset: Dataset) -> bool:
    """Whether parts were recorded with this identity; their digest may be in the form of version 0.1.0."""
    return same_data(recorded["data"], dataset) and {**recorded, "data": identity["data"]} == identity


def _identity(job: Valuing) -> dict[str, Any]:
    """All that decides the values."""
    method = method_for(job.model, job.view, job.rows, job.config)
    info = asdict(table_info(job.model, job.view, job.config, None, method))
    return json.loads(
        json.dumps(
            {
                "info": info,
                "method": asdict(method),
                "data": job.view.dataset.digest,
                "first": int(job.rows[0]),
                "rows": len(job.rows),
                "tile": job.config.valuation.batch_size,
                "view": job.config.view.model_dump(),
            }
        )
    )
