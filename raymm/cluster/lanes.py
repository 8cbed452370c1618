"""Lanes of a study that are Ray actors: each trains whole runs, one after the other, wherever Ray places it.

An actor starts once for many runs: a run costs neither a controller nor a worker group. With `cluster.workers` above
1 it is one that keeps a worker group of Ray Train for all of its runs (`raymm.cluster.standing_group`).
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ray
import torch
from ray.exceptions import RayActorError, RayError

from raymm.allocator import tune_malloc
from raymm.cluster.given_device import given_device
from raymm.cluster.resources import cluster_totals, living_nodes, runs_at_once
from raymm.counts import counted
from raymm.errors import ClusterError, last_line
from raymm.training.lane_errors import LaneClosedError, LaneLostError
from raymm.training.whole_runs import train_folder, train_here

if TYPE_CHECKING:
    from collections.abc import Callable

    from raymm.config.cluster import ClusterConfig
    from raymm.training.run import Run

__all__ = ["RayLane", "lanes_that_fit", "start_trainer"]

END_SECONDS = 60.0
"""Longest wait for an actor that is told to end."""


def lanes_that_fit(cluster: ClusterConfig) -> int:
    """Lanes that the connected cluster has room for; raises `ClusterError` where there is none for one."""
    asked = cluster if cluster.workers > 1 else cluster.model_copy(update={"actors": 0})
    fits = runs_at_once(asked, cluster_totals(), living_nodes())
    if not fits:
        raise ClusterError(
            f"no run fits on this cluster: it asks for {counted(asked.workers, 'worker')} of "
            f"{counted(asked.cpus_per_worker, 'CPU')} and "
            f"{counted(asked.gpus_per_worker, 'GPU')}, each within one node; lower what they hold, or add nodes"
        )
    return fits


class RayLane:
    """An actor that trains runs; it starts with its first run.

    Parameters
    ----------
    cluster
        What a run asks of the cluster.
    start
        Starts the actor, such as `start_trainer`.
    """

    def __init__(self, cluster: ClusterConfig, start: Callable[[ClusterConfig], Any]) -> None:
        self._cluster, self._start = cluster, start
        self._actor: Any = None
        self._busy = self._closed = False

    @property
    def started(self) -> bool:
        """Whether the actor has been started and was not lost."""
        return self._actor is not None

    def train(self, path: Path, until: int | None) -> str:
        """Train the run of a folder; see `raymm.study.lanes.Lane`."""
        if self._closed:
            raise LaneClosedError
        if self._actor is None:
            self._actor = self._start(self._cluster)
        self._busy = True
        try:
            cause: str = ray.get(self._actor.train.remote(str(path), until))
        except RayActorError as lost:
            self._actor = None
            if self._closed:
                raise LaneClosedError from lost
            raise LaneLostError(last_line(lost, "its actor died")) from lost
        finally:
            self._busy = False
        return cause

    def close(self) -> None:
        """End the actor; while it trains nothing, what it keeps ends by itself before."""
        self._closed = True
        if self._actor is None:
            return
        if not self._busy:
            with contextlib.suppress(RayError):  # it is killed all the same
                ray.get(self._actor.end.remote(), timeout=END_SECONDS)
        ray.kill(self._actor)


class Trainer:
    """The actor that trains with one worker, itself."""

    def __init__(self) -> None:
        tune_malloc()
        torch.set_num_threads(1)

    def train(self, path: str, until: int | None) -> str:
        """Train the run of a folder; returns why it failed, or an empty text."""

        def train_given(run: Run, until: int | None) -> None:
            train_here(run, until, given_device())

        return train_folder(Path(path), until, train_given)

    def end(self) -> None:
        """Do nothing: it keeps nothing."""


def start_trainer(cluster: ClusterConfig) -> Any:
    """A `Trainer` that holds what one worker is given."""
    options = {
        "num_cpus": cluster.cpus_per_worker,
        "num_gpus": cluster.gpus_per_worker,
        "scheduling_strategy": "SPREAD",
    }
    return ray.remote(**options)(Trainer).remote()
