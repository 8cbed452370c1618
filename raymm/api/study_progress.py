"""The progress of a study: a line a run, for a `Progress`, and with the time in STUDY/study.log."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from raymm.storage import layout
from raymm.study.jobs import job_folder
from raymm.tracking.metrics import split_metric
from raymm.training.result import finished, read_result

if TYPE_CHECKING:
    from raymm.api.progress import Progress
    from raymm.study.jobs import Job
    from raymm.study.session import StudyCallback
    from raymm.study.store import Study

__all__ = ["StudyProgress"]


@dataclass
class StudyProgress:
    """A callback that tells of the events and passes them on to another one; test figures are not shown."""

    study: Study
    to: StudyCallback
    lanes: int
    told: Progress
    _began: float = field(default_factory=time.monotonic)
    _here: int = 0
    _ended: int = 0
    _total: int = 0

    def __post_init__(self) -> None:
        """Count the runs, and those that were trained before."""
        settings = self.study.settings
        every = [(data, arm, seed) for data in settings.data for arm in settings.arms for seed in settings.seeds]
        self._total = len(every)
        self._ended = sum(finished(job_folder(self.study, *one)) for one in every)
        before = f", {self._ended} of them trained before" if self._ended else ""
        self._say(f"{self._total} runs{before}; up to {self.lanes} at once")
        for (data, arm), cause in self.study.unfit.items():
            self._say(f"{data}  {arm}  cannot be run: {cause}")

    def on_setup(self, text: str) -> None:
        """Tell of what begins."""
        self.to.on_setup(text)
        self._say(text)

    def on_run_end(self, job: Job, cause: str, seconds: float) -> None:
        """Tell of the outcome of a run."""
        self.to.on_run_end(job, cause, seconds)
        if job.kind == "run":
            self._here += 1
            self._ended += 1
        count = f"{self._ended:>3}/{self._total}" if job.kind == "run" else " " * 7
        outcome = f"failed: {cause}" if cause else f"{self._figure(job)}{seconds:.0f} s{self._left()}"
        self._say(f"{count}  {job.label}  {outcome}")

    def _figure(self, job: Job) -> str:
        if job.until is not None:
            return f"{job.until} epochs, "
        selection = job.config.training.selection
        value = read_result(job.path).metrics.get(split_metric("best", selection))
        return "" if value is None else f"{split_metric('val', selection)} {value:.4f}, "

    def _left(self) -> str:
        left = self._total - self._ended
        if not self._here or left <= 0:
            return ""
        seconds = (time.monotonic() - self._began) / self._here * left
        return f", about {seconds / 60:.0f} min left" if seconds > 60 else ""

    def _say(self, text: str) -> None:
        self.told.on_line(text)
        with (self.study.path / layout.STUDY_LOG).open("a") as file:
            file.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n")
