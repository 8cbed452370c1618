"""The records of a run in a tracking store: its settings, its epochs as they end, and its result with files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from raymm import __version__
from raymm.config.canonical import parameters
from raymm.counts import counted
from raymm.data.identity import short_digest
from raymm.reports import plots
from raymm.reports.class_tables import write_class_tables
from raymm.reports.diagnostics.finding import finding_tags, findings_markdown
from raymm.reports.diagnostics.of_run import findings_of
from raymm.reports.pages.groups import by_class
from raymm.reports.run_about import data_of, run_view
from raymm.storage import layout
from raymm.storage.atomic import write_bytes
from raymm.storage.directory import is_committed
from raymm.storage.layout import epoch_folder, result_folder
from raymm.storage.owner import verify_own
from raymm.tasks.final_metrics import confusion
from raymm.tracking.base import RunInfo
from raymm.tracking.metrics import phi_metric
from raymm.tracking.of_an_epoch import from_one
from raymm.valuation.table_file import read_test_table

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from raymm.data.dataset import Dataset
    from raymm.reports.diagnostics.finding import Finding
    from raymm.tracking.base import Tracker
    from raymm.training.result import Result
    from raymm.training.run import Run

__all__ = ["HistoryLog", "draw_plots", "figures_of", "record_files", "record_findings", "record_result", "run_info"]

PAGES = (
    f"Artifacts: `{layout.PAGE}` says which modality is under-used and what to try, `{layout.VALUATION_PAGE}` has "
    f"every sample, `{layout.SAMPLES}/` those with the lowest contribution."
)

LOADER = "raymm.models.serving:load"
"""Recorded models are loaded by it; when it moves, its former name goes to `raymm.tracking.mlflow.loaders`."""


@dataclass
class HistoryLog:
    """The `report` function of the training loop for a tracker: sends the epochs that are new.

    `load` says what the machine did since it was asked before; it goes with the newest epoch, once.
    """

    tracker: Tracker
    load: Callable[[], dict[str, float]] | None = None
    sent: int = 0

    def __call__(self, history: Sequence[dict[str, Any]]) -> None:
        """Log the new entries of the history, which counts epochs from 0."""
        for entry in history[self.sent :]:
            busy = self.load() if self.load is not None and entry is history[-1] else {}
            self.tracker.log_epoch(entry["epoch"] + 1, {**entry["metrics"], **busy})
        self.sent = max(self.sent, len(history))


def run_info(run: Run, dataset: Dataset, experiment: str) -> RunInfo:
    """Name, parameters (flat, defaults included), tags and description of a run."""
    config = run.config
    return RunInfo(
        key=run.key,
        name=run.name,
        experiment=experiment,
        params={**parameters(config), "data.name": run.data.name, "data.digest": short_digest(run.digest)},
        tags={
            "raymm.kind": "train",
            "raymm.version": __version__,
            "raymm.config_hash": config.fingerprint(),
            "raymm.dataset_digest": run.digest,
            "raymm.run_dir": str(run.path),
        },
        description=_description(run, dataset),
        view=run_view(config.training.selection, dataset.schema.names, accuracy=dataset.schema.task.hard),
        data=(data_of(dataset, run.data.name),),
    )


def _description(run: Run, dataset: Dataset) -> str:
    what = "classes" if dataset.schema.task.categorical else "targets"
    return (
        f"Method **{run.config.method.name}** on `{run.data.name}`: {counted(len(dataset), 'sample')}, modalities "
        f"{', '.join(dataset.schema.names)}, {len(dataset.schema.classes)} {what}."
    )


def record_result(
    tracker: Tracker, run: Run, result: Result, dataset: Dataset, *, pages: bool = True
) -> list[Finding]:
    """Record the result of a finished run: its metrics, findings and files; returns the findings.

    Parameters
    ----------
    pages
        Whether its pages follow (`raymm.reports.run_pages`), so that the description names them.
    """
    tracker.log_summary(from_one(result.metrics))
    findings = record_findings(tracker, run, result, dataset)
    said = (_description(run, dataset), PAGES if pages else "", findings_markdown(findings))
    tracker.log_description("\n\n".join(filter(None, said)))
    record_files(tracker, run, result, dataset)
    return findings


def record_findings(tracker: Tracker, run: Run, result: Result, dataset: Dataset) -> list[Finding]:
    """Record the findings of a finished run as tags `raymm.finding.NAME`, and return them."""
    findings = findings_of(run, dataset, result.history)
    tracker.log_tags(finding_tags(findings))
    return findings


def record_files(tracker: Tracker, run: Run, result: Result, dataset: Dataset) -> None:
    """Record the files of a finished run: configuration, tables, plots and the model."""
    folder = result_folder(run.path)
    write_bytes(run.path / layout.CONFIG, run.config.to_yaml().encode())
    tracker.log_artifact(run.path / layout.CONFIG)
    tracker.log_artifact(folder / layout.RESULT_JSON)
    tracker.log_artifact(layout.valuation_file(folder, "test"), "valuation")
    picked = epoch_folder(run.path, result.best_epoch + 1)
    if is_committed(picked):
        verify_own(run.path, picked)
    for table in layout.valuation_files(picked):
        tracker.log_artifact(table, "valuation")
    for table in write_class_tables(run.path, picked, folder):
        tracker.log_artifact(table, "tables")
    for plot in draw_plots(run.path, result, dataset):
        tracker.log_artifact(plot, "plots")
    tracker.log_model(folder / layout.MODEL, LOADER)


def draw_plots(run: Path, result: Result, dataset: Dataset) -> list[Path]:
    """Draw the plots of a finished run into RUN/plots and return their paths."""
    drawn = {name: draw() for name, draw in figures_of(run, result, dataset).items()}
    return plots.save_all(drawn, run / layout.PLOTS)


def figures_of(run: Path, result: Result, dataset: Dataset) -> dict[str, Callable[[], Figure]]:
    """What draws each plot of a finished run, by the plot's name."""
    table = read_test_table(run)
    names, classes, fair_share = dataset.schema.names, dataset.schema.classes, table.info.fair_share
    mean = np.array(
        [[entry["metrics"].get(phi_metric("val", name), np.nan) for name in names] for entry in result.history]
    )
    epochs = np.array([entry["epoch"] + 1 for entry in result.history])
    shown = dataset.schema.task.default_selection
    figures = {
        "phi-distribution": lambda: plots.phi_distribution(names, table.phi, fair_share),
        "phi-over-epochs": lambda: plots.phi_over_epochs(names, epochs, mean, fair_share),
        "phi-per-class": lambda: plots.phi_per_class(names, classes, by_class(table, len(classes)).mean, fair_share),
        "learning-curves": lambda: plots.learning_curves(names, result.history, shown),
    }
    if dataset.schema.task.by_argmax and len(classes) <= plots.MOST_CLASSES:
        counts = confusion(table.prediction, table.label, len(classes))
        figures["confusion"] = lambda: plots.confusion_matrix(classes, counts)
    if not dataset.schema.task.categorical:
        del figures["phi-per-class"]
    return figures
