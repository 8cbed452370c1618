"""Plots of contributions and of learning, with matplotlib's object interface (no global state).

Every modality has one colour in all plots (Okabe and Ito's palette, which colour-blind readers can tell apart).
"""

from collections.abc import Mapping, Sequence
from io import BytesIO
from itertools import combinations
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from raymm.reports.some_classes import furthest_apart, some_classes
from raymm.reports.statistics import without_nan
from raymm.reports.tables import number_text
from raymm.storage.atomic import atomic_path
from raymm.tracking.metrics import ROWS, TRAIN_LOSS, split_metric
from raymm.tracking.units import unit_among

__all__ = [
    "COLOURS",
    "GRID",
    "MOST_CLASSES",
    "confusion_matrix",
    "interaction_matrix",
    "learning_curves",
    "new_figure",
    "panels",
    "phi_distribution",
    "phi_over_epochs",
    "phi_per_class",
    "plain_text",
    "samples_per_class",
    "save",
    "save_all",
    "style_axis",
]

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#7F7F7F", "#F0E442")
STYLES = ("-", "--", ":", "-.")
"""Of lines of modalities: the next after every eight, where the colours begin again."""
GRID = "#e6e6e6"
PANELS_PER_ROW = 4
LEGEND_ROWS, LEGEND_COLUMN = 14, 1.3
"""Rows of a legend, and inches of each column after the first."""
MOST_CLASSES = 50
"""Classes up to which a confusion matrix can be read."""
FAIR_SHARE: dict[str, Any] = {"color": "black", "linewidth": 1, "linestyle": "--", "label": "fair share"}
"""The line at the fair share of the utility, which is left out where there is none."""

Array = npt.NDArray[np.float64]

USUAL, LONGEST = 12, 32
"""Characters of the name of a class beside an axis: those that need no further room, and at most."""


def phi_distribution(names: Sequence[str], phi: Array, fair_share: float | None) -> Figure:
    """How many samples have which contribution, one panel a modality; phi is [N, n], NaN where missing."""
    figure, axes = panels(len(names), "samples (%)", width=2.9, margin=0.3, sharex=True)
    edges = _edges(phi, fair_share)
    for position, (axis, name) in enumerate(zip(axes, names, strict=True)):
        column = without_nan(phi[:, position])
        axis.hist(
            column, edges.tolist(), weights=np.full(len(column), 100.0 / max(len(column), 1)), color=_colour(position)
        )
        if fair_share is not None:
            axis.axvline(fair_share, **FAIR_SHARE)
        mean = f"mean {column.mean():.2f}" if len(column) else "missing everywhere"
        axis.set(title=f"{name}: {mean}", xlabel="contribution phi")
        axis.tick_params(labelbottom=True)
        style_axis(axis)
    if fair_share is not None:
        axes[0].legend(frameon=False, fontsize=8, loc="upper left", handlelength=1.2)
    axes[0].margins(y=0.2)
    return figure


def phi_over_epochs(
    names: Sequence[str], epochs: npt.NDArray[np.int64], mean_phi: Array, fair_share: float | None
) -> Figure:
    """Mean contribution of each modality over the epochs [E], counted from 1; mean_phi is [E, n]."""
    figure = new_figure(7.2, 3.8)
    axis = figure.subplots()
    for position, name in enumerate(names):
        axis.plot(epochs, mean_phi[:, position], _style(position), color=_colour(position), marker=".", label=name)
    if fair_share is not None:
        axis.axhline(fair_share, **FAIR_SHARE)
    axis.set_ylabel("mean contribution phi (validation)")
    _epochs(axis)
    _legend(figure, axis)
    return figure


def phi_per_class(names: Sequence[str], classes: Sequence[str], mean: Array, fair_share: float | None) -> Figure:
    """Mean contribution of each modality in each class, as a table of colours with the numbers in it.

    White is the fair share; where the utility has none, it is 0 and the colours reach as far as the numbers. Of very
    many classes it shows those whose modalities are furthest apart.

    Parameters
    ----------
    mean
        Of each class and modality, [K, n]; NaN where no sample of the class has the modality.
    """
    shown = furthest_apart(mean)
    title = _of_classes(len(shown), len(classes), "those whose modalities are furthest apart")
    table, classes = mean[shown], [classes[at] for at in shown]
    figure = new_figure(1.1 * len(names) + 2.8 + _room(classes), 0.34 * len(classes) + 1.4)
    axis = figure.subplots()
    middle, least = (0.0, 1e-6) if fair_share is None else (fair_share, 0.5)
    reach = max(least, float(np.nanmax(np.abs(table - middle), initial=0.0)))
    image = axis.imshow(table, cmap="PuOr", vmin=middle - reach, vmax=middle + reach, aspect="auto")
    axis.set_title(title, fontsize=9)
    axis.set_xticks(range(len(names)), names)
    axis.set_yticks(range(len(classes)), _labels(classes))
    for row, column in np.ndindex(table.shape):
        value = float(table[row, column])
        strong = abs(value - middle) > 0.7 * reach
        _write_cell(axis, row, column, number_text(value, 2), "white" if strong else "black")
    figure.colorbar(image, ax=axis, label=f"mean phi{'' if fair_share is None else f' ({fair_share:g}: fair share)'}")
    return figure


def confusion_matrix(classes: Sequence[str], counts: npt.NDArray[np.int64]) -> Figure:
    """Samples by class (rows) and answer (columns), [K, K]; the colour is their share of the class."""
    size = 0.42 * len(classes) + _room(classes)
    figure = new_figure(size + 2.8, size + 1.4)
    axis = figure.subplots()
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    image = axis.imshow(shares, cmap="Blues", vmin=0.0, vmax=1.0)
    names = _labels(classes)
    axis.set_xticks(range(len(names)), names, rotation=90)
    axis.set_yticks(range(len(names)), names)
    axis.set(xlabel="predicted", ylabel="class")
    for row, column in np.ndindex(counts.shape):
        if counts[row, column]:
            _write_cell(
                axis, row, column, str(counts[row, column]), "white" if shares[row, column] > 0.6 else "black"
            )
    figure.colorbar(image, ax=axis, shrink=0.8, label="share of the class")
    return figure


def interaction_matrix(names: Sequence[str], strength: Array) -> Figure:
    """Mean pairwise interactions [n, n]: red for redundancy, blue for synergy; a dash where one is NaN."""
    size = 1.6 + 0.62 * len(names)
    figure = new_figure(size + 1.2, size)
    axis = figure.subplots()
    reach = max(0.05, float(np.nanmax(np.abs(strength))))
    image = axis.imshow(strength, cmap="RdBu", vmin=-reach, vmax=reach)
    for i, j in combinations(range(len(names)), 2):
        for row, column in ((i, j), (j, i)):
            dark = abs(strength[i, j]) > 0.6 * reach
            text = "-" if np.isnan(strength[i, j]) else f"{strength[i, j]:+.2f}"
            _write_cell(axis, row, column, text, "white" if dark else "black")
    places = np.arange(len(names))
    axis.set_xticks(places, names, rotation=45, ha="right")
    axis.set_yticks(places, names)
    figure.colorbar(image, ax=axis, shrink=0.8, label="redundancy  <  0  <  synergy")
    return figure


def learning_curves(
    names: Sequence[str], history: Sequence[Mapping[str, Any]], figure_of_merit: str = "loss"
) -> Figure:
    """Loss, validation accuracy (full model and each modality alone) and rows, over the epochs.

    Of a task without right answers `figure_of_merit`, a metric of the full model, takes the place of the accuracy.
    """
    figure = new_figure(12.5, 3.4)
    loss, accuracy, rows = figure.subplots(1, 3)
    _line(loss, history, TRAIN_LOSS, "training", "black", "-")
    _line(loss, history, split_metric("val", "loss"), "validation", "black", ":")
    shares = any(split_metric("val", "accuracy") in entry["metrics"] for entry in history)
    shown = "accuracy" if shares else figure_of_merit
    _line(accuracy, history, split_metric("val", shown), "all modalities", "black", "-")
    for position, name in enumerate(names):
        key, label = split_metric("val", "accuracy", name), f"{name} alone"
        _line(accuracy, history, key, label, _colour(position), _style(position))
    _line(rows, history, ROWS, "rows", "black", "-")
    recorded = {metric for entry in history for metric in entry["metrics"]}
    in_nats = shares and unit_among(split_metric("val", "loss"), recorded) == "nats"
    loss.set(ylabel="loss (nats)" if in_nats else "loss", ylim=(0, None))
    accuracy.set(ylabel=f"validation {shown}", ylim=(0, 1.02) if shares else None)
    rows.set_ylabel("rows trained in the epoch")
    rows.set_ylim(0, rows.get_ylim()[1] * 1.05)
    for axis in (loss, accuracy, rows):
        _epochs(axis)
    loss.legend(frameon=False, fontsize=8)
    _legend(figure, accuracy)
    return figure


def samples_per_class(classes: Sequence[str], counts: Mapping[str, npt.NDArray[np.int64]]) -> Figure:
    """Samples of each class, a bar a class, one part of it a split; counts are [K] by the name of the split.

    Of very many classes it shows those of fewest samples.
    """
    shown = some_classes(np.sum([*counts.values()], axis=0))
    title = _of_classes(len(shown), len(classes), "those of fewest samples")
    classes, counts = [classes[at] for at in shown], {split: of_split[shown] for split, of_split in counts.items()}
    figure = new_figure(5.0 + _room(classes), 0.28 * len(classes) + 1.2)
    axis = figure.subplots()
    places, left = np.arange(len(classes)), np.zeros(len(classes))
    for position, (split, of_split) in enumerate(counts.items()):
        axis.barh(places, of_split, left=left, color=_colour(position), label=split)
        left = left + of_split
    axis.set_yticks(places, _labels(classes))
    axis.invert_yaxis()
    axis.set_title(title, fontsize=9)
    axis.set_xlabel("samples")
    style_axis(axis, "x")
    _legend(figure, axis)
    return figure


def new_figure(width: float, height: float) -> Figure:
    """An empty figure, in inches, whose parts do not overlap."""
    figure = _Drawn(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


class _Drawn(Figure):
    """A figure that a notebook draws, also where nothing has loaded pyplot."""

    def _repr_png_(self) -> bytes:
        file = BytesIO()
        self.savefig(file, format="png", dpi=100)
        return file.getvalue()


def panels(count: int, ylabel: str, width: float, margin: float, sharex: bool = False) -> tuple[Figure, list[Axes]]:
    """A figure of panels in rows of `PANELS_PER_ROW`, with one y axis; `width` of each and `margin` in inches."""
    columns = min(count, PANELS_PER_ROW)
    rows = -(-count // columns)
    figure = new_figure(columns * width + 0.6, rows * 2.9 + margin)
    axes = figure.subplots(rows, columns, sharex=sharex, sharey=True, squeeze=False).ravel()
    for axis in axes[::columns]:
        axis.set_ylabel(ylabel)
    for axis in axes[count:]:
        axis.set_axis_off()
    return figure, list(axes[:count])


def plain_text(name: str) -> str:
    r"""A name as matplotlib draws it letter by letter: `$` begins no formula, and `_` first hides no legend.

    >>> plain_text("$5 to $9"), plain_text("_own") == "_own"
    ('\\$5 to \\$9', False)
    """
    return ("\u200b" if name.startswith("_") else "") + name.replace("$", r"\$")


def _of_classes(shown: int, classes: int, which: str) -> str:
    """A sentence where some classes are left out."""
    return "" if shown == classes else f"{shown:,} of {classes:,} classes: {which}"


def _room(names: Sequence[str]) -> float:
    """Inches that a figure needs beside names of classes beyond those of `USUAL` characters."""
    return 0.08 * max(0, *(len(name) - USUAL for name in _labels(names)), 0)


def _labels(names: Sequence[str]) -> list[str]:
    """Names of classes beside an axis, to which long ones would leave no room: these lose their middle."""
    cut = LONGEST // 2
    return [plain_text(name if len(name) <= LONGEST else f"{name[:cut]} ... {name[-cut:]}") for name in names]


def style_axis(axis: Axes, grid: Literal["x", "y"] | None = "y") -> None:
    """Leave out the frame's upper and right side, and draw the lines of a grid behind the data."""
    axis.spines[["top", "right"]].set_visible(False)
    if grid is not None:
        axis.grid(axis=grid, color=GRID)
        axis.set_axisbelow(True)


def save(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, atomically."""
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", dpi=130)


def save_all(figures: Mapping[str, Figure], folder: Path) -> list[Path]:
    """Write figures as NAME.png into a folder, atomically each; returns the files in order."""
    paths = [folder / f"{name}.png" for name in figures]
    for figure, path in zip(figures.values(), paths, strict=True):
        save(figure, path)
    return paths


def _line(axis: Axes, history: Sequence[Mapping[str, Any]], key: str, label: str, colour: str, style: str) -> None:
    epochs = [entry["epoch"] + 1 for entry in history]
    values = [entry["metrics"].get(key, np.nan) for entry in history]
    axis.plot(epochs, values, style, color=colour, label=label, marker="o", markersize=2.5)


def _write_cell(axis: Axes, row: int, column: int, text: str, colour: str) -> None:
    axis.text(float(column), float(row), text, ha="center", va="center", fontsize=8, color=colour)


def _edges(phi: Array, fair_share: float | None) -> Array:
    """Edges of bars over all contributions, 0 and the fair share; a margin on either side."""
    known = without_nan(phi)
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
    ends = (0.0, 0.0 if fair_share is None else fair_share)
    margin = 0.05 if fair_share is not None else 0.05 * (max(high, 0.0) - min(low, 0.0) or 1.0)
    return np.linspace(min(low, *ends) - margin, max(high, *ends) + margin, 25)


def _epochs(axis: Axes) -> None:
    axis.set_xlabel("epoch")
    axis.xaxis.set_major_locator(MaxNLocator(integer=True))
    style_axis(axis)


def _legend(figure: Figure, axis: Axes) -> None:
    """Beside the plot, where it covers no line; columns after the first make the figure wider."""
    columns = max(1, -(-len(axis.get_legend_handles_labels()[1]) // LEGEND_ROWS))
    axis.legend(
        frameon=False, fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5), handlelength=3, ncols=columns
    )
    figure.set_figwidth(figure.get_figwidth() + LEGEND_COLUMN * (columns - 1))


def _colour(position: int) -> str:
    return COLOURS[position % len(COLOURS)]


def _style(position: int) -> str:
    return STYLES[position // len(COLOURS) % len(STYLES)]
