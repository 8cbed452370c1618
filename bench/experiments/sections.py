"""Sections that the pages of studies have in common: scores, verdicts, contributions, costs and raw figures."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.experiments.page import Page
from bench.experiments.studies import runs_of
from raymm.reports.plots import COLOURS, new_figure, style_axis
from raymm.study.figures import arms_of, data_of, figures_of
from raymm.study.raw import runs_csv
from raymm.study.report import verdict_lines
from raymm.study.results import RunRecord, StudyResults
from raymm.study.tables import cost_table, score_table
from raymm.tracking.metrics import split_metric
from raymm.tracking.of_an_epoch import phi_by_modality

__all__ = ["add_costs", "add_phi", "add_runs", "add_scores", "mean_text", "phi_plot", "phi_rows"]

MARKERS = "osD^vP*X"
PER_ROW = 3


def add_scores(page: Page, results: StudyResults, of: str = "") -> None:
    """Accuracy of every arm, and the verdicts of the comparisons with the controls."""
    page.head(
        f"Accuracy on test{of}",
        "Percent, mean and standard deviation over seeds. The epoch was picked on validation, test read once a run.",
    )
    page.table(*score_table(results, figures_of(results)[0]))
    page.blocks.append("\n".join(f"- {line}" for line in [*verdict_lines(results), *results.failed]))


def add_phi(page: Page, results: StudyResults) -> None:
    """Mean contribution and accuracy alone of every modality, as a table and a plot."""
    page.head(
        "Contributions on test",
        "Mean phi (utility `count`: fair share 1), in brackets the accuracy of the modality alone in percent; means "
        "over seeds.",
    )
    arms = arms_of(results)
    page.table(["data", "modality", *arms], phi_rows(results, arms))
    page.plot("phi", phi_plot(results, arms), "mean contribution of every modality, by arm")


def phi_rows(results: StudyResults, arms: Sequence[str]) -> list[list[str]]:
    """A row for each modality of each data set."""
    rows = []
    for data in data_of(results):
        for name in _modalities(results, data):
            cells = [_phi_cell(runs_of(results, data, arm), name) for arm in arms]
            rows.append([data, name, *cells])
    return rows


def add_costs(page: Page, results: StudyResults, of: str = "") -> None:
    """Costs relative to joint training."""
    page.head(f"Costs{of}", "Training and the valuation of the training split: of joint a run, of others the ratio.")
    page.table(*cost_table(results))


def add_runs(page: Page, results: StudyResults, name: str = "runs.csv") -> None:
    """The raw figures of all runs as a file, and what they cost in all."""
    bare = replace(
        results, runs=tuple(replace(run, path=Path(run.data, run.arm, f"seed-{run.seed}")) for run in results.runs)
    )
    page.file(name, runs_csv(bare), "All metrics and costs of every run")
    page.runs += len(results.runs)
    page.seconds += sum(run.cost["cpu_seconds"] for run in results.runs)


def mean_text(values: Sequence[float], scale: float = 1.0, digits: int = 2) -> str:
    """Mean and, of several, the standard deviation.

    >>> mean_text([0.5, 0.7], 100, 1)
    '60.0 ± 14.1'
    """
    if not values:
        return "-"
    deviation = f" ± {scale * np.std(values, ddof=1):.{digits}f}" if len(values) > 1 else ""
    return f"{scale * np.mean(values):.{digits}f}{deviation}"


def phi_plot(results: StudyResults, arms: Sequence[str]) -> Figure:
    """Mean phi of every modality, a panel a data set, which has modalities of its own, and a marker an arm."""
    data = data_of(results)
    rows = -(-len(data) // PER_ROW)
    most = max(len(_modalities(results, name)) for name in data)
    figure = new_figure(3.6 * min(len(data), PER_ROW) + 1.6, rows * (0.4 * most + 1.2))
    axes = figure.subplots(rows, min(len(data), PER_ROW), squeeze=False).ravel()
    for axis, name in zip(axes, data, strict=False):
        _phi_panel(axis, results, name, arms)
    for axis in axes[len(data) :]:
        axis.set_axis_off()
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right upper", frameon=False, fontsize=8)
    return figure


def _phi_panel(axis: Axes, results: StudyResults, data: str, arms: Sequence[str]) -> None:
    modalities = _modalities(results, data)
    for place, arm in enumerate(arms):
        means = [_mean_phi(runs_of(results, data, arm), modality) for modality in modalities]
        heights = np.arange(len(modalities)) + 0.6 * (place / max(len(arms) - 1, 1) - 0.5)
        look = {"color": COLOURS[place % len(COLOURS)], "linestyle": "none", "markersize": 5}
        axis.plot(means, heights, MARKERS[place % len(MARKERS)], label=arm, **look)
    axis.axvline(1.0, color="black", linewidth=0.8, linestyle="--")
    axis.set_yticks(range(len(modalities)), modalities)
    axis.set(title=data, xlabel="mean phi, test")
    axis.invert_yaxis()
    style_axis(axis, grid="x")


def _modalities(results: StudyResults, data: str) -> list[str]:
    first = next(run for run in results.runs if run.data == data)
    return list(phi_by_modality(first.metrics, "test"))


def _mean_phi(runs: Sequence[RunRecord], modality: str) -> float:
    found = [phi_by_modality(run.metrics, "test")[modality] for run in runs]
    return float(np.mean(found)) if found else float("nan")


def _phi_cell(runs: Sequence[RunRecord], modality: str) -> str:
    if not runs:
        return "-"
    alone = np.mean([run.metrics[split_metric("test", "accuracy", modality)] for run in runs])
    return f"{_mean_phi(runs, modality):.2f} ({100 * alone:.0f})"
