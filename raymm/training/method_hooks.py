"""What a method is told at both ends of an epoch, made from a run in training; and the numbers that it tells."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from raymm.config.own_parts import own_part
from raymm.errors import Problems, TrainingError
from raymm.methods.cost import Cost
from raymm.methods.epochs import EpochEnd, EpochStart
from raymm.methods.extra_rows import random_rows
from raymm.models.model import build_model
from raymm.seeds import derive
from raymm.tracking import metrics as names
from raymm.tracking.metric import PLACEHOLDERS
from raymm.tracking.metrics import method_metric
from raymm.valuation.protocol import evaluating

if TYPE_CHECKING:
    from torch import Tensor, nn

    from raymm.data.batch import Batch
    from raymm.methods.base import Method
    from raymm.models.model import MultimodalModel
    from raymm.training.context import RunContext
    from raymm.valuation.table import ValuationTable

__all__ = ["after_evaluation", "before_epoch", "epoch_end", "method_figures"]


def epoch_start(context: RunContext, epoch: int) -> EpochStart:
    """What `Method.before_epoch` is told."""
    config, trainer = context.config, context.trainer

    def initial() -> MultimodalModel:
        dataset = context.dataset
        return build_model(dataset.schema, config.model, config.training.seed, dataset.statistics).to(trainer.device)

    def forget(module: nn.Module) -> None:
        for parameter in module.parameters():
            trainer.optimizer.state.pop(parameter, None)
        forget_average(module)

    def forget_average(module: nn.Module) -> None:
        if trainer.average is not None:
            trainer.average.begin_anew(module)

    epochs, samples = config.training.epochs, len(context.dataset.present)
    return EpochStart(epoch, epochs, samples, trainer.model, initial, forget, forget_average)


def before_epoch(context: RunContext, epoch: int) -> None:
    """Tell the method that an epoch begins."""
    method, start = context.trainer.method, epoch_start(context, epoch)
    with own_part(type(method), "before_epoch"):
        method.before_epoch(start)


def epoch_end(context: RunContext, epoch: int, table: ValuationTable) -> EpochEnd:
    """What `Method.after_evaluation` is told."""
    config, trainer, reader, cost = context.config, context.trainer, context.loader.reader, Cost()

    def counted(read: Batch) -> Batch:
        cost.encodings += int(read.mask.sum())
        return read.to(trainer.device)

    def batch(split: Literal["train", "val"], count: int) -> Batch:
        seed = derive(config.training.seed, "after_evaluation", split, epoch)
        return counted(reader.batch(random_rows(context.dataset.rows(split), count, seed)))

    def all_batches(
        split: Literal["train", "val"], wanted: Callable[[Tensor], Tensor] | None = None
    ) -> Iterator[Batch]:
        rows = context.dataset.rows(split)
        chosen = rows if wanted is None else rows[wanted(torch.from_numpy(rows)).numpy()]
        for read in reader.batches(chosen, config.training.batch_size):
            yield counted(read)

    return EpochEnd(epoch, config.training.epochs, table, trainer.model, batch, all_batches, cost)


def after_evaluation(context: RunContext, epoch: int, table: ValuationTable, metrics: dict[str, float]) -> None:
    """Tell the method of an epoch's evaluation; add its figures to the metrics, and its cost to that of training."""
    method, started = context.trainer.method, time.perf_counter()
    end = epoch_end(context, epoch, table)
    with evaluating(context.trainer.model), own_part(type(method), "after_evaluation"):
        method.after_evaluation(end)
    metrics |= method_figures(method)
    metrics[names.TRAIN_SECONDS] += time.perf_counter() - started
    metrics[names.ENCODINGS] += end.cost.encodings
    metrics[names.FUSIONS] += end.cost.fusions
    metrics[names.BACKWARDS] += end.cost.backwards


def method_figures(method: Method) -> dict[str, float]:
    """The numbers that a method tells of an epoch, by the names of their metrics.

    Raises
    ------
    TrainingError
        When a name cannot be one of a metric, or a value is no number.
    """
    with own_part(type(method), "figures"):
        figures: object = method.figures()
    problems = Problems(f"{type(method).__name__}.figures")
    if not isinstance(figures, Mapping):
        raise TrainingError(f"{problems.where} returns a {type(figures).__name__}; expected a dictionary of numbers")
    for name, value in figures.items():
        if not re.fullmatch(PLACEHOLDERS["figure"], str(name)):
            problems.add(f"'{name}' is no name of a metric; use small letters, digits and _")
        if not isinstance(value, (int, float, np.number)):
            problems.add(f"'{name}' is a {type(value).__name__}; expected a number")
    problems.raise_if_any(TrainingError)
    return {method_metric(name): float(value) for name, value in figures.items()}
