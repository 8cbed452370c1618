"""A study in a tracking store: a run for the study and, below it, one run for each run of an arm.

The driver alone records, from the files on disk and in a thread of its own, while runs are trained: lanes need no
tracking server and wait for none.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from raymm import __version__
from raymm.beside import beside
from raymm.counts import counted
from raymm.data.identity import short_digest
from raymm.reports.run_about import data_of, run_view
from raymm.reports.run_tracking import HistoryLog, record_findings, run_info
from raymm.storage import layout
from raymm.storage.atomic import write_bytes
from raymm.storage.layout import committed_epochs, result_folder, valuation_file
from raymm.study.failures import read_failures
from raymm.study.jobs import Job, job_folder
from raymm.tracking.base import NullTracker, RunInfo
from raymm.tracking.machine import MachineLoad
from raymm.tracking.metrics import run_count, split_metric
from raymm.tracking.of_an_epoch import from_one
from raymm.training.checkpoint import read_history
from raymm.training.result import finished, read_result
from raymm.training.run import open_run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from raymm.data.dataset import Dataset
    from raymm.reports.diagnostics.finding import Finding
    from raymm.study.store import Study
    from raymm.tracking.base import Tracker, TrackingStatus
    from raymm.training.result import Result
    from raymm.training.run import Run

__all__ = ["StudyTracker", "study_info"]

log = logging.getLogger(__name__)

REPORT_FILES = (layout.STUDY, layout.PILOTS_JSON, layout.TUNING_JSON, layout.FAILED, layout.STUDY_LOG)
"""Files of a study that its tracked run has beside the report."""

EVERY = 1.0
"""Seconds between two looks at the epochs of the runs that are trained."""

OF_AN_ARM = ("study.data", "study.arm")
"""Parameters of an arm's run that its table begins with."""


def study_info(study: Study, datasets: Mapping[str, Dataset], experiment: str) -> RunInfo:
    """The tracked run of a study."""
    settings, selection = study.settings, study.config.training.selection
    names = list(dict.fromkeys(name for dataset in datasets.values() for name in dataset.schema.names))
    data = {f"data.{name}": short_digest(about.digest or "") for name, about in settings.data.items()}
    return RunInfo(
        key=study.key,
        name=study.title,
        experiment=experiment,
        params={
            "study.arms": ", ".join(settings.arms),
            "study.seeds": ", ".join(map(str, settings.seeds)),
            "study.match": settings.match,
            "study.to": settings.to,
            "study.tune": settings.tune,
            **data,
        },
        tags={"raymm.kind": "study", "raymm.version": __version__, "raymm.run_dir": str(study.path)},
        description=_description(study),
        view=run_view(selection, names, OF_AN_ARM, accuracy=any(one.schema.task.hard for one in datasets.values())),
        data=tuple(data_of(dataset, name) for name, dataset in datasets.items()),
    )


def _description(study: Study, said: str = "") -> str:
    settings, metric = study.settings, split_metric("test", study.config.training.selection)
    arms, seeds = counted(len(settings.arms), "arm"), counted(len(settings.seeds), "seed")
    what = f"Study of {arms} on {', '.join(settings.data)}, {seeds} each."
    links = (
        f"[Compare the runs](children:{metric}); `{layout.REPORT}/{layout.PAGE}` among the artifacts says what "
        "is shown and what is not."
    )
    return "\n\n".join(filter(None, (what, links, said)))  # the links stay in sight where the rest is folded


@dataclass(frozen=True)
class _Child:
    """The record of a run that is trained: its tracker, and what sends the epochs that are new."""

    tracker: Tracker
    history: HistoryLog

    def end(self, status: TrackingStatus, how: str) -> None:
        self.tracker.log_tags({"raymm.ended": how})
        self.tracker.finish(status)


@dataclass
class StudyTracker:
    """The callback that records a study in a tracking store.

    Parameters
    ----------
    study, datasets
        The study, and its data sets by name.
    make
        `(folder) -> Tracker`, for the folder of the study or of a run.
    experiment
        Experiment of the runs.
    pages
        Records the pages of a finished run (`raymm.reports.run_pages`), seconds each; None: runs have none.
    """

    study: Study
    datasets: Mapping[str, Dataset]
    make: Callable[[Path], Tracker]
    experiment: str
    pages: Callable[..., None] | None = None
    _live: dict[Path, _Child] = field(default_factory=dict)
    _executor: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "raymm-record"))
    _following: ExitStack = field(default_factory=ExitStack)

    def begin(self) -> None:
        """Start the run of the study, and record runs that finished unrecorded; raises `TrackingError`."""
        self.parent = self.make(self.study.path)
        self.parent.start(study_info(self.study, self.datasets, self.experiment))
        settings = self.study.settings
        for data in settings.data:
            for arm in settings.arms:
                for seed in settings.seeds:
                    path = job_folder(self.study, data, arm, seed)
                    if finished(path) and not (path / layout.RECORDED).exists():
                        self._do(self._send, data, arm, path, "")
        if not isinstance(self.parent, NullTracker):
            self._following.enter_context(beside(self._follow, EVERY, "raymm-follow"))

    def on_setup(self, text: str) -> None:
        """Record nothing."""

    def on_run_start(self, job: Job) -> None:
        """Start the run of an arm, whose epochs follow while it is trained."""
        if job.kind == "run":
            self._do(self._child, job.data, job.arm, job.path)

    def on_run_end(self, job: Job, cause: str, seconds: float) -> None:
        """Record a run of an arm that has ended."""
        del seconds
        if job.kind == "run" and (job.path / layout.RUN).exists():
            self._do(self._send, job.data, job.arm, job.path, cause)

    def close(self, status: TrackingStatus, report: Sequence[Path] = (), said: str = "") -> None:
        """Record the files of the report and of the study, and its status, once all runs are recorded.

        Parameters
        ----------
        report
            Files of the report.
        said
            What is shown and what is not, as Markdown, for the description.
        """
        self._following.close()
        self._do(self._interrupt)
        self._do(self._summarise, said)
        for file in report:
            self._do(self.parent.log_artifact, file, layout.REPORT)
        for name in REPORT_FILES:
            if (self.study.path / name).exists():
                self._do(self.parent.log_artifact, self.study.path / name)
        self._do(self.parent.finish, status)
        self._executor.shutdown(wait=True)

    def _do(self, function: Callable[..., object], *arguments: object) -> Future[None]:
        """Call a function in the recording thread, in order; an exception is logged and stops nothing."""

        def logged() -> None:
            try:
                function(*arguments)
            except Exception:
                log.exception("%s: could not be recorded", self.study.path.name)

        return self._executor.submit(logged)

    def _follow(self) -> None:
        """Record the new epochs of the runs that are trained, and wait until that is done."""
        for path in list(self._live):
            self._do(self._send_epochs, path).result()

    def _child(self, data: str, arm: str, path: Path) -> _Child:
        """The record of a run that has begun."""
        if path not in self._live:
            tracker = self.make(path)
            tracker.start(self._info(data, arm, path))
            tracker.log_tags({"raymm.ended": "running"})
            self._live[path] = _Child(tracker, HistoryLog(tracker, MachineLoad()))
        return self._live[path]

    def _send_epochs(self, path: Path) -> None:
        child = self._live.get(path)
        if child is not None and max(committed_epochs(path), default=0) > child.history.sent:
            child.history(read_history(path))

    def _send(self, data: str, arm: str, path: Path, cause: str) -> None:
        """Record a run to its end: epochs, result, and files but for the model, which lies in its folder."""
        child = self._child(data, arm, path)
        if cause:
            self._send_epochs(path)
            child.end("FAILED", f"failed: {cause}"[:500])
        else:
            run, result, dataset = open_run(path), read_result(path), self.datasets[data]
            child.history(result.history)
            findings = self._send_result(child.tracker, run, result, dataset)
            if self.pages is not None:
                self.pages(child.tracker, run, result, dataset, findings)
            child.end("FINISHED", "finished")
            (path / layout.RECORDED).touch()
        del self._live[path]

    def _send_result(self, tracker: Tracker, run: Run, result: Result, dataset: Dataset) -> list[Finding]:
        folder = result_folder(run.path)
        tracker.log_summary(from_one(result.metrics))
        write_bytes(run.path / layout.CONFIG, run.config.to_yaml().encode())
        tracker.log_artifact(run.path / layout.CONFIG)
        tracker.log_artifact(folder / layout.RESULT_JSON)
        tracker.log_artifact(valuation_file(folder, "test"), "valuation")
        return record_findings(tracker, run, result, dataset)

    def _interrupt(self) -> None:
        """End the runs that are in training still, as far as they are."""
        for path, child in self._live.items():
            self._send_epochs(path)
            child.end("KILLED", "interrupted; the same command goes on with it")
        self._live.clear()

    def _summarise(self, said: str) -> None:
        settings, failures = self.study.settings, read_failures(self.study)
        runs = [(data, arm, seed) for data in settings.data for arm in settings.arms for seed in settings.seeds]
        done = sum(finished(job_folder(self.study, *run)) for run in runs)
        failed = sum(any(failure.is_of(*run) for failure in failures) for run in runs)
        counts = {"finished": done, "failed": failed, "stopped": len(runs) - done - failed}
        self.parent.log_summary({run_count(status): float(count) for status, count in counts.items()})
        if said:
            self.parent.log_description(_description(self.study, said))

    def _info(self, data: str, arm: str, path: Path) -> RunInfo:
        run = open_run(path)
        info, schema = run_info(run, self.datasets[data], self.experiment), self.datasets[data].schema
        selection = run.config.training.selection
        return replace(
            info,
            name=f"{data} {arm} seed {run.config.training.seed}",
            params={**info.params, "study.data": data, "study.arm": arm},
            tags={**info.tags, "raymm.kind": "arm", "raymm.study": self.study.title},
            description=f"Arm **{arm}** of `{self.study.title}` on `{data}`. {info.description}",
            parent_key=self.study.key,
            view=run_view(selection, schema.names, OF_AN_ARM, accuracy=schema.task.hard),
        )
