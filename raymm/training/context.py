"""A run in training on one rank: what the loop, and the steps of an epoch's end, are given."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from raymm.data.loading import BatchLoader
from raymm.data.reader import BatchReader
from raymm.methods.registry import build_method
from raymm.models.memory_format import channels_last
from raymm.models.model import build_model
from raymm.models.traits import traits_of
from raymm.training.communicator import on_every_rank, on_first_rank
from raymm.training.compiled import compile_parts
from raymm.training.epoch import rank_rows
from raymm.training.journal import Journal
from raymm.training.optim import build_optimizer
from raymm.training.parameter_groups import parameter_groups
from raymm.training.step import Trainer
from raymm.valuation.table import join_tables

if TYPE_CHECKING:
    from raymm.config.sections import Config
    from raymm.data.dataset import Dataset
    from raymm.training.backends import Backends
    from raymm.training.checkpoint import Checkpoint
    from raymm.training.run import Run
    from raymm.valuation.engine import Rows
    from raymm.valuation.table import ValuationTable

__all__ = ["RunContext"]


@dataclass(frozen=True)
class RunContext:
    """A run in training on one rank: its settings, its model, its data, and its backends.

    A context manager: on the way out, the processes that read batches end, and the log says why.
    """

    run: Run
    trainer: Trainer
    loader: BatchLoader
    backends: Backends
    journal: Journal

    @classmethod
    def build(cls, run: Run, dataset: Dataset, backends: Backends) -> RunContext:
        """The context of a run whose weights are those of epoch 0."""
        config, device = run.config, backends.device
        model = build_model(dataset.schema, config.model, config.training.seed, dataset.statistics).to(device)
        if config.training.channels_last:
            channels_last(model)
        labels, schema = dataset.label[dataset.rows("train")], dataset.schema
        task = schema.task.training(config.training.loss, labels, schema.classes)
        method = build_method(config, schema, traits_of(model), task)
        if method.module is not None:
            method.module.to(device)
        if config.training.compile:
            compile_parts(model, device)
        optimizer = build_optimizer(parameter_groups(model, method.module, config.optimizer), config.optimizer)
        trainer = Trainer(model, optimizer, method, config, backends.communicator, device, task)
        reader = BatchReader.of(dataset, config)
        late = config.training.transforms == "device"
        loader = BatchLoader(reader, config.training.loader_workers, device, late=late)
        return cls(run, trainer, loader, backends, Journal(run, dataset, backends))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, cause: BaseException | None, trace: object) -> None:
        self.loader.close()
        self.journal.close(cause)

    @property
    def config(self) -> Config:
        """Settings of the run."""
        return self.run.config

    @property
    def dataset(self) -> Dataset:
        """The data set of the run."""
        return self.loader.reader.dataset

    def value(self, rows: Rows, epoch: int) -> ValuationTable:
        """The valuation table of some samples, with the weights as they are."""
        return join_tables(self.value_parts(rows, epoch), len(rows))

    def value_parts(self, rows: Rows, epoch: int) -> Iterator[ValuationTable]:
        """The tables of consecutive parts of `rows`, one after another."""
        self.journal.begin_valuation(len(rows))
        for part in self.backends.value(self.trainer.model, self.loader.reader, rows, self.config, epoch):
            self.journal.add_valued(len(part))
            yield part

    def on_first_rank(self, action: Callable[[], None]) -> None:
        """Run `action` on rank 0 while the others wait; when it fails, it fails on every rank."""
        on_first_rank(self.backends.communicator, self.backends.device, action)

    def verify_shards(self, state: Checkpoint) -> None:
        """With several ranks, compare the shards that they will read first: in the epoch, one would fail alone.

        A single rank compares each shard when it reads it.
        """
        communicator = self.backends.communicator
        if communicator.world == 1:
            return
        shards, index = self.dataset.shards, state.plan.index
        own = rank_rows(self.trainer, self.dataset.schema, state.plan, state.epoch)
        on_every_rank(
            communicator,
            self.backends.device,
            lambda: shards.verify(index[own]),
            instead=lambda: shards.verify(index),
        )
