"""The valuation of a split into a file, block by block, so that an interrupted one can be resumed.

The blocks are written beside the file, each atomically, as OUT.parts/shard-00012.parquet; the same command after an
interruption values the missing blocks alone, and those whose files are damaged. At the end the blocks are joined into
OUT.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from raymm.config.sections import Config
from raymm.data.identity import same_data
from raymm.data.reader import BatchReader
from raymm.errors import DataError
from raymm.storage import layout
from raymm.storage.atomic import atomic_path, remove_unfinished, write_json
from raymm.storage.lock import writing
from raymm.storage.records import read_json
from raymm.valuation.engine import BATCHES_PER_BLOCK, DataModel, Rows, method_for, table_info
from raymm.valuation.table import TableInfo, ValuationTable
from raymm.valuation.table_file import TableWriter, read_table, write_table

if TYPE_CHECKING:
    from raymm.data.dataset import Dataset

__all__ = ["Stream", "Valuing", "value_to_file"]

log = logging.getLogger(__name__)

Stream = Callable[
    [DataModel, BatchReader, Rows, Config, int | None, Collection[int]], Iterator[tuple[int, ValuationTable]]
]
"""`(model, view, rows, config, epoch, done) -> (block, table)`: in this process, or through the actor pool."""


@dataclass(frozen=True)
class Valuing:
    """A model, the view of the data it reads, and the rows to value."""

    model: DataModel
    view: BatchReader
    rows: Rows
    config: Config

    def with_plugins(self, plugins: Sequence[str]) -> Valuing:
        """The same with more plug-ins, which actors import too."""
        known = (*self.config.plugins, *(name for name in plugins if name not in self.config.plugins))
        return replace(self, config=self.config.model_copy(update={"plugins": known}))

    def on_cluster(self, **settings: float) -> Valuing:
        """The same with other settings of the section `cluster`, which do not change the values."""
        cluster = self.config.cluster.model_copy(update=settings)
        return replace(self, config=self.config.model_copy(update={"cluster": cluster}))

    @property
    def blocks(self) -> int:
        """Number of blocks of the rows."""
        return -(-len(self.rows) // self._size)

    def block(self, number: int) -> Rows:
        """The rows of a block; none of one that there is not."""
        return self.rows[number * self._size : (number + 1) * self._size]

    @property
    def _size(self) -> int:
        return self.config.valuation.batch_size * BATCHES_PER_BLOCK


def value_to_file(
    job: Valuing, stream: Stream, out: Path, follow: Callable[[Iterator[Any], int], Iterator[Any]]
) -> ValuationTable:
    """Value a split into a Parquet file and return the table; blocks of an interrupted earlier call are kept.

    Parameters
    ----------
    stream
        The function that values the blocks.
    follow
        `(blocks, total) -> blocks`: passes the blocks on and shows the progress.

    Raises
    ------
    LockedError
        When somebody else is writing the file.
    """
    with writing(layout.lock_of_file(out), f"the table {out}"):
        folder = layout.valuation_parts_folder(out)
        for path in (out, folder):
            remove_unfinished(path)
        done = _parts_of(folder, job)
        stream_of_blocks = stream(job.model, job.view, job.rows, job.config, None, done)
        for block, table in follow(stream_of_blocks, job.blocks - len(done)):
            write_table(layout.valuation_part(folder, block), table)
        first = read_table(layout.valuation_part(folder, 0))
        with atomic_path(out) as temporary, TableWriter(temporary, first.info) as writer:
            for block in range(job.blocks):
                writer.write(read_table(layout.valuation_part(folder, block)))
        shutil.rmtree(folder)
    return read_table(out)


def _parts_of(folder: Path, job: Valuing) -> set[int]:
    """Numbers of the blocks that are written already; those of another valuation, and damaged ones, are deleted."""
    about, identity = folder / layout.PARTS_ABOUT, _identity(job)
    if not _is_of(about, identity, job.view.dataset):
        shutil.rmtree(folder, ignore_errors=True)
        write_json(about, identity)
        return set()
    return {block for block in layout.valuation_parts(folder) if _is_whole(folder, block, job, identity["info"])}


def _is_whole(folder: Path, block: int, job: Valuing, info: dict[str, Any]) -> bool:
    """Whether the file of a block can be read and holds its samples; another one is deleted, and a line says so."""
    file = layout.valuation_part(folder, block)
    rows = job.block(block)
    try:
        table = read_table(file)
        if np.array_equal(table.sample_id, job.view.dataset.shards.ids(rows)) and _as_json(table.info) == info:
            return True
        trouble = f"{file}: is of other samples or another model"
    except DataError as cause:
        trouble = str(cause)
    log.warning("a block that is there is valued again: %s", trouble)
    shutil.rmtree(file) if file.is_dir() else file.unlink(missing_ok=True)
    return False


def _is_of(about: Path, identity: dict[str, Any], dataset: Dataset) -> bool:
    """Whether blocks were written with this identity; their digest may be in the form of version 0.1.0.

    Blocks whose identity cannot be read are of no use, as those without one.
    """
    if not about.exists():
        return False
    try:
        recorded = read_json(about)
    except DataError as cause:
        log.warning("the blocks that are there are valued again: %s", cause)
        return False
    data = str(recorded.get("data"))
    return same_data(data, dataset) and {**recorded, "data": identity["data"]} == identity


def _identity(job: Valuing) -> dict[str, Any]:
    """Everything that the values depend on, as JSON; the key `tile` is the batch size."""
    method = method_for(job.model, job.view, job.rows, job.config)
    info = _as_json(table_info(job.model, job.view, job.config, None, method))
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


def _as_json(info: TableInfo) -> dict[str, Any]:
    """The fields of the metadata of a table as JSON has them: tuples are lists."""
    fields: dict[str, Any] = json.loads(json.dumps(asdict(info)))
    return fields
