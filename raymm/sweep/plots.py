"""Plots of a sweep: all settings of every trial at once, the score against each setting, and who wins."""

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from raymm.reports.plots import COLOURS, PANELS_PER_ROW, new_figure, style_axis
from raymm.sweep.effects import Effect
from raymm.sweep.plot_scales import UNREAD, Scale, scale_of, short_names, varied
from raymm.sweep.rows import TrialRow

__all__ = ["families_plot", "parallel_coordinates", "score_by_parameter"]

BLUE = COLOURS[0]


def parallel_coordinates(rows: Sequence[TrialRow], metric: str) -> Figure:
    """One line a trial through its settings to its score; trials that were stopped are dashed, the best is thick.

    Parameters
    ----------
    rows
        Trials with a score; they must differ in some setting.
    """
    names = short_names(varied(rows))
    scores = _scores(rows)
    norm = _norm(scores)
    colours = colormaps["viridis"].reversed()
    scales = [scale_of(rows, key) for key in names]
    figure = new_figure(1.45 * len(scales) + 2.0, 4.2)
    axis = figure.subplots()
    lines = np.array([*(scale.places for scale in scales), norm(scores)]).T
    best = max((i for i in range(len(rows))), key=lambda i: (rows[i].status == "finished", scores[i]))
    for position in np.argsort(scores):
        axis.plot(
            lines[position],
            "-" if rows[position].status == "finished" else "--",
            color=colours(float(norm(scores[position]))),
            linewidth=3.0 if position == best else 1.2,
        )
    for place, scale in enumerate(scales):
        _vertical(axis, place, scale.ticks)
    ticks = [(float(norm(tick)), f"{tick:g}") for tick in MaxNLocator(4).tick_values(scores.min(), scores.max())]
    _vertical(axis, len(scales), [(height, label) for height, label in ticks if 0 <= height <= 1], side=1)
    axis.set_xticks(range(len(scales) + 1), [*names.values(), metric])
    axis.xaxis.tick_top()
    axis.tick_params(length=0)
    axis.set_yticks([])
    axis.set_xlim(-0.7, len(scales) + 0.4)
    axis.spines[:].set_visible(False)
    return figure


def score_by_parameter(rows: Sequence[TrialRow], metric: str) -> Figure:
    """The score of each trial against each setting: mean, lowest and highest over the seeds."""
    names = short_names(varied(rows))
    columns = min(len(names), PANELS_PER_ROW)
    lines = -(-len(names) // columns)
    figure = new_figure(columns * 3.0 + 0.6, lines * 2.9 + 0.4)
    axes = figure.subplots(lines, columns, sharey=True, squeeze=False).ravel()
    for axis, (key, name) in zip(axes, names.items(), strict=False):
        _panel(axis, rows, scale_of(rows, key))
        axis.set_xlabel(name)
    for axis in axes[::columns]:
        axis.set_ylabel(metric)
    for axis in axes[len(names) :]:
        axis.set_axis_off()
    if any(row.status == "stopped" for row in rows):
        axes[0].plot([], [], "o", color=BLUE, markersize=4.5, label="finished")
        axes[0].plot([], [], "o", color=BLUE, markersize=4.5, fillstyle="none", label="stopped early")
        figure.legend(
            *axes[0].get_legend_handles_labels(), loc="outside upper right", ncols=2, frameon=False, fontsize=8
        )
    return figure


def families_plot(found: Sequence[Effect], metric: str) -> Figure:
    """Each group's difference to joint training (its score where joint was not tried) with its 95 % interval."""
    compared = [effect for effect in found if effect.difference is not None]
    shown = list(reversed(compared or found))
    figure = new_figure(7.2, 0.34 * len(shown) + 1.4)
    axis = figure.subplots()
    values = [effect.score if effect.difference is None else effect.difference for effect in shown]
    axis.errorbar(
        values,
        range(len(shown)),
        xerr=[effect.half or 0.0 for effect in shown],
        fmt="o",
        color=BLUE,
        capsize=3,
        markersize=5,
    )
    if compared:
        axis.axvline(0.0, color="black", linewidth=1, linestyle="--")
    axis.set_yticks(range(len(shown)), [effect.group for effect in shown])
    axis.set_ylim(-0.6, len(shown) - 0.4)
    seeds = shown[0].seeds
    interval = f"95 % interval over {seeds} seeds" if seeds > 1 else "one seed: no interval"
    axis.set_xlabel(f"{metric}{' less that of joint' if compared else ''}  ({interval})")
    style_axis(axis, grid="x")
    return figure


def _panel(axis: Axes, rows: Sequence[TrialRow], scale: Scale) -> None:
    for row, place in zip(rows, scale.places, strict=True):
        x = place + (((row.number * 0.618) % 1 - 0.5) * 0.05 if scale.names or place < 0 else 0.0)
        axis.plot([x, x], [min(row.scores), max(row.scores)], color=BLUE, linewidth=0.8, alpha=0.5)
        style = "full" if row.status == "finished" else "none"
        axis.plot(x, np.mean(row.scores), "o", color=BLUE, markersize=4.5, alpha=0.8, fillstyle=style)
    places, labels = zip(*scale.ticks, strict=True)
    axis.set_xticks(places, labels)
    if max(map(len, labels)) * len(labels) > 28:
        axis.tick_params(axis="x", labelrotation=40)
        for label in axis.get_xticklabels():
            label.set(ha="right", rotation_mode="anchor")
    axis.set_xlim(min(*scale.places, 0.0) - 0.08, 1.08)
    style_axis(axis)


def _vertical(axis: Axes, place: int, ticks: Sequence[tuple[float, str]], side: int = -1) -> None:
    """An axis of the parallel coordinates with its labels left (-1) or right (1) of it."""
    axis.plot([place, place], [0, 1], color="black", linewidth=1)
    for height, label in ticks:
        axis.plot([place, place + 0.03 * side], [height, height], color="black", linewidth=1)
        axis.text(
            place + 0.05 * side,
            height,
            label,
            ha="right" if side < 0 else "left",
            va="center",
            fontsize=8,
            color="#6f6f6f" if height == UNREAD else "black",
            bbox={"facecolor": "white", "alpha": 0.85, "edgecolor": "none", "pad": 0.8},
        )


def _scores(rows: Sequence[TrialRow]) -> np.ndarray:
    return np.array([np.mean(row.scores) for row in rows])


def _norm(scores: np.ndarray) -> Normalize:
    low, high = float(scores.min()), float(scores.max())
    return Normalize(low, high) if high > low else Normalize(low - 0.5, high + 0.5)
