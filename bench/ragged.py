"""(d) Seconds of an epoch in which half of the rows keep one modality of three, over one of full rows."""

from pathlib import Path

import numpy as np

from bench.timing import Measured, side_by_side
from bench.trainer import trainer_of
from raymm.config import Config
from raymm.data import BatchReader, open_dataset
from raymm.data.loading import BatchLoader
from raymm.methods import Plan, base_plan
from raymm.training.epoch import train_epoch


def run(data: Path) -> Measured:
    """Measure whole epochs of equally many rows, reading included."""
    dataset = open_dataset(data)
    config = Config()
    n = len(dataset.schema.names)
    loader, rows = BatchLoader(BatchReader(dataset, config.view)), dataset.rows("train")
    trainer = trainer_of(dataset, config)
    full = base_plan(rows, n)
    single = 1 << (np.arange(len(rows)) % n)
    half = Plan(rows, np.where(np.arange(len(rows)) % 2 == 0, full.keep, single))
    ratio, ratios = side_by_side(
        lambda: train_epoch(trainer, loader, half, 0), lambda: train_epoch(trainer, loader, full, 0), rounds=5
    )
    return Measured("epoch, half the rows single / full", ratio, "<=", 0.75, {"rows": len(rows), "ratios": ratios})
