"""Lanes of a study that are Ray actors: each trains whole runs, one after the other, wherever Ray places it.

An actor starts once for many runs: a run costs neither a controller nor a worker group. With `cluster.workers` above
1 a lane holds no CPU and trains each of its runs with a worker group of Ray Train.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ray
import torch
from ray.exceptions import RayActorError

from raymm.allocator import tune_malloc
from raymm.cluster.resources import cluster_totals, living_nodes, runs_at_once
from raymm.cluster.train import train_together
from raymm.counts import counted
from raymm.errors import ClusterError, last_line
from raymm.storage import layout
from raymm.training.lane_errors import LaneClosedError, LaneLostError
from raymm.training.whole_runs import any_device, train_folder, train_here

if TYPE_CHECKING:
    from raymm.config.cluster import ClusterConfig
    from raymm.training.run import Run

__all__ = ["RayLane", "lanes_that_fit"]


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
    """

    def __init__(self, cluster: ClusterConfig) -> None:
        self._cluster = cluster
        self._actor: Any = None
        self._closed = False

    @property
    def started(self) -> bool:
        """Whether the actor has been started and was not lost."""
        return self._actor is not None

    def train(self, path: Path, until: int | None) -> str:
        """Train the run of a folder; see `raymm.study.lanes.Lane`."""
        if self._closed:
            raise LaneClosedError
        if self._actor is None:
            self._actor = _start(self._cluster)
        try:
            cause: str = ray.get(self._actor.train.remote(str(path), until))
        except RayActorError as lost:
            self._actor = None
            if self._closed:
                raise LaneClosedError from lost
            raise LaneLostError(last_line(lost, "its actor died")) from lost
        return cause

    def close(self) -> None:
        """End the actor."""
        self._closed = True
        if self._actor is not None:
            ray.kill(self._actor)


class Trainer:
    """The actor."""

    def __init__(self) -> None:
        tune_malloc()
        torch.set_num_threads(1)

    def train(self, path: str, until: int | None) -> str:
        """Train the run of a folder; returns why it failed, or an empty text."""
        device = any_device() if ray.get_gpu_ids() else torch.device("cpu")
        return train_folder(Path(path), until, partial(_train, device=device))


def _train(run: Run, until: int | None, device: torch.device) -> None:
    """Train a run in this process, or with a worker group of its own."""
    cluster = run.config.cluster
    if cluster.workers == 1:
        train_here(run, until, device)
    else:
        train_together([run], lambda _: None, run.path / layout.RAY, restarts=cluster.max_failures, until=until)


def _start(cluster: ClusterConfig) -> Any:
    alone = cluster.workers == 1
    options = {
        "num_cpus": cluster.cpus_per_worker if alone else 0,
        "num_gpus": cluster.gpus_per_worker if alone else 0,
        "scheduling_strategy": "SPREAD",
    }
    return ray.remote(**options)(Trainer).remote()
