"""One command's work on a study: its data, its lanes, who is told, and what has failed so far."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from raymm.data.feature_cache import cache_features
from raymm.data.reader import BatchReader
from raymm.errors import RaymmError
from raymm.study.failures import Failure, write_failures
from raymm.study.jobs import Job, made, remove
from raymm.study.lanes import run_tasks

if TYPE_CHECKING:
    from raymm.data.dataset import Dataset
    from raymm.study.lanes import Lane, Task
    from raymm.study.store import Study
    from raymm.training.run import BranchPoint

__all__ = ["Session", "Silent", "StudyCallback"]

Start = Callable[[Job], "BranchPoint | None"]


class StudyCallback(Protocol):
    """Receives the events of a study, in the process of its driver."""

    def on_setup(self, text: str) -> None:
        """Something begins that is not the run of an arm; `text` says what."""

    def on_run_start(self, job: Job) -> None:
        """A lane begins a run, or a pilot or trial; called in a thread of the lane."""

    def on_run_end(self, job: Job, cause: str, seconds: float) -> None:
        """A run, or a pilot or trial, has ended; `cause` says why it failed, or is empty."""


class Silent:
    """A callback that tells nobody."""

    def on_setup(self, text: str) -> None:
        """Do nothing."""

    def on_run_start(self, job: Job) -> None:
        """Do nothing."""

    def on_run_end(self, job: Job, cause: str, seconds: float) -> None:
        """Do nothing."""


@dataclass
class Session:
    """A study, and what works on it.

    Attributes
    ----------
    datasets
        Its data sets by name.
    lanes
        Where runs are trained.
    failures
        What has failed in this session, or cannot be run at all.
    """

    study: Study
    datasets: Mapping[str, Dataset]
    lanes: Sequence[Lane]
    callback: StudyCallback
    failures: list[Failure] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Count what no data set allows as failed."""
        for (data, arm), cause in self.study.unfit.items():
            self.fail(data, arm, None, cause)

    def fail(self, data: str, arm: str, seed: int | None, cause: str, kind: str = "run") -> None:
        """Note a `Failure`; it is written down at once, for whoever reads the folder."""
        failure = Failure(data, arm, seed, cause, kind)
        if failure not in self.failures:
            self.failures.append(failure)
            write_failures(self.study, self.failures)

    def forgive(self, pilots: Collection[tuple[str, str]]) -> None:
        """Take back that pilots failed which finished another time."""
        self.failures = [one for one in self.failures if one.kind != "pilot" or (one.data, one.arm) not in pilots]
        write_failures(self.study, self.failures)

    def removed(self, job: Job) -> bool:
        """Remove what was trained of a run; where it cannot be, the run is noted as failed."""
        try:
            remove(job)
        except (RaymmError, OSError) as cause:
            self._end(job, " ".join(str(cause).split()), 0.0)
            return False
        return True

    def cache_features(self, jobs: Iterable[Job]) -> None:
        """Compute what several runs read, once for all of them."""
        readers = {
            (job.data, job.seed, job.config.view.model_dump_json()): BatchReader(
                self.datasets[job.data], job.config.view, job.seed
            )
            for job in jobs
        }
        for reader in readers.values():
            cache_features(reader, self.callback.on_setup)

    def train(self, jobs: Sequence[Job], start: Start = lambda _: None) -> None:
        """Train the runs that are not done and have not failed yet; those that fail are noted, and the others go on.

        Parameters
        ----------
        start
            Where a new run begins, see `raymm.training.run.BranchPoint`.
        """
        tasks: dict[Task, Job] = {}
        for job in jobs:
            if not job.done and not self._failed(job):
                try:
                    tasks[made(job, self.datasets[job.data], start(job))] = job
                except RaymmError as cause:
                    self._end(job, " ".join(str(cause).split()), 0.0)
        begin = self.callback.on_run_start
        for ended in run_tasks(self.lanes, list(tasks), self.callback.on_setup, lambda task: begin(tasks[task])):
            self._end(tasks[ended.task], ended.cause, ended.seconds)

    def _failed(self, job: Job) -> bool:
        return job.kind == "run" and any(failure.is_of(job.data, job.arm, job.seed) for failure in self.failures)

    def _end(self, job: Job, cause: str, seconds: float) -> None:
        if cause and job.kind != "warm-up":  # of which each run trains its own, and fails by itself
            self.fail(job.data, job.arm, job.seed, cause, job.kind)
        self.callback.on_run_end(job, cause, seconds)
