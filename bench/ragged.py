"""(d) Seconds of an epoch in which half of the rows keep one modality of three, over one of full rows."""

from pathlib import Path

import numpy as np
import torch

from bench.timing import Measured, side_by_side
from raymm.config import Config
from raymm.data import View, open_dataset
from raymm.methods import Plan, base_plan
from raymm.models.model import build_model
from raymm.training.communicator import SingleProcess
from raymm.training.epoch import Trainer
from raymm.training.optim import build_optimizer


def run(data: Path) -> Measured:
    """Measure whole epochs of equally many rows, reading included."""
    dataset = open_dataset(data)
    config = Config()
    n = len(dataset.schema.names)
    view, rows = View(dataset, config.view), dataset.rows("train")
    model = build_model(dataset.schema, config.model, 0)
    optimizer = build_optimizer(model.parameters(), config.optimizer)
    trainer = Trainer(model, optimizer, config, SingleProcess(), torch.device("cpu"))
    full = base_plan(rows, n)
    single = 1 << (np.arange(len(rows)) % n)
    half = Plan(rows, np.where(np.arange(len(rows)) % 2 == 0, full.keep, single))
    ratio, ratios = side_by_side(
        lambda: trainer.train_epoch(view, half, 0), lambda: trainer.train_epoch(view, full, 0), rounds=5
    )
    return Measured("epoch, half the rows single / full", ratio, "<=", 0.75, {"rows": len(rows), "ratios": ratios})
