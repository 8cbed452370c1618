"""A study in a tracking store: a run for the study and, below it, one run for each run of an arm.

The driver alone records, from the files on disk and in a thread of its own, as runs finish: lanes need no tracking
server and wait for none.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from raymm import __version__
from raymm.data.identity import short_digest
from raymm.reports.run_about import run_view
from raymm.reports.run_tracking import HistoryLog, record_findings, run_info
from raymm.storage import layout
from raymm.storage.atomic import write_bytes
from raymm.storage.layout import result_folder, valuation_file
from raymm.study.jobs import Job, job_folder
from raymm.tracking.base import RunInfo
from raymm.tracking.metrics import split_metric
from raymm.tracking.of_an_epoch import from_one
from raymm.training.checkpoint import read_history
from raymm.training.result import finished, read_result
from raymm.training.run import open_run

if TYPE_CHECKING:
    from collections.abc import Mapping

    from raymm.data.dataset import Dataset
    from raymm.study.store import Study
    from raymm.tracking.base import Tracker, TrackingStatus

__all__ = ["StudyTracker", "study_info"]

log = logging.getLogger(__name__)

REPORT_FILES = (layout.STUDY, layout.PILOTS_JSON, layout.TUNING_JSON, layout.FAILED, layout.STUDY_LOG)
"""Files of a study that its tracked run has beside the report."""

OF_AN_ARM = ("study.data", "study.arm")
"""Parameters of an arm's run that its table begins with."""


def study_info(study: Study, datasets: Mapping[str, Dataset], experiment: str) -> RunInfo:
    """The tracked run of a study."""
    settings, selection = study.settings, study.config.training.selection
    metric = split_metric("test", selection)
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
        description=(
            f"Study of {len(settings.arms)} arms on {', '.join(settings.data)}, {len(settings.seeds)} seeds each.\n\n"
            f"[Compare the runs](children:{metric}); `{layout.REPORT}/{layout.PAGE}` among the artifacts says what "
            "is shown and what is not."
        ),
        view=run_view(selection, names, OF_AN_ARM, accuracy=any(one.schema.task.hard for one in datasets.values())),
    )


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
    """

    study: Study
    datasets: Mapping[str, Dataset]
    make: Callable[[Path], Tracker]
    experiment: str
    _executor: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "raymm-record"))

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

    def on_setup(self, text: str) -> None:
        """Record nothing."""

    def on_run_start(self, job: Job) -> None:
        """Record nothing."""

    def on_run_end(self, job: Job, cause: str, seconds: float) -> None:
        """Record a run of an arm that has ended."""
        del seconds
        if job.kind == "run" and (job.path / layout.RUN).exists():
            self._do(self._send, job.data, job.arm, job.path, cause)

    def close(self, status: TrackingStatus, report: Sequence[Path] = ()) -> None:
        """Record the files of the report and of the study, and its status, once all runs are recorded."""
        for file in report:
            self._do(self.parent.log_artifact, file, layout.REPORT)
        for name in REPORT_FILES:
            if (self.study.path / name).exists():
                self._do(self.parent.log_artifact, self.study.path / name)
        self._do(self.parent.finish, status)
        self._executor.shutdown(wait=True)

    def _do(self, function: Callable[..., object], *arguments: object) -> None:
        """Call a function in the recording thread, in order; an exception is logged and stops nothing."""

        def logged() -> None:
            try:
                function(*arguments)
            except Exception:
                log.exception("%s: could not be recorded", self.study.path.name)

        self._executor.submit(logged)

    def _send(self, data: str, arm: str, path: Path, cause: str) -> None:
        """Record a run: its epochs, its result, and its files but for the model, which lies in its folder."""
        tracker, folder = self.make(path), result_folder(path)
        tracker.start(self._info(data, arm, path))
        if cause:
            HistoryLog(tracker)(read_history(path))
            tracker.log_tags({"raymm.ended": f"failed: {cause}"[:500]})
            tracker.finish("FAILED")
            return
        result = read_result(path)
        HistoryLog(tracker)(result.history)
        tracker.log_summary(from_one(result.metrics))
        tracker.log_tags({"raymm.ended": "finished"})
        record_findings(tracker, open_run(path), result, self.datasets[data])
        write_bytes(path / layout.CONFIG, open_run(path).config.to_yaml().encode())
        tracker.log_artifact(path / layout.CONFIG)
        tracker.log_artifact(folder / layout.RESULT_JSON)
        tracker.log_artifact(valuation_file(folder, "test"), "valuation")
        tracker.finish("FINISHED")
        (path / layout.RECORDED).touch()

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
