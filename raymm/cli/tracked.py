"""A training run with its tracker: the way that `train` and `demo` share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import torch

from raymm.mirror.runs import mirrored
from raymm.reports.diagnostics.finding import finding_lines
from raymm.reports.diagnostics.of_run import FindingLog, facts_of, findings_of
from raymm.reports.run_tracking import HistoryLog, record_result, run_info
from raymm.storage import layout
from raymm.storage.atomic import remove_unfinished
from raymm.storage.layout import lock_of_folder
from raymm.storage.lock import writing
from raymm.sweep.runs import mean_metrics
from raymm.tracking.base import ending
from raymm.tracking.metrics import ROWS, TRAIN_LOSS, split_metric
from raymm.tracking.mlflow import MlflowTracker, store_of
from raymm.tracking.of_an_epoch import phi_by_modality
from raymm.training.loop import Backends, train
from raymm.training.result import finished, read_result

if TYPE_CHECKING:
    from raymm.config.sections import Config
    from raymm.data.dataset import Dataset
    from raymm.training.loop import Report
    from raymm.training.result import Result
    from raymm.training.run import Run

__all__ = ["train_seeds_tracked", "train_tracked"]


def train_tracked(
    run: Run, dataset: Dataset, backend: str, store: Path, experiment: str, quiet: bool = False
) -> Result:
    """Train `run` to its end on a backend ("local" or "ray") and record it in MLflow.

    The run is FAILED in the store when training raises, KILLED when it is interrupted. A failure signature
    (`docs/diagnostics.md`) is logged when it first holds, and said again, if it still does, at the end.
    """
    with writing(lock_of_folder(run.path), f"the run {run.path}"):
        remove_unfinished(run.path)
        return _train_tracked(run, dataset, backend, store, experiment, quiet)


def _train_tracked(run: Run, dataset: Dataset, backend: str, store: Path, experiment: str, quiet: bool) -> Result:
    uri, artifacts = store_of(store)
    tracker = MlflowTracker(uri, run.path, artifacts)
    tracker.start(run_info(run, dataset, experiment))
    log, findings = HistoryLog(tracker), FindingLog(tracker, facts_of(run, dataset))
    with ending(tracker.finish):
        reports = _Reports(log, findings, run.config.training.epochs, quiet, run.config.training.selection)
        with mirrored(run.path, run.config.cluster.mirror, reports) as report:
            result = _train(run, dataset, backend, uri, report)
        log(result.history)
        findings(result.history)
        record_result(tracker, run, result, dataset)
    if not quiet:
        for line in finding_lines(findings_of(run, dataset, result.history)):
            click.echo(line)
    return result


def train_seeds_tracked(runs: Sequence[Run], dataset: Dataset, store: Path, experiment: str) -> list[Result]:
    """Train runs that differ in their seed with one worker group on the connected Ray, then record each in MLflow."""
    from raymm.cluster.preflight import preflight
    from raymm.cluster.train import train_together

    first = runs[0]
    if not all(finished(run.path) for run in runs):
        with ExitStack() as locks:
            for run in runs:
                locks.enter_context(writing(lock_of_folder(run.path), f"the run {run.path}"))
            preflight(first.config.cluster, first.path, store_of(store)[0], first.config.plugins)
            reports, restarts = _MeanReports(first.config), first.config.cluster.max_failures
            train_together(runs, reports, first.path / layout.RAY, restarts=restarts)
    return [train_tracked(run, dataset, "ray", store, experiment, quiet=True) for run in runs]


def _train(run: Run, dataset: Dataset, backend: str, uri: str, report: Report) -> Result:
    if finished(run.path):
        return read_result(run.path)
    if backend == "local":
        return train(run, dataset, Backends(report=report, device=_device()))
    from raymm.cluster.connect import connect
    from raymm.cluster.preflight import preflight
    from raymm.cluster.train import train_on_ray

    with connect(run.config.cluster):
        preflight(run.config.cluster, run.path, uri, run.config.plugins)
        return train_on_ray(run, report)


@dataclass
class _Reports:
    """Logs the history, and prints one plain line an epoch."""

    log: HistoryLog
    findings: FindingLog
    epochs: int
    quiet: bool
    selection: str
    shown: int = 0

    def __call__(self, history: Sequence[dict[str, Any]]) -> None:
        self.log(history)
        for entry in history[self.shown :]:
            if not self.quiet:
                click.echo(_line(entry, self.epochs, self.selection))
        self.shown = len(history)
        self.findings(history)


@dataclass
class _MeanReports:
    """Prints one line for each epoch that all of several runs have committed: means over the runs."""

    config: Config
    shown: int = 0

    def __call__(self, histories: Sequence[Sequence[dict[str, Any]]]) -> None:
        reached = min(len(history) for history in histories)
        for epoch in range(self.shown, reached):
            metrics = mean_metrics([history[epoch]["metrics"] for history in histories])
            entry = {"epoch": epoch, "metrics": metrics}
            click.echo(_line(entry, self.config.training.epochs, self.config.training.selection))
        self.shown = reached


def _line(entry: dict[str, Any], epochs: int, selection: str) -> str:
    """The accuracy, or of a task without one the metric that picks the model; one that was not finite is left out."""
    metrics = entry["metrics"]
    shown = "accuracy" if split_metric("val", "accuracy") in metrics else selection
    score = metrics.get(split_metric("val", shown), math.nan)
    phi = "  ".join(f"{name} {value:+.2f}" for name, value in phi_by_modality(metrics, "val").items())
    return (
        f"epoch {entry['epoch'] + 1:>3}/{epochs}  loss {metrics[TRAIN_LOSS]:.3f}  "
        f"val {shown} {score:.3f}  phi {phi}  rows {metrics[ROWS]:.0f}"
    )


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
