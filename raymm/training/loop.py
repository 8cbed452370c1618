"""The training loop: train an epoch, value it, plan the next, commit; select on validation; read the test split once.

    load_or_init -> train_epoch -> value (a backend) -> evaluate -> make_plan -> commit -> next

The same function runs in one process and on every rank of a worker group. Rank 0 values and commits; all
ranks then read the committed plan, so the rows that are trained are those on disk. A resumed run takes the same way.
A run may branch off another (`Run.start`): it takes over a committed epoch and plans the next by its own settings.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch

from raymm.config import Config
from raymm.data import Dataset, View
from raymm.methods import Plan, ResamplingInputs, base_plan, build_method, get_method, make_plan
from raymm.models.model import MultimodalModel, build_model
from raymm.seeds import derive
from raymm.storage.layout import epoch_folder, valuation_file
from raymm.tracking import metrics as names
from raymm.training.checkpoint import Checkpoint, commit, link_checkpoint, load_latest, read_checkpoint, restore
from raymm.training.communicator import Communicator, SingleProcess, on_first_rank
from raymm.training.epoch import Trainer
from raymm.training.evaluate import evaluate
from raymm.training.optim import build_optimizer, learning_rate, set_learning_rate
from raymm.training.result import Result, finished, read_result, write_result
from raymm.training.run import BranchPoint, Run
from raymm.valuation import ValuationTable, read_table
from raymm.valuation.engine import Rows, value_rows

__all__ = ["Backends", "Report", "RunContext", "ValueFn", "iter_epochs", "train"]

ValueFn = Callable[[MultimodalModel, View, Rows, Config, int], ValuationTable]
"""`(model, view, rows, config, epoch) -> table`: in this process, or a client of the actor pool."""

Report = Callable[[Sequence[dict[str, Any]]], None]
"""Called on every rank after each commit, and once at the start, with the whole history."""


def _silent(history: Sequence[dict[str, Any]]) -> None:
    """Report to nobody."""


@dataclass(frozen=True)
class Backends:
    """How the loop reaches the rest of the world."""

    value: ValueFn = value_rows
    report: Report = _silent
    communicator: Communicator = field(default_factory=SingleProcess)
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))


def train(run: Run, dataset: Dataset, backends: Backends) -> Result:
    """Train a run to its end, from its newest committed epoch on, and return its result."""
    for _ in iter_epochs(run, dataset, backends):
        pass
    return read_result(run.path)


def iter_epochs(run: Run, dataset: Dataset, backends: Backends) -> Iterator[Checkpoint]:
    """Train epoch by epoch: yield the checkpoint that training starts from and the one after each epoch, then finish.

    A caller that stops iterating leaves a run that can be resumed and whose test split was not read.
    """
    if finished(run.path):
        return
    context = RunContext.build(run, dataset, backends)
    state = context.load_or_init()
    yield state
    while state.epoch < run.config.training.epochs:
        state = context.advance(state)
        yield state
    context.finish(state)


@dataclass(frozen=True)
class RunContext:
    """A run in training on one rank: what it was asked to do, its model, its data, and its backends."""

    run: Run
    trainer: Trainer
    reader: View
    backends: Backends

    @classmethod
    def build(cls, run: Run, dataset: Dataset, backends: Backends) -> "RunContext":
        """The context of a run whose weights are those of epoch 0."""
        config = run.config
        if config.training.threads is not None:
            torch.set_num_threads(config.training.threads)
        model = build_model(dataset.schema, config.model, config.training.seed).to(backends.device)
        optimizer = build_optimizer(model.parameters(), config.optimizer)
        trainer = Trainer(model, optimizer, config, backends.communicator, backends.device)
        return cls(run, trainer, View(dataset, config.view, config.training.seed), backends)

    @property
    def config(self) -> Config:
        """Settings of the run."""
        return self.run.config

    @property
    def dataset(self) -> Dataset:
        """The data set of the run."""
        return self.reader.dataset

    def load_or_init(self) -> Checkpoint:
        """Restore the newest committed epoch, after committing the branch point where there is one; report it."""
        if self.run.start is not None:
            self._on_first_rank(partial(self._branch, self.run.start))
        state = load_latest(self.run.path)
        if state is None:
            return self._reported(
                Checkpoint(0, base_plan(self.dataset.rows("train"), len(self.dataset.schema.names)))
            )
        restore(self.run.path, state.epoch, self.trainer)
        return self._reported(state)

    def advance(self, state: Checkpoint) -> Checkpoint:
        """Train one epoch on all ranks; evaluate, value, plan and commit on rank 0; return the committed state."""
        started = time.perf_counter()
        rate = learning_rate(self.config.optimizer, state.epoch, self.config.training.epochs)
        set_learning_rate(self.trainer.optimizer, rate)
        report = self.trainer.train_epoch(self.reader, state.plan, state.epoch)
        measured = {
            names.TRAIN_LOSS: report.loss,
            names.LEARNING_RATE: rate,
            names.TRAIN_SECONDS: time.perf_counter() - started,
        }
        self._on_first_rank(partial(self._evaluate_and_commit, state, measured))
        return self._reported(read_checkpoint(self.run.path, state.epoch + 1))

    def finish(self, state: Checkpoint) -> None:
        """Load the best model, value the test split for the first and only time, write the result; on rank 0."""
        self._on_first_rank(partial(self._write_result, state))

    def value(self, split_or_rows: str | Rows, epoch: int) -> ValuationTable:
        """The valuation table of a split, or of some samples, with the weights as they are."""
        rows = self.dataset.rows(split_or_rows) if isinstance(split_or_rows, str) else split_or_rows
        return self.backends.value(self.trainer.model, self.reader, rows, self.config, epoch)

    def _on_first_rank(self, action: Callable[[], None]) -> None:
        on_first_rank(self.backends.communicator, self.backends.device, action)

    def _reported(self, state: Checkpoint) -> Checkpoint:
        self.backends.report(state.history)
        return state

    def _branch(self, start: BranchPoint) -> None:
        """Commit, once, the epoch that the run branches off at, as if this run had trained it; plan the next anew."""
        latest = load_latest(self.run.path)
        if latest is not None and latest.epoch >= start.epoch:  # an earlier one was only linked
            return
        restore(start.run, start.epoch, self.trainer)
        reached = read_checkpoint(start.run, start.epoch, check=True)
        if reached.best_epoch not in {None, start.epoch}:
            link_checkpoint(start.run, reached.best_epoch, self.run.path)
        entry = reached.history[-1]["metrics"]
        metrics = {name: value for name, value in entry.items() if not name.startswith(names.phi_metric("train", ""))}
        tables = {"val": read_table(valuation_file(epoch_folder(start.run, start.epoch), "val"))}
        before = Checkpoint(start.epoch - 1, reached.plan, reached.phi, reached.history[:-1])
        self._plan_and_commit(before, tables, metrics)

    def _evaluate_and_commit(self, state: Checkpoint, measured: dict[str, float]) -> None:
        """Evaluate the epoch that follows `state`, then value, plan and commit."""
        started = time.perf_counter()
        table = self.value("val", state.epoch + 1)
        metrics = {
            **measured,
            **evaluate(table, len(self.dataset.schema.classes), "val"),
            names.ROWS: float(len(state.plan)),
            names.ROWS_TOTAL: float(len(state.plan) + sum(entry["metrics"][names.ROWS] for entry in state.history)),
            names.ROWS_DROPPED: float(state.plan.dropped),
            names.VALUE_SECONDS: time.perf_counter() - started,
        }
        self._plan_and_commit(state, {"val": table}, metrics)

    def _plan_and_commit(
        self, before: Checkpoint, tables: dict[str, ValuationTable], metrics: dict[str, float]
    ) -> None:
        """Value the training split where that is due, plan the next epoch, and commit the one that was trained."""
        started = time.perf_counter()
        dataset, config, epoch, phi = self.dataset, self.config, before.epoch + 1, before.phi
        if _valuation_due(config, epoch):
            rows = _rows_to_value(dataset, config, epoch)
            tables["train"] = self.value(rows, epoch)
            phi = _scatter(tables["train"], rows, dataset)
            for name, mean in zip(dataset.schema.names, _known_mean(phi), strict=True):
                metrics[names.phi_metric("train", name)] = mean
        plan = _plan(dataset, config, epoch, phi)
        metrics[names.VALUE_SECONDS] += time.perf_counter() - started
        history = (*before.history, {"epoch": before.epoch, "metrics": _finite(metrics)})
        following = Checkpoint(epoch, plan, phi, history, _best(history, config))
        commit(self.run.path, following, self.trainer, tables, config.training.keep)

    def _write_result(self, state: Checkpoint) -> None:
        assert state.best_epoch is not None
        restore(self.run.path, state.best_epoch, self.trainer)
        table = self.value("test", state.best_epoch)
        summary = evaluate(table, len(self.dataset.schema.classes), "test")
        chosen = state.history[state.best_epoch - 1]
        best = names.picked_metrics(chosen["metrics"])
        result = Result(
            best_epoch=chosen["epoch"],
            metrics=_finite({**best, **summary, names.BEST_EPOCH: float(chosen["epoch"])}),
            history=state.history,
        )
        write_result(self.run, result, self.trainer.model, table, self.dataset)


def _valuation_due(config: Config, epoch: int) -> bool:
    """Whether the training split is valued before `epoch` (its number counts from 0)."""
    after = epoch - config.method.warmup
    due = after >= 0 and after % config.method.every == 0 and epoch < config.training.epochs
    return due and get_method(config.method.name).needs != "nothing"


def _rows_to_value(dataset: Dataset, config: Config, epoch: int) -> Rows:
    method = build_method(config, dataset.schema)
    return method.rows_to_value(dataset.rows("train"), derive(config.training.seed, "Z", epoch))


def _plan(dataset: Dataset, config: Config, epoch: int, phi: np.ndarray | None) -> Plan:
    rows = dataset.rows("train")
    n = len(dataset.schema.names)
    if phi is None:
        return base_plan(rows, n)
    method = build_method(config, dataset.schema)
    inputs = ResamplingInputs(
        rows=rows,
        label=dataset.label[rows],
        present=dataset.present[rows],
        phi=phi,
        utility=method.context.utility,
        seed=derive(config.training.seed, "plan", epoch),
    )
    return make_plan(method, inputs, config.method.row_budget)


def _scatter(table: ValuationTable, rows: Rows, dataset: Dataset) -> np.ndarray:
    """phi of the whole training split [N, n]; NaN where a sample was not valued."""
    train = dataset.rows("train")
    phi = np.full((len(train), table.phi.shape[1]), np.nan)
    phi[np.searchsorted(train, rows)] = table.phi
    return phi


def _known_mean(phi: np.ndarray) -> list[float]:
    known = ~np.isnan(phi)
    return (np.where(known, phi, 0.0).sum(axis=0) / known.sum(axis=0).clip(min=1)).tolist()


def _finite(metrics: dict[str, float]) -> dict[str, float]:
    """Metrics that JSON and MLflow can hold."""
    return {name: value for name, value in metrics.items() if np.isfinite(value)}


def _best(history: tuple[dict[str, Any], ...], config: Config) -> int:
    """Folder number of the epoch that validation picks: of equals the one with the lower loss, then the earliest."""
    losses = [entry["metrics"].get(names.split_metric("val", "loss"), np.inf) for entry in history]
    if config.training.selection == "loss":
        return int(np.argmin(losses)) + 1
    scores = [entry["metrics"][names.split_metric("val", config.training.selection)] for entry in history]
    return int(np.lexsort((losses, np.negative(scores)))[0]) + 1
