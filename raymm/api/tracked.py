"""A training run with its tracker, or several runs that differ in their seed."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from raymm.api.progress import Epoch, Progress
from raymm.mirror.runs import mirrored
from raymm.reports.diagnostics.of_run import FindingLog, facts_of
from raymm.reports.run_tracking import HistoryLog, record_result, run_info
from raymm.storage import layout
from raymm.storage.atomic import remove_unfinished
from raymm.storage.layout import lock_of_folder
from raymm.storage.lock import writing
from raymm.sweep.runs import mean_metrics
from raymm.tracking.base import ending
from raymm.training.loop import Backends, train
from raymm.training.result import finished, read_result
from raymm.training.whole_runs import any_device

if TYPE_CHECKING:
    from raymm.api.stores import Store
    from raymm.data.dataset import Dataset
    from raymm.training.loop import Report
    from raymm.training.result import Result
    from raymm.training.run import Run

__all__ = ["train_seeds_tracked", "train_tracked"]


def train_tracked(
    run: Run, dataset: Dataset, backend: str, store: Store, experiment: str, progress: Progress
) -> Result:
    """Train `run` to its end on a backend ("local" or "ray") and record it.

    The run is FAILED in the store when training raises, KILLED when it is interrupted. A failure signature
    (`docs/diagnostics.md`) is logged when it first holds.
    """
    with writing(lock_of_folder(run.path), f"the run {run.path}"):
        remove_unfinished(run.path)
        return _train_tracked(run, dataset, backend, store, experiment, progress)


def _train_tracked(
    run: Run, dataset: Dataset, backend: str, store: Store, experiment: str, progress: Progress
) -> Result:
    tracker = store.tracker(run.path)
    tracker.start(run_info(run, dataset, experiment))
    log, findings = HistoryLog(tracker), FindingLog(tracker, facts_of(run, dataset))
    with ending(tracker.finish):
        with mirrored(run.path, run.config.cluster.mirror, _Reports(run, log, findings, progress)) as report:
            result = _train(run, dataset, backend, store.uri, report)
        log(result.history)
        findings(result.history)
        record_result(tracker, run, result, dataset)
    return result


def train_seeds_tracked(
    runs: Sequence[Run], dataset: Dataset, store: Store, experiment: str, progress: Progress
) -> list[Result]:
    """Train runs that differ in their seed with one worker group on the connected Ray, then record each.

    An epoch is told once all runs have committed it, with means over the runs.
    """
    from raymm.cluster.preflight import preflight
    from raymm.cluster.train import train_together

    first = runs[0]
    if not all(finished(run.path) for run in runs):
        with ExitStack() as locks:
            for run in runs:
                locks.enter_context(writing(lock_of_folder(run.path), f"the run {run.path}"))
            preflight(first.config.cluster, first.path, store.uri, first.config.plugins)
            reports, restarts = _MeanReports(first, progress), first.config.cluster.max_failures
            train_together(runs, reports, first.path / layout.RAY, restarts=restarts)
    return [train_tracked(run, dataset, "ray", store, experiment, Progress()) for run in runs]


def _train(run: Run, dataset: Dataset, backend: str, uri: str | None, report: Report) -> Result:
    if finished(run.path):
        return read_result(run.path)
    if backend == "local":
        return train(run, dataset, Backends(report=report, device=any_device()))
    from raymm.cluster.connect import connect
    from raymm.cluster.preflight import preflight
    from raymm.cluster.train import train_on_ray

    with connect(run.config.cluster):
        preflight(run.config.cluster, run.path, uri, run.config.plugins)
        return train_on_ray(run, report)


@dataclass
class _Reports:
    """Logs the history, and tells of each epoch once."""

    run: Run
    log: HistoryLog
    findings: FindingLog
    progress: Progress
    shown: int = 0

    def __call__(self, history: Sequence[dict[str, Any]]) -> None:
        self.log(history)
        for entry in history[self.shown :]:
            self.progress.on_epoch(_epoch(self.run, entry["epoch"], entry["metrics"]))
        self.shown = len(history)
        self.findings(history)


@dataclass
class _MeanReports:
    """Tells of each epoch that all of several runs have committed: means over the runs."""

    first: Run
    progress: Progress
    shown: int = 0

    def __call__(self, histories: Sequence[Sequence[dict[str, Any]]]) -> None:
        reached = min(len(history) for history in histories)
        for epoch in range(self.shown, reached):
            metrics = mean_metrics([history[epoch]["metrics"] for history in histories])
            self.progress.on_epoch(_epoch(self.first, epoch, metrics))
        self.shown = reached


def _epoch(run: Run, epoch: int, metrics: dict[str, float]) -> Epoch:
    return Epoch(run.name, epoch + 1, run.config.training.epochs, metrics, run.config.training.selection)
