"""Let a process load what its first training would load, so that what runs cost does not depend on which came first.

The first step, backward pass, optimizer step, valuation and table of a process load libraries and make threads, which
takes about a second of processor time: more than a whole run of a small data set.
"""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from raymm.config.method import MethodConfig
from raymm.data.loading import BatchLoader
from raymm.data.reader import BatchReader
from raymm.methods.plan import base_plan
from raymm.methods.registry import build_method
from raymm.models.model import build_model
from raymm.models.traits import traits_of
from raymm.tasks.defaults import with_defaults
from raymm.training.communicator import SingleProcess
from raymm.training.epoch import train_epoch
from raymm.training.evaluate import evaluate
from raymm.training.optim import build_optimizer
from raymm.training.step import Trainer, parameters_of
from raymm.valuation.engine import value_rows
from raymm.valuation.table_file import write_table

if TYPE_CHECKING:
    import torch

    from raymm.config.sections import Config
    from raymm.data.dataset import Dataset

__all__ = ["warm_process"]

ROWS = 8

_warmed: set[str] = set()


def warm_process(config: Config, dataset: Dataset, device: torch.device) -> None:
    """Train a throw-away model on a few samples and value them, once a process and data set; nothing is kept."""
    if dataset.digest in _warmed:
        return
    _warmed.add(dataset.digest)
    with contextlib.suppress(Exception):  # what is wrong with a run is said by its training
        _train_and_value(config, dataset, device)


def _train_and_value(config: Config, dataset: Dataset, device: torch.device) -> None:
    config = with_defaults(config, dataset.schema.task)
    joint = config.model_copy(update={"method": MethodConfig(name="joint")})
    model = build_model(dataset.schema, config.model, 0, dataset.statistics).to(device)
    method = build_method(joint, dataset.schema, traits_of(model))
    optimizer = build_optimizer(parameters_of(model, method), joint.optimizer)
    trainer = Trainer(model, optimizer, method, joint, SingleProcess(), device, dataset.schema.task)
    reader, rows = BatchReader.of(dataset, config), dataset.rows("train")[:ROWS]
    with BatchLoader(reader, 0, device) as loader:
        train_epoch(trainer, loader, base_plan(rows, len(dataset.schema.names)), 0)
    table = value_rows(model, reader, rows, joint, 0)
    evaluate(table, len(dataset.schema.classes), "val")
    with tempfile.TemporaryDirectory() as folder:
        write_table(Path(folder) / "valuation.parquet", table)
