"""Lanes: places that train whole runs one after the other, each started once for many runs.

A lane that dies is started again, and the run that it trained goes on from its newest committed epoch. Lanes are
processes of this machine (`raymm.study.local_lanes`) or Ray actors (`raymm.cluster.lanes`).
"""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from raymm.training.lane_errors import LaneLostError

__all__ = ["Ended", "Lane", "Task", "run_tasks"]


class Lane(Protocol):
    """A place that trains one run at a time."""

    @property
    def started(self) -> bool:
        """Whether its process has been started, and was not lost since."""

    def train(self, path: Path, until: int | None) -> str:
        """Train the run of a folder (see `raymm.training.whole_runs.train_folder`); returns why it failed, or "".

        The lane starts itself when it has not been started, or was lost.

        Raises
        ------
        LaneLostError
            When the process of the lane has died.
        LaneClosedError
            When the lane was closed.
        """

    def close(self) -> None:
        """End the process, whatever it does at present."""


@dataclass(frozen=True)
class Task:
    """A run to train: its folder, the epochs after which to leave off (None: none), and how often it may be lost."""

    path: Path
    until: int | None = None
    restarts: int = 3


@dataclass(frozen=True)
class Ended:
    """How a task ended: why it failed ("" when it did not), its seconds, and the lane that trained it."""

    task: Task
    cause: str
    seconds: float
    lane: int


def run_tasks(
    lanes: Sequence[Lane],
    tasks: Sequence[Task],
    say: Callable[[str], None] = lambda _: None,
    begin: Callable[[Task], None] = lambda _: None,
) -> Iterator[Ended]:
    """Train all tasks, each on the next lane that is free; yields them as they end.

    Parameters
    ----------
    say
        Told of lanes that start, and of those that were lost.
    begin
        Told of a task that a lane begins, in the thread of that lane.
    """
    waiting, ended = deque(tasks), queue.Queue[Ended | BaseException]()

    def work(number: int) -> None:
        try:
            while waiting:
                try:
                    task = waiting.popleft()
                except IndexError:  # another lane was quicker
                    return
                begin(task)
                ended.put(_train(lanes[number], number, task, say))
        except BaseException as cause:  # noqa: BLE001  (raised where the results are read)
            ended.put(cause)

    for number in range(min(len(lanes), len(tasks))):
        threading.Thread(target=work, args=(number,), name=f"raymm-lane-{number}", daemon=True).start()
    for _ in tasks:
        found = ended.get()
        if isinstance(found, BaseException):
            raise found
        yield found


def _train(lane: Lane, number: int, task: Task, say: Callable[[str], None]) -> Ended:
    began = time.monotonic()
    for left in range(task.restarts, -1, -1):
        if not lane.started:
            say(f"lane {number + 1} starts")
        try:
            cause = lane.train(task.path, task.until)
        except LaneLostError as lost:
            if left:
                say(f"lane {number + 1} was lost ({lost}); its run goes on from the last commit")
            cause = f"the process that trained it died {task.restarts + 1} times ({lost}; cluster.max_failures)"
        else:
            return Ended(task, cause, time.monotonic() - began, number)
    return Ended(task, cause, time.monotonic() - began, number)
