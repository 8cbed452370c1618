"""Plots of a study: what arms gain, what they cost, and how modalities fare in them over the epochs.

Every arm has one colour and marker in all plots.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import isnan
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Plot
from matplotlib.ticker import MaxNLocator

from raymm.reports.plots import COLOURS, new_figure, plain_text, style_axis
from raymm.reports.statistics import nan_mean
from raymm.study.cost_ratios import COST_NAMES, cost_ratio
from raymm.study.figures import Figure, data_of, macro_mean, values_of
from raymm.study.verdict import outcome
from raymm.tracking.metrics import phi_metric, split_metric
from raymm.tracking.of_an_epoch import phi_by_modality

if TYPE_CHECKING:
    from raymm.study.comparison import Against
    from raymm.study.results import RunRecord, StudyResults

__all__ = ["cost_plot", "differences_plot", "epochs_plot", "pareto_front"]

MARKERS = "osD^vP"
DASHES = ("-", "--", ":", "-.")
DRAWN_COSTS = ("seconds", "cpu_seconds", "encodings")
LOGARITHMIC = 4.0
"""Costs whose largest is so many times the smallest are drawn on a logarithmic axis."""
CONTROLS_PER_ROW = 2
OUTCOMES = {"better": COLOURS[2], "worse": COLOURS[5], "not shown": COLOURS[6]}


def pareto_front(costs: Sequence[float], scores: Sequence[float]) -> list[int]:
    """Places of the points that no other is as cheap and as good as, and better in one of them, cheapest first.

    Parameters
    ----------
    costs, scores
        Less, and more, is better.

    Examples
    --------
    >>> pareto_front([1.0, 2.0, 3.0, 3.0], [0.7, 0.9, 0.8, 0.95])
    [0, 1, 3]
    """
    places = sorted(range(len(costs)), key=lambda place: (costs[place], scores[place]))
    return [
        one
        for one in places
        if not any(
            costs[other] <= costs[one]
            and scores[other] >= scores[one]
            and (costs[other], scores[other]) != (costs[one], scores[one])
            for other in places
        )
    ]


def cost_plot(results: StudyResults, figure: Figure, arms: Sequence[str]) -> Plot | None:
    """The macro mean on test against costs relative to the reference; None where no arm has both.

    Arms on the Pareto front are filled and joined by a line.
    """
    values, data = values_of(results.runs, figure), data_of(results)
    scores = {arm: macro_mean(values, arm, data) for arm in arms}
    points = {
        cost: {
            arm: (ratio, scores[arm])
            for arm, ratio in _ratios(results, arms, cost).items()
            if scores[arm] == scores[arm]
        }
        for cost in DRAWN_COSTS
    }
    points = {cost: found for cost, found in points.items() if found}
    if not points:
        return None
    shown = [arm for arm in arms if any(arm in found for found in points.values())]
    plot = new_figure(3.5 * len(points) + 2.4, max(3.6, 0.21 * len(shown) + 1.0))
    axes = plot.subplots(1, len(points), sharey=True, squeeze=False)[0]
    for axis, (cost, found) in zip(axes, points.items(), strict=True):
        _cost_panel(axis, found, arms, figure)
        axis.set_xlabel(f"{COST_NAMES[cost]}, of {plain_text(results.reference)}")
    axes[0].set_ylabel(f"test {figure.name}{' (%)' if figure.share else ''}")
    _legend(plot, shown, arms, marked=True)
    return plot


def differences_plot(tables: Sequence[Against], arms: Sequence[str]) -> Plot:
    """Every arm less each control, with the 95 % interval over pairs, coloured by what is shown."""
    columns = min(CONTROLS_PER_ROW, len(tables))
    rows = -(-len(tables) // columns)
    shown = [arm for arm in arms if any(arm == each.first for table in tables for each in table.comparisons)]
    plot = new_figure(4.2 * columns + 1.4, rows * (0.24 * len(shown) + 1.2))
    axes = plot.subplots(rows, columns, sharey=True, squeeze=False).ravel()
    for axis, table in zip(axes, tables, strict=False):
        _differences_panel(axis, table, shown)
    for axis in axes[len(tables) :]:
        axis.set_axis_off()
    axes[0].set_yticks(range(len(shown)), [plain_text(arm) for arm in reversed(shown)])
    axes[0].set_ylim(-0.6, len(shown) - 0.4)
    for name, colour in OUTCOMES.items():
        axes[0].plot([], [], "o", color=colour, label=name)
    plot.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3, frameon=False, fontsize=8)
    return plot


def epochs_plot(runs: Sequence[RunRecord], arms: Sequence[str]) -> Plot | None:
    """Mean phi, and accuracy alone, of each modality on validation over the epochs, a line an arm (mean over seeds).

    Accuracy is left out where no run has it, as in a regression.

    Parameters
    ----------
    runs
        Of one data set.

    Returns
    -------
    None where the runs have no contributions in their histories.
    """
    modalities = list(dict.fromkeys(name for run in runs for entry in run.history for name in _phi(entry)))
    shown = [arm for arm in arms if any(run.arm == arm and run.history for run in runs)]
    if not modalities or not shown:
        return None
    alone = {name: split_metric("val", "accuracy", name) for name in modalities}
    recorded = {metric for run in runs for entry in run.history for metric in entry["metrics"]}
    columns = 1 if recorded.isdisjoint(alone.values()) else 2
    plot = new_figure(5.5 * columns, max(2.1 * len(modalities) + 0.6, 0.21 * len(shown) + 1.0))
    axes = plot.subplots(len(modalities), columns, sharex=True, sharey="col", squeeze=False)
    for row, name in zip(axes, modalities, strict=True):
        _lines(row[0], runs, shown, arms, phi_metric("val", name))
        row[0].set_ylabel(f"phi {name}")
        if columns == 2:
            _lines(row[1], runs, shown, arms, alone[name], scale=100.0)
            row[1].set_ylabel(f"{name} alone (%)")
    for axis in axes[-1]:
        axis.set_xlabel("epoch")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    _legend(plot, shown, arms, marked=False)
    return plot


def _ratios(results: StudyResults, arms: Sequence[str], cost: str) -> dict[str, float]:
    ratios = {arm: cost_ratio(results.runs, arm, results.reference, cost) for arm in arms}
    return {arm: ratio for arm, ratio in ratios.items() if not isnan(ratio)}


def _cost_panel(axis: Axes, found: Mapping[str, tuple[float, float]], arms: Sequence[str], figure: Figure) -> None:
    names, scale = list(found), 100.0 if figure.share else 1.0
    costs, scores = ([found[name][side] for name in names] for side in (0, 1))
    front = pareto_front(costs, scores if figure.higher else [-score for score in scores])
    axis.plot([costs[p] for p in front], [scale * scores[p] for p in front], color="#888888", linewidth=1, zorder=1)
    for place, name in enumerate(names):
        colour, marker = _look(arms.index(name))
        face = colour if place in front else "white"
        axis.plot(
            costs[place], scale * scores[place], marker, color=colour, markerfacecolor=face, markersize=7, zorder=2
        )
    if max(costs) / min(costs) >= LOGARITHMIC:
        axis.set_xscale("log")
    axis.margins(0.08)
    style_axis(axis)


def _differences_panel(axis: Axes, table: Against, shown: Sequence[str]) -> None:
    scale = 100.0 if table.figure.share else 1.0
    for each in table.comparisons:
        height, interval = len(shown) - 1 - shown.index(each.first), each.over_pairs
        margin = 0.0 if isnan(interval.margin) or each.seeds < 2 else scale * interval.margin
        axis.errorbar(
            scale * interval.mean,
            height,
            xerr=margin,
            fmt="o",
            capsize=3,
            markersize=5,
            color=OUTCOMES[outcome(each)],
        )
    axis.axvline(0.0, color="black", linewidth=1, linestyle="--")
    points = " (points)" if table.figure.share else ""
    axis.set_xlabel(f"{table.figure.name} less that of {plain_text(table.second)}{points}")
    style_axis(axis, grid="x")


def _lines(
    axis: Axes, runs: Sequence[RunRecord], shown: Sequence[str], arms: Sequence[str], key: str, scale: float = 1.0
) -> None:
    for arm in shown:
        by_epoch: dict[int, list[float]] = {}
        for entry in (entry for run in runs if run.arm == arm for entry in run.history):
            by_epoch.setdefault(int(entry["epoch"]) + 1, []).append(entry["metrics"].get(key, np.nan))
        epochs = sorted(by_epoch)
        place = arms.index(arm)
        axis.plot(
            epochs,
            [scale * nan_mean(by_epoch[epoch]) for epoch in epochs],
            _dashes(place),
            color=_look(place)[0],
            linewidth=1.3,
            marker="." if len(epochs) == 1 else None,
        )
    style_axis(axis)


def _legend(plot: Plot, shown: Sequence[str], arms: Sequence[str], *, marked: bool) -> None:
    """Beside the panels, in the order of the arms."""
    axis: Callable[..., object] = plot.axes[0].plot
    for arm in shown:
        place = arms.index(arm)
        colour, marker = _look(place)
        axis([], [], marker if marked else _dashes(place), color=colour, label=plain_text(arm))
    plot.legend(*plot.axes[0].get_legend_handles_labels(), loc="outside right upper", frameon=False, fontsize=8)


def _look(place: int) -> tuple[str, str]:
    """Colour and marker of an arm."""
    return COLOURS[place % len(COLOURS)], MARKERS[place // len(COLOURS) % len(MARKERS)]


def _dashes(place: int) -> str:
    return DASHES[place // len(COLOURS) % len(DASHES)]


def _phi(entry: Mapping[str, Mapping[str, float]]) -> list[str]:
    return list(phi_by_modality(entry["metrics"], "val"))
