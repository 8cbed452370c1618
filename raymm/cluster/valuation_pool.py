"""The valuation pool: Ray actors that hold the model and value batches of samples.

Actors return arrays and write nothing. A call carries data set, settings and weights by reference, with keys that
identify them; a restarted actor therefore loads them again, one pool can serve several runs, and a batch may run
twice: the client keeps one result a task. Batches are those of the in-process path, so the bits are the same for any
number of actors. Where there are fewer batches than actors and coalitions are expensive, the coalitions of a batch
are distributed too.

Work is streamed: a bounded number of tasks is in flight, and tables are yielded block by block, so that neither the
data nor the table has to fit in memory.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
import ray
import torch
from ray.exceptions import RayActorError, RayTaskError
from torch import nn

from raymm.allocator import tune_malloc
from raymm.cluster.prometheus import export_valuation_rate
from raymm.config.loading import parse
from raymm.data.dataset import open_dataset
from raymm.data.reader import BatchReader
from raymm.errors import ClusterError, RaymmError, in_one_line
from raymm.models.custom import make_custom_model
from raymm.models.encoders.weights import weights_come_later
from raymm.models.memory_format import channels_last
from raymm.models.model import build_model
from raymm.valuation.engine import (
    BATCHES_PER_BLOCK,
    batches,
    evaluate_batch,
    in_order,
    method_for,
    table_info,
    to_arrays,
    to_table,
    value_batch,
)
from raymm.valuation.enumeration import combine
from raymm.valuation.protocol import players
from raymm.valuation.sample_values import CoalitionSums, GrandPrediction
from raymm.valuation.table import join_tables

if TYPE_CHECKING:
    from raymm.config.sections import Config
    from raymm.data.schema import Schema
    from raymm.valuation.engine import Arrays, DataModel, Rows
    from raymm.valuation.method import ValuationMethod
    from raymm.valuation.table import TableInfo, ValuationTable

__all__ = ["ActorPool"]

IN_FLIGHT = 2
"""Tasks that wait at each actor: one runs while the next is on its way."""

RETRIES = 3

JOBS = 8
"""Jobs that an actor stays ready for, such as the seeds of a trial."""


@dataclass(frozen=True)
class Task:
    """One batch, or some of its coalitions."""

    batch: int
    rows: Rows
    codes: range | None
    parts: int

    @property
    def block(self) -> int:
        """Number of the block that contains the batch."""
        return self.batch // BATCHES_PER_BLOCK


@dataclass(frozen=True)
class Job:
    """A data set by its path, and the settings by which it is read and valued; `key` identifies both."""

    key: str
    data: str
    config: dict[str, Any]


@dataclass
class _Ready:
    """The open data set and the model of a job, and the fingerprint of the weights that are loaded."""

    view: BatchReader
    config: Config
    model: Any
    loaded: str = ""


class Valuer:
    """The actor; its only state are the data sets and models of the newest jobs.

    Parameters
    ----------
    model
        "package.module:function" that makes the model from the schema; default: raymm's own, with the weights of each
        call.
    """

    def __init__(self, model: str | None = None) -> None:
        tune_malloc()
        self._model = model
        self._ready: dict[str, _Ready] = {}

    def pid(self) -> int:
        """Process id of the actor."""
        return os.getpid()

    def work(self, job: Job, weights: Arrays | None, version: str, task: Task, method: ValuationMethod) -> Arrays:
        """Value one batch, or evaluate some of its coalitions, with these weights."""
        ready = self._ready.pop(job.key, None) or self._prepare(job)
        self._ready = dict([*self._ready.items(), (job.key, ready)][-JOBS:])
        if weights is not None and version != ready.loaded:
            ready.model.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in weights.items()})
            ready.loaded = version
        if task.codes is None:
            return to_arrays(value_batch(ready.model, ready.view, task.rows, ready.config, method, task.block))
        sums, grand = evaluate_batch(ready.model, ready.view, task.rows, ready.config, task.codes)
        return to_arrays(sums) | to_arrays(grand)

    def _prepare(self, job: Job) -> _Ready:
        config = parse(job.config)
        dataset = open_dataset(job.data)
        schema = dataset.schema
        model: Any = make_custom_model(self._model, schema) if self._model else _empty_model(schema, config)
        if isinstance(model, nn.Module):
            if config.training.channels_last:
                channels_last(model)
            model.to("cuda" if torch.cuda.is_available() and ray.get_gpu_ids() else "cpu")
        return _Ready(BatchReader.of(dataset, config), config, model)


def _empty_model(schema: Schema, config: Config) -> nn.Module:
    """A model whose weights come with each call, so that no file of weights is read here."""
    with weights_come_later():
        return build_model(schema, config.model, config.training.seed)


class ActorPool:
    """A client of valuation actors; its `parts` are the `value` port of the training loop.

    Actors start at the first call and live until `close` or until the process that made the pool ends.

    Parameters
    ----------
    actors
        Number of actors; default: `config.cluster.actors` of the call.
    model
        "package.module:function" that makes the model on each actor; default: raymm's own.
    label
        The tag `run` of the gauge that says how fast samples are valued.
    """

    def __init__(self, actors: int | None = None, model: str | None = None, label: str = "value") -> None:
        self._count = actors
        self._model = model
        self._label = label
        self._actors: list[Any] = []

    def __call__(
        self, model: DataModel, view: BatchReader, rows: Rows, config: Config, epoch: int | None = None
    ) -> ValuationTable:
        """The valuation table of `rows`, in order; errors as `stream`."""
        return join_tables(self.parts(model, view, rows, config, epoch), len(rows))

    def parts(
        self, model: DataModel, view: BatchReader, rows: Rows, config: Config, epoch: int | None = None
    ) -> Iterator[ValuationTable]:
        """The tables of consecutive parts of `rows`, in order; errors as `stream`."""
        tables = self._tables(model, view, rows, config, epoch, ())
        return in_order((task.batch, table) for task, table in tables)

    def stream(
        self,
        model: DataModel,
        view: BatchReader,
        rows: Rows,
        config: Config,
        epoch: int | None = None,
        done: Collection[int] = (),
    ) -> Iterator[tuple[int, ValuationTable]]:
        """Number and table of each block of `rows`, as they are finished; those in `done` are left out.

        Raises
        ------
        ClusterError
            When an actor died more often than it may be started again.
        RaymmError
            Errors of the valuation itself, unchanged.
        """
        count = len(batches(rows, config.valuation.batch_size))
        unfinished: dict[int, dict[int, ValuationTable]] = {}
        for task, table in self._tables(model, view, rows, config, epoch, done):
            block = unfinished.setdefault(task.block, {})
            block[task.batch] = table
            if len(block) == min(BATCHES_PER_BLOCK, count - task.block * BATCHES_PER_BLOCK):
                yield task.block, join_tables([block[number] for number in sorted(unfinished.pop(task.block))])

    def _tables(
        self,
        model: DataModel,
        view: BatchReader,
        rows: Rows,
        config: Config,
        epoch: int | None,
        done: Collection[int],
    ) -> Iterator[tuple[Task, ValuationTable]]:
        """The table of each batch, as it is finished; those of blocks in `done` are left out."""
        self._start(config)
        method = method_for(model, view, rows, config, epoch)
        info = table_info(model, view, config, epoch, method)
        weights = None if self._model else ray.put(_state(model))
        job = ray.put(
            Job(f"{config.fingerprint()}-{view.dataset.digest}", str(view.dataset.path), config.model_dump())
        )
        parts = batches(rows, config.valuation.batch_size)
        ranges = _ranges(len(info.modalities), method, len(self._actors) // max(1, len(parts)))
        tasks = (
            Task(number, part, codes, len(ranges))
            for number, part in enumerate(parts)
            if number // BATCHES_PER_BLOCK not in done
            for codes in ranges
        )
        valued, started = 0, time.perf_counter()
        for task, results in _by_batch(self._run(tasks, job, weights, info.fingerprint, method)):
            valued += len(task.rows)
            export_valuation_rate(self._label, valued, time.perf_counter() - started)
            yield task, _table(results, model, view, task.rows, info)

    def close(self) -> None:
        """End the actors."""
        for actor in self._actors:
            ray.kill(actor)
        self._actors = []

    def _start(self, config: Config) -> None:
        if self._actors:
            return
        cluster = config.cluster
        options = {
            "num_cpus": cluster.cpus_per_actor,
            "num_gpus": cluster.gpus_per_actor,
            "max_restarts": RETRIES,
            "max_task_retries": RETRIES,
            "scheduling_strategy": "SPREAD",
        }
        remote = ray.remote(**options)(Valuer)
        self._actors = [remote.remote(self._model) for _ in range(self._count or cluster.actors)]

    def _run(
        self, tasks: Iterator[Task], job: Any, weights: Any, version: str, method: ValuationMethod
    ) -> Iterator[tuple[Task, Arrays]]:
        """Results as they come, with a bounded number of tasks in flight."""
        flying: dict[Any, tuple[Task, Any]] = {}

        def send(actor: Any) -> None:
            task = next(tasks, None)
            if task is not None:
                flying[actor.work.remote(job, weights, version, task, method)] = (task, actor)

        for actor in self._actors * IN_FLIGHT:
            send(actor)
        while flying:
            ready, _ = ray.wait(list(flying), num_returns=1)
            task, actor = flying.pop(ready[0])
            result = _result(ready[0])
            send(actor)
            yield task, result


def _by_batch(results: Iterator[tuple[Task, Arrays]]) -> Iterator[tuple[Task, list[tuple[Task, Arrays]]]]:
    """The results of each batch together, once all its parts are finished."""
    waiting: dict[int, dict[int, tuple[Task, Arrays]]] = {}
    for task, arrays in results:
        parts = waiting.setdefault(task.batch, {})
        parts[task.codes.start if task.codes else 0] = (task, arrays)
        if len(parts) == task.parts:
            yield task, [parts[start] for start in sorted(waiting.pop(task.batch))]


def _result(reference: Any) -> Arrays:
    try:
        result: Arrays = ray.get(reference)
    except RayTaskError as cause:
        if isinstance(cause.cause, RaymmError):
            raise cause.cause from None
        raise
    except RayActorError as cause:
        raise ClusterError(
            f"a valuation actor died more than {RETRIES} times; it may need more memory: lower valuation.batch_size "
            f"or cluster.actors. Ray says: {in_one_line(cause)}"
        ) from cause
    return result


def _ranges(n: int, method: ValuationMethod, splits: int) -> list[range | None]:
    """All coalitions of n players in consecutive parts, or [None] where batches are not split."""
    if method.chunk is None or splits < 2:
        return [None]
    bounds = np.linspace(0, 2**n // method.chunk, min(splits, 2**n // method.chunk) + 1).astype(int) * method.chunk
    return [range(int(start), int(stop)) for start, stop in pairwise(bounds)]


def _table(
    results: list[tuple[Task, Arrays]], model: DataModel, view: BatchReader, rows: Rows, info: TableInfo
) -> ValuationTable:
    """The table of one batch from the results of its parts."""
    if results[0][0].codes is None:
        return to_table(results[0][1], view, rows, info)
    present = players(model, torch.from_numpy(view.dataset.present[rows]))
    sums = [_read(CoalitionSums, arrays) for _, arrays in results]
    values = combine(sums, present, _read(GrandPrediction, results[0][1]), info.fair_share)
    return to_table(to_arrays(values), view, rows, info)


def _read(kind: Callable[..., Any], arrays: Arrays) -> Any:
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    return kind(**{name: torch.from_numpy(arrays[name].copy()) for name in names})


def _state(model: Any) -> Arrays:
    return {name: tensor.cpu().numpy() for name, tensor in model.state_dict().items()}
