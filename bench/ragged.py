"""(d) Seconds of an epoch in which half of the rows keep one modality of three, over one of full rows."""

from pathlib import Path

import numpy as np
import torch

from bench.timing import Measured, side_by_side
from raymm.config import Config
from raymm.data import BatchReader, open_dataset
from raymm.data.loading import BatchLoader
from raymm.methods import Plan, base_plan, build_method
from raymm.models.model import build_model
from raymm.training.communicator import SingleProcess
from raymm.training.epoch import train_epoch
from raymm.training.optim import build_optimizer
from raymm.training.step import Trainer, parameters_of


def run(data: Path) -> Measured:
    """Measure whole epochs of equally many rows, reading included."""
    dataset = open_dataset(data)
    config = Config()
    n = len(dataset.schema.names)
    loader, rows = BatchLoader(BatchReader(dataset, config.view)), dataset.rows("train")
    model = build_model(dataset.schema, config.model, 0)
    method = build_method(config, dataset.schema)
    optimizer = build_optimizer(parameters_of(model, method), config.optimizer)
    trainer = Trainer(model, optimizer, method, config, SingleProcess(), torch.device("cpu"), dataset.schema.task)
    full = base_plan(rows, n)
    single = 1 << (np.arange(len(rows)) % n)
    half = Plan(rows, np.where(np.arange(len(rows)) % 2 == 0, full.keep, single))
    ratio, ratios = side_by_side(
        lambda: train_epoch(trainer, loader, half, 0), lambda: train_epoch(trainer, loader, full, 0), rounds=5
    )
    return Measured("epoch, half the rows single / full", ratio, "<=", 0.75, {"rows": len(rows), "ratios": ratios})
