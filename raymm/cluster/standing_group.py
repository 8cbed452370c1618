"""A worker group of Ray Train that trains one run after the other, so that a run costs the start of no group.

An actor keeps the group: it hands out runs, and the workers, who all ask for the next one, train it together. What
a lost group trained goes on with another, from the newest committed epoch.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ray
import ray.train

from raymm.allocator import tune_malloc
from raymm.cluster.connect import set_defaults
from raymm.cluster.train import raise_error_of, reporting, train_on_rank
from raymm.cluster.worker_group import GroupLostError, failed, run_worker_group, warn_of_loss
from raymm.errors import ClusterError
from raymm.storage import layout
from raymm.training.whole_runs import train_folder

if TYPE_CHECKING:
    from raymm.config.cluster import ClusterConfig
    from raymm.training.run import Run

__all__ = ["Desk", "StandingGroup", "start_group_trainer"]

END_SECONDS = 30.0
"""Longest wait for the workers of a group to end by themselves."""


@dataclass(frozen=True)
class Order:
    """A run to train: its number, counted from 1, its folder, and the epochs after which to leave off."""

    number: int
    path: str
    until: int | None


class Desk:
    """Where a `StandingGroup` leaves a run, for which the workers of its present group wait, each in a thread.

    Parameters
    ----------
    ranks
        Workers of a group: a run is done when all of them have said so, and none of them is still within it.
    """

    def __init__(self, ranks: int) -> None:
        self._ranks = ranks
        self._changed = threading.Condition()
        self._group = 0
        self._order: Order | None = None
        self._taken = self._closed = False
        self._outcomes: dict[int, dict[str, str]] = {}

    def begin(self) -> int:
        """The number of a new group; workers of the one before are sent away."""
        with self._changed:
            self._group += 1
            self._outcomes = {}
            self._changed.notify_all()
            return self._group

    def give(self, path: str, until: int | None) -> None:
        """Leave a run; one before it that was lost is given up."""
        with self._changed:
            self._order = Order(self._order.number + 1 if self._order else 1, path, until)
            self._outcomes, self._taken = {}, False
            self._changed.notify_all()

    def next(self, group: int, after: int) -> Order | None:
        """Wait for a run whose number is above `after`; None where the group has been sent away."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_over(group) or (self._order and self._order.number > after))
            if self._is_over(group):
                return None
            self._taken = True
            return self._order

    def done(self, group: int, rank: int, outcome: dict[str, str]) -> None:
        """Say how the run ended on a rank: nothing, or an error as a value."""
        with self._changed:
            if not self._is_over(group):
                self._outcomes[rank] = outcome
                self._changed.notify_all()

    def outcome(self, is_lost: Callable[[], bool]) -> dict[str, str] | None:
        """Wait until the run is done, and return what its first rank that failed said; None where it was lost."""
        with self._changed:
            while len(self._outcomes) < self._ranks and not is_lost():
                self._changed.wait(0.1)
            if len(self._outcomes) < self._ranks:
                return None
            said = [self._outcomes[rank] for rank in sorted(self._outcomes)]
            return next((outcome for outcome in said if outcome), {})

    @property
    def taken(self) -> bool:
        """Whether a worker has been handed the run."""
        return self._taken

    def close(self) -> None:
        """Send all workers away; there will be no run."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _is_over(self, group: int) -> bool:
        return self._closed or group != self._group


class StandingGroup:
    """A group that starts with its first run, and again where it was lost.

    Parameters
    ----------
    actor
        The actor in which this object lives, which the workers ask for runs (`GroupTrainer.next`).
    cluster
        What all runs ask of the cluster.
    """

    def __init__(self, actor: Any, cluster: ClusterConfig) -> None:
        self.desk = Desk(cluster.workers)
        self._actor, self._cluster = actor, cluster
        self._thread: threading.Thread | None = None
        self._error: Exception | None = None

    def train(self, run: Run, until: int | None) -> None:
        """Train a run; raises as `raymm.cluster.train.train_together`."""
        restarts = left = self._cluster.max_failures
        (run.path / layout.RAY).mkdir(exist_ok=True)  # by which pages know that it was trained on Ray
        with reporting([run], lambda _: None):
            while True:
                self.desk.give(str(run.path), until)
                starts = self._thread is None or self._is_lost()
                if starts:
                    self._start(run)
                outcome = self.desk.outcome(self._is_lost)
                if outcome is not None:
                    return raise_error_of(outcome)
                if starts or self.desk.taken:  # else the group was lost before this run
                    left -= 1
                self._raise_unless_lost(left, restarts)

    def end(self) -> None:
        """Let the workers end, and wait for them."""
        self.desk.close()
        if self._thread is not None:
            self._thread.join(END_SECONDS)

    def _start(self, run: Run) -> None:
        set_defaults(self._cluster)
        given = ({"desk": self._actor, "group": self.desk.begin()}, run.path / layout.RAY, run.key[:12])
        self._thread = threading.Thread(target=self._work, args=given, name="raymm-group", daemon=True)
        self._thread.start()

    def _work(self, settings: dict[str, Any], storage: Path, name: str) -> None:
        try:
            run_worker_group(_serve_on_rank, settings, self._cluster, storage, name, restarts=0)
        except Exception as cause:  # noqa: BLE001  (raised where a run is waited for)
            self._error = cause

    def _is_lost(self) -> bool:
        return self._thread is not None and not self._thread.is_alive()

    def _raise_unless_lost(self, left: int, restarts: int) -> None:
        error, self._error = self._error or ClusterError("the worker group ended before its run"), None
        if not isinstance(error, GroupLostError):
            raise error
        cause = error.__cause__ or error
        if left < 0:
            raise ClusterError(failed(cause, restarts)) from error
        warn_of_loss(cause, restarts - left, restarts)


def _serve_on_rank(settings: dict[str, Any]) -> None:
    """Train runs on one rank, until the group is sent away."""
    desk, group, number = settings["desk"], settings["group"], 0
    rank = ray.train.get_context().get_world_rank()
    while (order := ray.get(desk.next.remote(group, number))) is not None:
        number = order.number
        outcome = train_on_rank({"runs": [order.path], "until": order.until, "warm": True})
        ray.get(desk.done.remote(group, rank, outcome))


class GroupTrainer:
    """The actor that keeps a group. Each of the workers waits in a thread of it; two more train and end."""

    def __init__(self, cluster: ClusterConfig) -> None:
        tune_malloc()
        self._group = StandingGroup(ray.get_runtime_context().current_actor, cluster)

    def train(self, path: str, until: int | None) -> str:
        """Train the run of a folder; returns why it failed, or an empty text."""
        return train_folder(Path(path), until, self._group.train)

    def next(self, group: int, after: int) -> Order | None:
        """The next run; see `Desk.next`."""
        return self._group.desk.next(group, after)

    def done(self, group: int, rank: int, outcome: dict[str, str]) -> None:
        """How a run ended on a rank; see `Desk.done`."""
        self._group.desk.done(group, rank, outcome)

    def end(self) -> None:
        """End the group."""
        self._group.end()


def start_group_trainer(cluster: ClusterConfig) -> Any:
    """A `GroupTrainer`, which holds nothing of the cluster itself."""
    options = {"num_cpus": 0, "max_concurrency": cluster.workers + 2, "scheduling_strategy": "SPREAD"}
    return ray.remote(**options)(GroupTrainer).remote(cluster)
