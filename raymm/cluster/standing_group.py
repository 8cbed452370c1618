"""A worker group of Ray Train that trains one run after the other, so that a run costs the start of no group.

An actor keeps the group: it hands out runs, and the workers, who all ask for the next one, train it together. What
a lost group trained goes on with another, from the newest committed epoch.
"""

from __future__ import annotations

import logging
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
from raymm.cluster.worker_group import GroupLostError, run_worker_group
from raymm.errors import ClusterError, last_line
from raymm.storage import layout
from raymm.training.whole_runs import train_folder

if TYPE_CHECKING:
    from raymm.config.cluster import ClusterConfig
    from raymm.training.run import Run

__all__ = ["Desk", "StandingGroup", "start_group_trainer"]

log = logging.getLogger(__name__)

END_SECONDS = 30.0
"""Longest wait for the workers of a group to end by themselves."""


@dataclass(frozen=True)
class Order:
    """A run to train: its number, counted from 1, its folder, and the epochs after which to leave off."""

    number: int
    path: str
    until: int | None


class Desk:
    """Where the keeper of a group leaves a run, and its workers, in other threads, wait for it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._order: Order | None = None
        self._outcomes: dict[int, dict[str, str]] = {}
        self._closed = False

    def give(self, path: str, until: int | None) -> int:
        """Leave a run, and return its number."""
        with self._changed:
            number = self._order.number + 1 if self._order else 1
            self._order = Order(number, path, until)
            self._changed.notify_all()
        return number

    def next(self, after: int) -> Order | None:
        """Wait for a run whose number is above `after` and that is not done; None where there will be none."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or self._waits(after))
            return None if self._closed else self._order

    def _waits(self, after: int) -> bool:
        return self._order is not None and after < self._order.number and self._order.number not in self._outcomes

    def done(self, number: int, outcome: dict[str, str]) -> None:
        """Say how a run ended: nothing, or an error as a value."""
        with self._changed:
            self._outcomes[number] = outcome
            self._changed.notify_all()

    def outcome(self, number: int, lost: Callable[[], bool]) -> dict[str, str] | None:
        """Wait until a run is done; None where its group is lost before."""
        with self._changed:
            while number not in self._outcomes and not lost():
                self._changed.wait(0.1)
            return self._outcomes.get(number)

    def close(self) -> None:
        """Let all who wait go."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


class StandingGroup:
    """A group that starts with its first run, and again where it was lost or another size is asked for.

    Parameters
    ----------
    me
        The actor in which this object lives, which the workers ask for runs (`GroupTrainer.next`).
    """

    def __init__(self, me: Any) -> None:
        self._me = me
        self.desk = Desk()
        self._thread: threading.Thread | None = None
        self._size: tuple[int, float, float] | None = None
        self._error: Exception | None = None

    def train(self, run: Run, until: int | None) -> None:
        """Train a run; raises as `raymm.cluster.train.train_together`."""
        cluster = run.config.cluster
        self._fit(cluster)
        with reporting([run], lambda _: None):
            for left in range(cluster.max_failures, -1, -1):
                number = self.desk.give(str(run.path), until)
                self._start_unless_there(run)
                outcome = self.desk.outcome(number, self._is_over)
                if outcome is not None:
                    raise_error_of(outcome)
                    return
                self._raise_unless_lost(left, cluster.max_failures)

    def end(self) -> None:
        """Let the workers end, and wait for them."""
        self.desk.close()
        if self._thread is not None:
            self._thread.join(END_SECONDS)

    def _fit(self, cluster: ClusterConfig) -> None:
        """End a group of another size than that which is asked for."""
        size = (cluster.workers, cluster.cpus_per_worker, cluster.gpus_per_worker)
        if self._size not in {None, size}:
            self.end()
            self.desk, self._thread = Desk(), None
        self._size = size

    def _start_unless_there(self, run: Run) -> None:
        if self._thread is not None and not self._is_over():
            return
        self._error = None
        set_defaults(run.config.cluster)
        given = (run.config.cluster, run.path / layout.RAY, run.key[:12])
        self._thread = threading.Thread(target=self._work, args=given, name="raymm-group", daemon=True)
        self._thread.start()

    def _work(self, cluster: ClusterConfig, storage: Path, name: str) -> None:
        try:
            run_worker_group(_serve_on_rank, {"desk": self._me}, cluster, storage, name, restarts=0)
        except Exception as cause:  # noqa: BLE001  (raised where a run is waited for)
            self._error = cause

    def _is_over(self) -> bool:
        return self._thread is not None and not self._thread.is_alive()

    def _raise_unless_lost(self, left: int, restarts: int) -> None:
        error = self._error or ClusterError("the worker group ended before its run")
        if not isinstance(error, GroupLostError):
            raise error
        if not left:
            raise ClusterError(f"{error} ({restarts + 1} times; cluster.max_failures={restarts})") from error
        log.warning("%s; another group goes on from the newest committed epoch", last_line(error, "lost"))


def _serve_on_rank(settings: dict[str, Any]) -> None:
    """Train the runs of the desk on one rank, until there will be none."""
    desk, number = settings["desk"], 0
    while (order := ray.get(desk.next.remote(number))) is not None:
        number = order.number
        outcome = train_on_rank({"runs": [order.path], "until": order.until})
        if ray.train.get_context().get_world_rank() == 0:
            ray.get(desk.done.remote(number, outcome))


class GroupTrainer:
    """The actor that keeps a group; its workers wait in threads of it."""

    def __init__(self) -> None:
        tune_malloc()
        self._group = StandingGroup(ray.get_runtime_context().current_actor)

    def train(self, path: str, until: int | None) -> str:
        """Train the run of a folder; returns why it failed, or an empty text."""
        return train_folder(Path(path), until, self._group.train)

    def next(self, after: int) -> Order | None:
        """The next run; see `Desk.next`."""
        return self._group.desk.next(after)

    def done(self, number: int, outcome: dict[str, str]) -> None:
        """How a run ended."""
        self._group.desk.done(number, outcome)

    def end(self) -> None:
        """End the group."""
        self._group.end()


def start_group_trainer(cluster: ClusterConfig) -> Any:
    """A `GroupTrainer` with threads for its workers, for the run and for its end."""
    threads = cluster.workers + 2
    return ray.remote(num_cpus=0, max_concurrency=threads, scheduling_strategy="SPREAD")(GroupTrainer).remote()
