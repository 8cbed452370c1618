"""A run in training on one rank, and what the loop asks of it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
import torch

from raymm.data.loading import BatchLoader
from raymm.data.reader import BatchReader
from raymm.errors import DataError, TrainingError
from raymm.methods.extra_rows import mean_contributions
from raymm.methods.registry import build_method
from raymm.models.model import build_model
from raymm.storage import layout
from raymm.storage.layout import epoch_folder, valuation_file
from raymm.tasks.base import Task
from raymm.tracking import metrics as names
from raymm.tracking.of_an_epoch import picked_metrics
from raymm.training import planning
from raymm.training.calibrate import calibrate
from raymm.training.checkpoint import (
    Checkpoint,
    clear_unfinished,
    commit,
    link_checkpoint,
    load_latest,
    read_checkpoint,
    restore,
    restore_method,
    restore_method_state,
    restore_model,
    restore_weights,
)
from raymm.training.communicator import on_every_rank, on_first_rank
from raymm.training.epoch import rank_rows, train_epoch
from raymm.training.evaluate import diagnostic_metrics, evaluate
from raymm.training.memory import most_memory, watch_memory
from raymm.training.method_hooks import after_evaluation, epoch_start
from raymm.training.method_state import state_of
from raymm.training.online import online_gap
from raymm.training.optim import build_optimizer, learning_rate, set_learning_rate
from raymm.training.result import Result, write_result
from raymm.training.run import open_run
from raymm.training.step import Trainer, parameters_of
from raymm.valuation.table_file import read_table

if TYPE_CHECKING:
    from raymm.config.sections import Config
    from raymm.data.dataset import Dataset
    from raymm.training.backends import Backends
    from raymm.training.run import BranchPoint, Run
    from raymm.valuation.engine import Rows
    from raymm.valuation.table import ValuationTable

__all__ = ["RunContext"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunContext:
    """A run in training on one rank: its settings, its model, its data, and its backends.

    A context manager: on the way out, the processes that read batches end.
    """

    run: Run
    trainer: Trainer
    loader: BatchLoader
    backends: Backends

    @classmethod
    def build(cls, run: Run, dataset: Dataset, backends: Backends) -> RunContext:
        """The context of a run whose weights are those of epoch 0."""
        config, device = run.config, backends.device
        if config.training.threads is not None:
            torch.set_num_threads(config.training.threads)
        model = build_model(dataset.schema, config.model, config.training.seed).to(device)
        method = build_method(config, dataset.schema)
        if method.module is not None:
            method.module.to(device)
        optimizer = build_optimizer(parameters_of(model, method), config.optimizer)
        trainer = Trainer(model, optimizer, method, config, backends.communicator, device, dataset.schema.task)
        reader = BatchReader(dataset, config.view, config.training.seed)
        return cls(run, trainer, BatchLoader(reader, config.training.loader_workers, device), backends)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.loader.close()

    @property
    def config(self) -> Config:
        """Settings of the run."""
        return self.run.config

    @property
    def dataset(self) -> Dataset:
        """The data set of the run."""
        return self.loader.reader.dataset

    def load_or_init(self) -> Checkpoint:
        """Restore the newest committed epoch, after committing the branch point where there is one; report it."""
        self._on_first_rank(self._begin)
        state = load_latest(self.run.path)
        if state is None:
            return self._reported(Checkpoint(0, planning.joint_plan(self.dataset)))
        restore(self.run.path, state.epoch, self.trainer)
        return self._reported(state)

    def advance(self, state: Checkpoint) -> Checkpoint:
        """Train one epoch on all ranks; evaluate, value, plan and commit on rank 0; return the committed state."""
        started, cpu = time.perf_counter(), time.process_time()
        rate = learning_rate(self.config.optimizer, state.epoch, self.config.training.epochs)
        set_learning_rate(self.trainer.optimizer, rate)
        self._verify_shards(state)
        watch_memory(self.trainer.device)
        self.trainer.method.before_epoch(epoch_start(self, state.epoch))
        report = train_epoch(self.trainer, self.loader, state.plan, state.epoch)
        measured = {
            names.TRAIN_LOSS: report.loss,
            names.LEARNING_RATE: rate,
            **report.metrics,
            names.MEMORY: most_memory(self.trainer.device),
            names.TRAIN_SECONDS: time.perf_counter() - started,
            names.CPU_SECONDS: time.process_time() - cpu,
        }
        self._on_first_rank(partial(self._evaluate_and_commit, state, measured, report.phi))
        restore_method_state(self.run.path, state.epoch + 1, self.trainer.method)
        return self._reported(read_checkpoint(self.run.path, state.epoch + 1))

    def finish(self, state: Checkpoint) -> None:
        """Load the best model, value the test split for the first and only time, write the result; on rank 0."""
        self._on_first_rank(partial(self._write_result, state))

    def value(self, rows: Rows, epoch: int) -> ValuationTable:
        """The valuation table of some samples, with the weights as they are."""
        return self.backends.value(self.trainer.model, self.loader.reader, rows, self.config, epoch)

    def _on_first_rank(self, action: Callable[[], None]) -> None:
        on_first_rank(self.backends.communicator, self.backends.device, action)

    def _verify_shards(self, state: Checkpoint) -> None:
        """With several ranks, compare the shards that they will read first: in the epoch, one would fail alone.

        A single rank compares each shard when it reads it.
        """
        communicator = self.backends.communicator
        if communicator.world == 1:
            return
        shards, index = self.dataset.shards, state.plan.index
        own = rank_rows(self.trainer, state.plan, state.epoch)
        on_every_rank(
            communicator,
            self.backends.device,
            lambda: shards.verify(index[own]),
            instead=lambda: shards.verify(index),
        )

    def _reported(self, state: Checkpoint) -> Checkpoint:
        self.backends.report(state.history)
        return state

    def _begin(self) -> None:
        """Leave committed epochs alone in the folder, with the branch point among them where there is one."""
        clear_unfinished(self.run.path)
        if self.run.start is not None:
            self._branch(self.run.start)

    def _branch(self, start: BranchPoint) -> None:
        """Commit, once, the epoch that the run branches off at, as if this run had trained it; plan the next anew.

        What the method keeps is taken over where the other run had the same method with the same settings. Else it
        begins here: what another method kept, or this one by other settings, decides nothing that follows.
        """
        latest = load_latest(self.run.path)
        if latest is not None and latest.epoch >= start.epoch:  # an earlier one was only linked
            return
        reached = read_checkpoint(start.run, start.epoch, check=True)
        restore_model(start.run, start.epoch, self.trainer)
        if self._method_goes_on(start):
            restore_method(start.run, start.epoch, self.trainer, unplanned=True)
        if reached.best_epoch not in {None, start.epoch}:
            link_checkpoint(start.run, reached.best_epoch, self.run.path)
        metrics = _without_valuation_of_training(reached.history[-1]["metrics"])
        tables = {"val": read_table(valuation_file(epoch_folder(start.run, start.epoch), "val"))}
        online = reached.online if self.config.valuation.source == "online" else None
        before = Checkpoint(start.epoch - 1, reached.plan, reached.phi, reached.history[:-1])
        self._plan_and_commit(before, tables, metrics, online)

    def _method_goes_on(self, start: BranchPoint) -> bool:
        """Whether the other run kept something of its method, and had the same one with the same settings."""
        if not (epoch_folder(start.run, start.epoch) / layout.METHOD).exists():
            return False
        there, here = open_run(start.run).config.method, self.config.method
        return (there.name, there.settings) == (here.name, here.settings)

    def _evaluate_and_commit(
        self, state: Checkpoint, measured: dict[str, float], online: npt.NDArray[np.float64] | None
    ) -> None:
        """Evaluate the epoch that follows `state`, then value, plan and commit.

        `online` are the contributions of the training split from the training pass, where they come from there.
        """
        started, cpu = time.perf_counter(), time.process_time()
        table = self.value(self.dataset.rows("val"), state.epoch + 1)
        figures = evaluate(table, len(self.dataset.schema.classes), "val")
        selection = self.config.training.selection
        if names.split_metric("val", selection) not in figures:
            raise TrainingError(
                f"metrics of the task '{table.task.name}' has no '{selection}', which picks the model; return it, or "
                "choose another training.selection"
            )
        metrics = {
            **measured,
            **figures,
            **diagnostic_metrics(table, self._validation_before(state), self.trainer.model.reads.cpu().numpy()),
            names.ROWS: float(len(state.plan)),
            names.ROWS_TOTAL: float(len(state.plan) + sum(entry["metrics"][names.ROWS] for entry in state.history)),
            names.ROWS_DROPPED: float(state.plan.dropped),
            names.VALUE_SECONDS: time.perf_counter() - started,
        }
        after_evaluation(self, state.epoch, table, metrics)
        metrics[names.CPU_SECONDS] += time.process_time() - cpu
        self._plan_and_commit(state, {"val": table}, metrics, online)

    def _validation_before(self, state: Checkpoint) -> ValuationTable | None:
        """The valuation of validation after the epoch before; None for the first, or where it cannot be read."""
        if state.epoch == 0:
            return None
        try:
            return read_table(valuation_file(epoch_folder(self.run.path, state.epoch), "val"))
        except DataError as cause:
            log.warning(
                "how far contributions of epoch %d are those of the one before is not known: %s",
                state.epoch + 1,
                cause,
            )
            return None

    def _plan_and_commit(
        self,
        before: Checkpoint,
        tables: dict[str, ValuationTable],
        metrics: dict[str, float],
        online: npt.NDArray[np.float64] | None,
    ) -> None:
        """Value the training split where that is due, plan the next epoch, and commit the one that was trained."""
        started, cpu = time.perf_counter(), time.process_time()
        dataset, config, epoch = self.dataset, self.config, before.epoch + 1
        unplanned = state_of(self.trainer.method)
        phi = self._contributions(before, tables, metrics, online)
        newest = phi if online is None and phi is not before.phi else online
        if newest is not None:
            for name, mean in zip(dataset.schema.names, mean_contributions(newest), strict=True):
                metrics[names.phi_metric("train", name)] = float(mean)
        plan = planning.plan_epoch(self.trainer.method, dataset, config, epoch, phi)
        metrics[names.VALUE_SECONDS] += time.perf_counter() - started
        metrics[names.CPU_SECONDS] = metrics.get(names.CPU_SECONDS, 0.0) + time.process_time() - cpu
        history = (*before.history, {"epoch": before.epoch, "metrics": _finite(metrics)})
        best = _best(history, config, dataset.schema.task)
        following = Checkpoint(epoch, plan, phi, history, best, online)
        commit(self.run.path, following, self.trainer, tables, unplanned, config.training.keep)

    def _contributions(
        self,
        before: Checkpoint,
        tables: dict[str, ValuationTable],
        metrics: dict[str, float],
        online: npt.NDArray[np.float64] | None,
    ) -> npt.NDArray[np.float64] | None:
        """Contributions of the training split for the next plan: new ones where they are due, else those from before.

        A valuation is added to `tables`, and what it cost to `metrics`.
        """
        method, dataset, config, epoch = self.trainer.method, self.dataset, self.config, before.epoch + 1
        if not planning.valuation_due(method, config, epoch):
            return before.phi
        if method.needs == "state":
            return np.full((len(dataset.rows("train")), len(dataset.schema.names)), np.nan)
        if online is not None:
            return planning.only_asked(online, method, dataset, config, epoch)
        rows = planning.rows_to_value(method, dataset, config, epoch)
        tables["train"] = self.value(rows, epoch)
        metrics[names.VALUE_ENCODINGS] = float(dataset.present[rows].sum())
        metrics[names.VALUE_FUSIONS] = float(len(rows) * 2.0 ** len(dataset.schema.names))
        return planning.phi_of_split(tables["train"], rows, dataset)

    def _write_result(self, state: Checkpoint) -> None:
        assert state.best_epoch is not None
        gap = {} if state.online is None else online_gap(self, state.online, state.epoch)
        restore_weights(self.run.path, state.best_epoch, self.trainer)
        chosen = state.history[state.best_epoch - 1]
        tables, measured = self._tested(state.best_epoch)
        best = picked_metrics(chosen["metrics"])
        result = Result(
            best_epoch=chosen["epoch"],
            metrics=_finite({**best, **measured, **gap, names.BEST_EPOCH: float(chosen["epoch"])}),
            history=state.history,
        )
        write_result(self.run, result, self.trainer.model, tables, self.dataset)

    def _tested(self, epoch: int) -> tuple[dict[str, ValuationTable], dict[str, float]]:
        """Tables and metrics of the test split: of the model that is exported, and of it before it was calibrated."""
        model, rows, classes = self.trainer.model, self.dataset.rows("test"), len(self.dataset.schema.classes)
        tables: dict[str, ValuationTable] = {}
        measured: dict[str, float] = {}
        if model.calibration is not None:
            tables[names.UNCALIBRATED_TEST] = self.value(rows, epoch)
            measured |= evaluate(tables[names.UNCALIBRATED_TEST], classes, names.UNCALIBRATED_TEST)
            calibrate(model, self.loader.reader, self.config)
        tables["test"] = self.value(rows, epoch)
        return tables, measured | evaluate(tables["test"], classes, "test")


def _without_valuation_of_training(metrics: Mapping[str, float]) -> dict[str, float]:
    """Metrics of an epoch without what valuing the training split after it gave and cost."""
    cost, contributions = {names.VALUE_ENCODINGS, names.VALUE_FUSIONS}, names.phi_metric("train", "")
    return {name: value for name, value in metrics.items() if name not in cost and not name.startswith(contributions)}


def _finite(metrics: Mapping[str, float]) -> dict[str, float]:
    """Metrics that JSON and MLflow can hold."""
    return {name: value for name, value in metrics.items() if np.isfinite(value)}


def _best(history: Sequence[Mapping[str, Any]], config: Config, task: Task) -> int:
    """Folder number of the epoch that validation picks: of equals the one with the lower loss, then the earliest.

    An epoch without the metric, which was not finite, is worse than any other.
    """
    selection = config.training.selection
    losses = [entry["metrics"].get(names.split_metric("val", "loss"), np.inf) for entry in history]
    scores = np.array([entry["metrics"].get(names.split_metric("val", selection), np.nan) for entry in history])
    badness = np.nan_to_num(
        -scores if task.selection[selection] else scores, nan=np.inf, posinf=np.inf, neginf=-np.inf
    )
    return int(np.lexsort((losses, badness))[0]) + 1
