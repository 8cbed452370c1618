"""(i) CPU seconds that comparing checksums takes, over those of the first epoch, in which every shard is read first.

Two data sets: clips with sound, frames and flow (`--data`), whose shards are large; and small vectors made here,
whose epochs are as quick as they can be. The larger of the two counts.
"""

import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from bench.many_rows import write_rows
from bench.timing import Measured
from bench.trainer import trainer_of
from raymm.config import load
from raymm.data import BatchReader, open_dataset
from raymm.data.loading import BatchLoader
from raymm.data.shards import Shards
from raymm.methods import base_plan
from raymm.training.epoch import train_epoch

BAR = 0.03
VECTORS = 200_000


class Watched(Shards):
    """Shards that count the seconds that their checksums take."""

    seconds = 0.0

    def _differs(self, name: str, content: pa.Buffer) -> bool:
        started = time.process_time()
        found = super()._differs(name, content)
        Watched.seconds += time.process_time() - started
        return found


def run(data: Path) -> Measured:
    """Train a first epoch of each, with shards that were not read before by this process."""
    with tempfile.TemporaryDirectory() as folder:
        write_rows(Path(folder) / "vectors", VECTORS)
        details = {
            "clips": _first_epoch(data, ("training.batch_size=32",)),
            "vectors": _first_epoch(Path(folder) / "vectors", ("training.batch_size=256", "model.feature_size=16")),
        }
    largest = max(found["share"] for found in details.values())
    return Measured("checksums / first epoch", largest, "<=", BAR, details)


def _first_epoch(path: Path, settings: tuple[str, ...]) -> dict[str, Any]:
    torch.set_num_threads(1)
    dataset = open_dataset(path)
    shards = dataset.shards
    assert isinstance(shards, Shards)
    shards.__class__ = Watched
    trainer = trainer_of(dataset, load(None, ("method.name=joint", *settings)))
    plan = base_plan(dataset.rows("train"), len(dataset.schema.names))
    Watched.seconds, started = 0.0, time.process_time()
    train_epoch(trainer, BatchLoader(BatchReader(dataset, trainer.config.view)), plan, 0)
    whole = time.process_time() - started
    size = sum(file.stat().st_size for file in (path / "shards").glob("part-*.arrow"))
    return {
        "share": Watched.seconds / whole,
        "epoch_s": whole,
        "checksums_s": Watched.seconds,
        "mib": size / 2**20,
        "rows": int(np.size(plan.index)),
    }
