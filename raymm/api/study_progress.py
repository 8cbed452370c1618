"""The progress of a study: a line a run, for a `Progress`, and with the time in STUDY/study.log."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from raymm.api.progress import JobEvent, cut, one_line_of
from raymm.counts import counted
from raymm.storage import layout
from raymm.storage.text_log import add_lines, stamp
from raymm.study.jobs import job_folder
from raymm.tracking.epoch_text import figure_text
from raymm.tracking.metrics import split_metric
from raymm.training.result import finished, read_result

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from raymm.api.progress import Progress, Running
    from raymm.study.jobs import Job
    from raymm.study.session import StudyCallback
    from raymm.study.store import Study

__all__ = ["EVERY", "StudyProgress"]

EVERY = 60.0
"""Seconds without a line after which one says what is trained."""


@dataclass
class StudyProgress:
    """A callback that tells of the events and passes them on to another one; test figures are not shown."""

    study: Study
    to: StudyCallback
    lanes: int
    told: Progress
    _seconds: float = 0.0
    _here: int = 0
    _ended: int = 0
    _total: int = 0
    _running: dict[Path, Job] = field(default_factory=dict)
    _shown: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        """Count the runs, and those that were trained before."""
        settings = self.study.settings
        every = [(data, arm, seed) for data in settings.data for arm in settings.arms for seed in settings.seeds]
        self._total = len(every)
        self._ended = sum(finished(job_folder(self.study, *one)) for one in every)
        before = f", {self._ended} of them trained before" if self._ended else ""
        self._say(f"{counted(self._total, 'run')}{before}; up to {self.lanes} at once")
        for (data, arm), cause in self.study.unfit.items():
            self._say(f"{data}  {arm}  cannot be run: {cause}")

    def on_setup(self, text: str) -> None:
        """Tell of what begins."""
        self.to.on_setup(text)
        self._say(text)

    def on_run_start(self, job: Job) -> None:
        """Tell of a run that begins, but not in a line."""
        self.to.on_run_start(job)
        self._running[job.path] = job
        self.told.on_job(JobEvent(job.kind, _name(job), "begins"))

    def folders(self) -> dict[str, Path]:
        """The folders of what is trained at this moment, by data set, arm and seed."""
        named: dict[str, Path] = {}
        for path, job in list(self._running.items()):
            name = _name(job)
            named[f"{name} {path.name[:6]}" if name in named else name] = path  # warm-ups of other settings
        return named

    def on_running(self, running: Sequence[Running]) -> None:
        """Tell of what is trained at this moment, where nothing was said for a while."""
        if running and time.monotonic() - self._shown >= EVERY:
            self._say(one_line_of(running), quiet=self.told.live)

    def on_run_end(self, job: Job, cause: str, seconds: float) -> None:
        """Tell of the outcome of a run."""
        self.to.on_run_end(job, cause, seconds)
        self._running.pop(job.path, None)
        if job.kind == "run":
            self._ended += 1
            if not cause:
                self._here += 1
                self._seconds += seconds
        count = f"{self._ended:>3}/{self._total}" if job.kind == "run" else " " * 7
        score = self._score(job) if not cause else None
        figure = f"{counted(job.until, 'epoch')}, " if job.until is not None else ""
        if score is not None:
            figure = f"{split_metric('val', job.config.training.selection)} {figure_text(score)}, "
        left = self._left() if job.kind == "run" else ""
        outcome = f"failed: {cause}" if cause else f"{figure}{seconds:.0f} s{left}"
        self._say(f"{count}  {job.label}  {outcome}")
        state, selection = "failed" if cause else "finished", job.config.training.selection
        self.told.on_job(JobEvent(job.kind, _name(job), state, job.until, score, selection, seconds, cause))

    def _score(self, job: Job) -> float | None:
        if job.until is not None:
            return None
        return read_result(job.path).metrics.get(split_metric("best", job.config.training.selection))

    def _left(self) -> str:
        left = self._total - self._ended
        if not self._here or left <= 0:
            return ""
        seconds = self._seconds / self._here * left / min(self.lanes, left)
        return f", about {seconds / 60:.0f} min of runs left" if seconds > 60 else ""

    def _say(self, text: str, quiet: bool = False) -> None:
        """Add a line to the log, and tell of it but where that is shown already."""
        self._shown = time.monotonic()
        if not quiet:
            self.told.on_line(cut(text))
        add_lines(self.study.path / layout.STUDY_LOG, [f"{stamp()} {text}"])


def _name(job: Job) -> str:
    """What a run is called where it is one of several; also warm-ups and pilots differ by their seeds."""
    return " ".join((job.data, job.arm, *([] if job.kind == "run" else [job.kind]), f"seed {job.seed}"))
