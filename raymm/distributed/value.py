"""The valuation pool: Ray actors that hold the model and value the tiles they are sent.

Actors return rows and write nothing. A call carries the weights by reference and their fingerprint, so that an
actor that was restarted loads them again by itself, and a tile may safely run twice: the client keeps one
result a task. Tiles are those of the in-process path, so the same bits come out for any number of actors.
When there are fewer tiles than actors and the fusion has to be run, the coalitions of a tile are split too.
"""

import os
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import ray
import torch
from ray.exceptions import RayActorError, RayTaskError

from raymm.config import Config
from raymm.data import View, open_dataset
from raymm.errors import ClusterError, RaymmError
from raymm.model import MultimodalModel, build_model
from raymm.training.value import Rows, concatenate, play_tile, table_info, tiles, to_table
from raymm.valuation import TableInfo, ValuationTable
from raymm.valuation.samples import Played, settle

__all__ = ["ActorPool"]

IN_FLIGHT = 2
"""Tasks that wait at each actor: one runs while the next is on its way."""

RETRIES = 3

Arrays = dict[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Task:
    """Some coalitions of one tile."""

    tile: int
    rows: Rows
    codes: range


class Valuer:
    """The actor: a data set, a model, and nothing else that lasts."""

    def __init__(self, data: str, config: dict[str, Any]) -> None:
        self.config = Config.model_validate(config)
        self.dataset = open_dataset(data)
        self.view = View(self.dataset, self.config.view, self.config.training.seed)
        device = "cuda" if torch.cuda.is_available() and ray.get_gpu_ids() else "cpu"
        schema = self.dataset.schema
        self.model = build_model(schema, self.config.model, self.config.training.seed).to(device)
        self.loaded = ""

    def pid(self) -> int:
        """Process id of the actor, for whoever watches it."""
        return os.getpid()

    def play(self, weights: Arrays, version: str, rows: Rows, start: int, stop: int) -> Arrays:
        """Play coalitions `start` to `stop` of one tile with these weights."""
        if version != self.loaded:
            tensors = {name: torch.from_numpy(array.copy()) for name, array in weights.items()}
            self.model.load_state_dict(tensors)
            self.loaded = version
        played, _ = play_tile(self.model, self.view, rows, self.config, range(start, stop))
        return {name: getattr(played, name).cpu().numpy() for name in ("values", "right", "logits")}


class ActorPool:
    """A client of valuation actors; calling it is the `value` port of the training loop.

    Actors start at the first call and live until `close` or until the process that made the pool ends.

    Parameters
    ----------
    actors
        Number of actors; default: `config.cluster.actors` of the call.
    """

    def __init__(self, actors: int | None = None) -> None:
        self._count = actors
        self._actors: list[Any] = []

    def __call__(
        self, model: MultimodalModel, view: View, rows: Rows, config: Config, epoch: int | None = None
    ) -> ValuationTable:
        """The valuation table of `rows`, in order.

        Raises
        ------
        ClusterError
            When an actor died more often than it may be started again.
        RaymmError
            What the valuation itself raised, unchanged.
        """
        self._start(view, config)
        info = table_info(model, config, epoch)
        parts = tiles(rows, config.valuation.batch_size)
        weights = ray.put({name: tensor.cpu().numpy() for name, tensor in model.state_dict().items()})
        ranges = _ranges(len(model.names), 1 if model.additive else max(1, len(self._actors) // len(parts)))
        tasks = [Task(tile, part, codes) for tile, part in enumerate(parts) for codes in ranges]
        done = self._run(tasks, weights, info.fingerprint)
        return concatenate(
            [
                _table([done[tile, codes.start] for codes in ranges], view, part, info)
                for tile, part in enumerate(parts)
            ]
        )

    def close(self) -> None:
        """End the actors."""
        for actor in self._actors:
            ray.kill(actor)
        self._actors = []

    def _start(self, view: View, config: Config) -> None:
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
        settings = config.model_dump(mode="json")
        count = self._count or cluster.actors
        self._actors = [remote.remote(str(view.dataset.path), settings) for _ in range(count)]

    def _run(self, tasks: list[Task], weights: Any, version: str) -> dict[tuple[int, int], Arrays]:
        """Results by (tile, first coalition), with a bounded number of tasks in flight."""
        waiting = iter(tasks)
        flying: dict[Any, tuple[Task, Any]] = {}
        done: dict[tuple[int, int], Arrays] = {}

        def send(actor: Any) -> None:
            task = next(waiting, None)
            if task is not None:
                reference = actor.play.remote(weights, version, task.rows, task.codes.start, task.codes.stop)
                flying[reference] = (task, actor)

        for actor in self._actors * IN_FLIGHT:
            send(actor)
        while flying:
            ready, _ = ray.wait(list(flying), num_returns=1)
            task, actor = flying.pop(ready[0])
            done[task.tile, task.codes.start] = _result(ready[0])
            send(actor)
        return done


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


def _ranges(n: int, splits: int) -> list[range]:
    """All coalitions of n players in consecutive parts."""
    bounds = np.linspace(0, 2**n, min(splits, 2**n) + 1).astype(int).tolist()
    return [range(start, stop) for start, stop in pairwise(bounds)]


def _table(results: list[Arrays], view: View, rows: Rows, info: TableInfo) -> ValuationTable:
    """The table of one tile from the results of its parts."""
    played = [
        Played(**{name: torch.from_numpy(array.copy()) for name, array in result.items()}) for result in results
    ]
    labels = torch.from_numpy(view.dataset.label[rows])
    present = torch.from_numpy(view.dataset.present[rows])
    return to_table(settle(played, labels, present), view, rows, info)
