"""Plots of a sweep: the score against each setting, and the comparison of groups."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from raymm.reports.means import exact_mean
from raymm.reports.plots import COLOURS, new_figure, panels, style_axis
from raymm.sweep.labels import brief, short_names, varied

if TYPE_CHECKING:
    from raymm.sweep.effects import Effect
    from raymm.sweep.rows import TrialRow

__all__ = ["families_plot", "score_by_parameter"]

BLUE = COLOURS[0]
FEW = 5
"""As few different numbers as this are drawn like words, at even distances."""
LOGARITHMIC = 10.0
"""Positive numbers whose largest is this many times the smallest are drawn on a logarithmic axis."""


def score_by_parameter(rows: Sequence[TrialRow], metric: str) -> Figure:
    """The score of each trial against each setting: mean, lowest and highest over the seeds."""
    names = short_names(varied(rows))
    figure, axes = panels(len(names), metric, width=3.0, margin=0.4)
    for axis, (key, name) in zip(axes, names.items(), strict=True):
        _panel(axis, rows, key)
        axis.set_xlabel(name)
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
        xerr=[effect.margin or 0.0 for effect in shown],
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


def _panel(axis: Axes, rows: Sequence[TrialRow], key: str) -> None:
    numbers = _numbers(rows, key)
    if numbers:
        shown = {row.number: number for row, number in zip(rows, numbers, strict=True) if number is not None}
        if 0 < min(shown.values()) <= max(shown.values()) / LOGARITHMIC:
            axis.set_xscale("log")
    else:
        labels = _labels(rows, key)
        axis.set_xticks(range(len(labels)), labels)
        axis.set_xlim(-0.5, len(labels) - 0.5)
        if max(map(len, labels)) * len(labels) > 28:
            axis.set_xticks(range(len(labels)), labels, rotation=40, ha="right", rotation_mode="anchor")
        # points of equal settings lie a little apart
        shown = {row.number: labels.index(_label(row, key)) + 0.2 * (row.number * 0.618 % 1 - 0.5) for row in rows}
    for row in rows:
        if row.number in shown:
            _point(axis, shown[row.number], row)
    style_axis(axis)


def _point(axis: Axes, x: float, row: TrialRow) -> None:
    """Mean, lowest and highest score of a trial."""
    axis.plot([x, x], [min(row.scores), max(row.scores)], color=BLUE, linewidth=0.8, alpha=0.5)
    style = "full" if row.status == "finished" else "none"
    axis.plot(x, exact_mean(row.scores), "o", color=BLUE, markersize=4.5, alpha=0.8, fillstyle=style)


def _numbers(rows: Sequence[TrialRow], key: str) -> list[float | None]:
    """The number of each trial, None where it has or reads none; empty where they are few, or some are words."""
    values = [row.params.get(key) for row in rows]
    numbers = [value if isinstance(value, int | float) and not isinstance(value, bool) else None for value in values]
    many = len(set(numbers) - {None}) > FEW
    return numbers if many and numbers.count(None) == values.count(None) else []


def _labels(rows: Sequence[TrialRow], key: str) -> list[str]:
    """Numbers by size, then words and lists by the alphabet, then "none", then "not read"."""
    values = [row.params[key] for row in rows if row.params.get(key) is not None]
    numbers = sorted({value for value in values if isinstance(value, int | float)})
    words = sorted({brief(value) for value in values if isinstance(value, str | list)})
    present = {_label(row, key) for row in rows}
    labels = [*map(brief, numbers), *words, *(label for label in ("none", "not read") if label in present)]
    return list(dict.fromkeys(labels))


def _label(row: TrialRow, key: str) -> str:
    return brief(row.params[key]) if key in row.params else "not read"
