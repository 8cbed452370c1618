"""A training run with its tracker: the way that `train` and `demo` share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
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
from raymm.tracking.base import ending
from raymm.tracking.metrics import ROWS, TRAIN_LOSS, phi_by_modality, split_metric
from raymm.tracking.mlflow import MlflowTracker, store_of
from raymm.training.loop import Backends, train
from raymm.training.result import finished, read_result

if TYPE_CHECKING:
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
    """Train runs that differ in their seed with one worker group on Ray, and record each in MLflow as it is done."""
    from raymm.cluster.train import train_together

    uri, artifacts = store_of(store)
    with ExitStack() as stack:
        for run in runs:
            stack.enter_context(writing(lock_of_folder(run.path), f"the run {run.path}"))
        if not all(finished(run.path) for run in runs):
            report = partial(_echo_slowest, epochs=runs[0].config.training.epochs, shown=[0])
            train_together(runs, report, runs[0].path / layout.RAY, restarts=runs[0].config.cluster.max_failures)
        results = [read_result(run.path) for run in runs]
        for run, result in zip(runs, results, strict=True):
            tracker = MlflowTracker(uri, run.path, artifacts)
            tracker.start(run_info(run, dataset, experiment))
            with ending(tracker.finish):
                HistoryLog(tracker)(result.history)
                record_result(tracker, run, result, dataset)
    return results


def _echo_slowest(histories: Sequence[Sequence[dict[str, Any]]], epochs: int, shown: list[int]) -> None:
    """A line for each epoch that all runs have committed: means over the runs."""
    for epoch in range(shown[0], min(map(len, histories))):
        entries = [history[epoch]["metrics"] for history in histories]
        common = set.intersection(*map(set, entries))
        means = {
            name: sum(metrics[name] for metrics in entries) / len(entries) for name in entries[0] if name in common
        }
        click.echo(_line({"epoch": epoch, "metrics": means}, epochs, "accuracy"))
        shown[0] = epoch + 1


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
