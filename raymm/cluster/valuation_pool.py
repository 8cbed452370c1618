"""The valuation pool: Ray actors that hold the model and value the tiles they are sent.

Actors return rows and write nothing. A call carries data set, settings and weights by reference, and what tells them
apart, so that an actor that was restarted makes itself ready again, one pool may serve several runs, and a tile may
safely run twice: the client keeps one result a task. Tiles are those of the in-process path, so the same bits come
out for any number of actors. When there are fewer tiles than actors and coalitions are dear, those of a tile are
split too.

Work streams: a bounded number of tasks is in flight, and tables come out shard by shard as they are finished, so
that neither the data nor the table has to fit in memory.
"""

import os
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import ray
import torch
from ray.exceptions import RayActorError, RayTaskError
from torch import nn

from raymm.allocator import keep_freed_memory
from raymm.cluster.prometheus import export_valuation_rate
from raymm.config import Config, parse
from raymm.data import View, open_dataset
from raymm.errors import ClusterError, RaymmError
from raymm.models.custom import make_custom_model
from raymm.models.model import build_model
from raymm.valuation import SampleValues, TableInfo, ValuationTable, join_tables
from raymm.valuation.engine import (
    TILES_OF_SHARD,
    DataModel,
    Rows,
    method_for,
    play_tile,
    table_info,
    tiles,
    to_table,
    value_tile,
)
from raymm.valuation.enumeration import Full, Played, settle
from raymm.valuation.method import Method

__all__ = ["ActorPool"]

IN_FLIGHT = 2
"""Tasks that wait at each actor: one runs while the next is on its way."""

RETRIES = 3

JOBS = 8
"""Jobs that an actor stays ready for, such as the seeds of a trial."""

Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Task:
    """One tile, or some of its coalitions."""

    tile: int
    rows: Rows
    codes: range | None
    parts: int

    @property
    def shard(self) -> int:
        """The shard that the tile belongs to."""
        return self.tile // TILES_OF_SHARD


@dataclass(frozen=True)
class Job:
    """What is valued: a data set by its path, read and valued by some settings; `key` tells it from others."""

    key: str
    data: str
    config: dict[str, Any]


@dataclass
class _Ready:
    """A job that an actor has made itself ready for, and the fingerprint of the weights that are loaded."""

    view: View
    config: Config
    model: Any
    loaded: str = ""


class Valuer:
    """The actor: for each of the newest jobs a data set and a model, and nothing else that lasts.

    Parameters
    ----------
    model
        "package.module:function" that makes the model from the schema; default: raymm's own, with the weights
        that come with each call.
    """

    def __init__(self, model: str | None = None) -> None:
        keep_freed_memory()
        self._model = model
        self._ready: dict[str, _Ready] = {}

    def pid(self) -> int:
        """Process id of the actor, for whoever watches it."""
        return os.getpid()

    def work(self, job: Job, weights: Arrays | None, version: str, task: Task, method: Method) -> Arrays:
        """Value one tile, or play some of its coalitions, with these weights."""
        ready = self._ready.pop(job.key, None) or self._prepare(job)
        self._ready = dict([*self._ready.items(), (job.key, ready)][-JOBS:])
        if weights is not None and version != ready.loaded:
            ready.model.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in weights.items()})
            ready.loaded = version
        if task.codes is None:
            return _arrays(value_tile(ready.model, ready.view, task.rows, ready.config, method, task.shard))
        played, full = play_tile(ready.model, ready.view, task.rows, ready.config, task.codes)
        return _arrays(played) | _arrays(full)

    def _prepare(self, job: Job) -> _Ready:
        config = parse(job.config)
        dataset = open_dataset(job.data)
        schema = dataset.schema
        model: Any = (
            make_custom_model(self._model, schema)
            if self._model
            else build_model(schema, config.model, config.training.seed)
        )
        if isinstance(model, nn.Module):
            model.to("cuda" if torch.cuda.is_available() and ray.get_gpu_ids() else "cpu")
        return _Ready(View(dataset, config.view, config.training.seed), config, model)


class ActorPool:
    """A client of valuation actors; calling it is the `value` port of the training loop.

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
        self, model: DataModel, view: View, rows: Rows, config: Config, epoch: int | None = None
    ) -> ValuationTable:
        """The valuation table of `rows`, in order; errors as `stream`."""
        shards = dict(self.stream(model, view, rows, config, epoch))
        return join_tables([shards[number] for number in sorted(shards)])

    def stream(
        self,
        model: DataModel,
        view: View,
        rows: Rows,
        config: Config,
        epoch: int | None = None,
        done: Collection[int] = (),
    ) -> Iterator[tuple[int, ValuationTable]]:
        """Number and table of each shard of `rows`, as they are finished; those in `done` are left out.

        Raises
        ------
        ClusterError
            When an actor died more often than it may be started again.
        RaymmError
            What the valuation itself raised, unchanged.
        """
        self._start(config)
        method = method_for(model, view, rows, config, epoch)
        info = table_info(model, view, config, epoch, method)
        weights = None if self._model else ray.put(_state(model))
        job = ray.put(
            Job(f"{config.fingerprint()}-{view.dataset.digest}", str(view.dataset.path), config.model_dump())
        )
        parts = tiles(rows, config.valuation.batch_size)
        ranges = _ranges(len(info.modalities), method, len(self._actors) // max(1, len(parts)))
        tasks = (
            Task(number, tile, codes, len(ranges))
            for number, tile in enumerate(parts)
            if number // TILES_OF_SHARD not in done
            for codes in ranges
        )
        whole: dict[int, dict[int, ValuationTable]] = {}
        valued, started = 0, time.perf_counter()
        for task, results in _by_tile(self._run(tasks, job, weights, info.fingerprint, method)):
            shard = whole.setdefault(task.shard, {})
            shard[task.tile] = _table(results, view, task.rows, info)
            valued += len(task.rows)
            export_valuation_rate(self._label, valued, time.perf_counter() - started)
            if len(shard) == min(TILES_OF_SHARD, len(parts) - task.shard * TILES_OF_SHARD):
                yield task.shard, join_tables([shard[number] for number in sorted(whole.pop(task.shard))])

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
        self, tasks: Iterator[Task], job: Any, weights: Any, version: str, method: Method
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


def _by_tile(results: Iterator[tuple[Task, Arrays]]) -> Iterator[tuple[Task, list[tuple[Task, Arrays]]]]:
    """The parts of each tile together, once all of them are there."""
    waiting: dict[int, dict[int, tuple[Task, Arrays]]] = {}
    for task, arrays in results:
        parts = waiting.setdefault(task.tile, {})
        parts[task.codes.start if task.codes else 0] = (task, arrays)
        if len(parts) == task.parts:
            yield task, [parts[start] for start in sorted(waiting.pop(task.tile))]


def _result(reference: Any) -> Arrays:
    try:
        result: Arrays = ray.get(reference)
    except RayTaskError as cause:
        if isinstance(cause.cause, RaymmError):
            raise cause.cause from None
        raise
    except RayActorError as cause:
        raise ClusterError(
            f"a valuation actor died more than {RETRIES} times ({cause}); it may need more memory: lower "
            "valuation.batch_size or cluster.actors"
        ) from cause
    return result


def _ranges(n: int, method: Method, splits: int) -> list[range | None]:
    """All coalitions of n players in consecutive parts, or [None] where a tile is not split."""
    if method.chunk is None or splits < 2:
        return [None]
    bounds = np.linspace(0, 2**n // method.chunk, min(splits, 2**n // method.chunk) + 1).astype(int) * method.chunk
    return [range(int(start), int(stop)) for start, stop in pairwise(bounds)]


def _table(results: list[tuple[Task, Arrays]], view: View, rows: Rows, info: TableInfo) -> ValuationTable:
    """The table of one tile from the results of its parts."""
    if results[0][0].codes is None:
        return to_table(_read(SampleValues, results[0][1]), view, rows, info)
    present = torch.from_numpy(view.dataset.present[rows])
    played = [_read(Played, arrays) for _, arrays in results]
    return to_table(settle(played, present, _read(Full, results[0][1])), view, rows, info)


def _arrays(values: Any) -> Arrays:
    return {field.name: getattr(values, field.name).cpu().numpy() for field in fields(values)}


def _read(kind: Callable[..., Any], arrays: Arrays) -> Any:
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    return kind(**{name: torch.from_numpy(arrays[name].copy()) for name in names})


def _state(model: Any) -> Arrays:
    return {name: tensor.cpu().numpy() for name, tensor in model.state_dict().items()}
