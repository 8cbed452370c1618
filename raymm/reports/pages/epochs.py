"""A run over its epochs, counted from 1: charts of contributions and accuracies on validation, and their table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite, nan
from typing import Any

from raymm.counts import counted
from raymm.reports.pages.charts import Level, LineChart, Series, line_chart
from raymm.reports.pages.word_table import Head, WordTable
from raymm.reports.pages.words import decimal
from raymm.reports.spacing import evenly
from raymm.tracking.metrics import TRAIN_LOSS, higher_is_better, phi_metric, split_metric
from raymm.tracking.units import unit_among

__all__ = ["Course", "course_of"]

MOST_ROWS = 100


@dataclass(frozen=True)
class Course:
    """What a page shows of the epochs: charts, and their numbers in a table."""

    charts: Sequence[LineChart]
    table: WordTable


def course_of(
    history: Sequence[Mapping[str, Any]],
    names: Sequence[str],
    picked: int,
    *,
    metric: str = "accuracy",
    fair_share: float | None = None,
    acts_from: int = 0,
    error: str = "mse",
) -> Course:
    """The charts and the table of a history.

    Parameters
    ----------
    history
        An entry an epoch: `epoch`, counted from 0, and its `metrics`.
    names
        Of the modalities that the model reads.
    picked
        The epoch that was picked, counted from 1.
    metric
        By which it was picked: it is shown where there is no accuracy.
    acts_from
        Epochs before the method re-samples; 0 where it does not, or from the start.
    error
        What a regression trains, `training.loss.error`.
    """
    epochs = [entry["epoch"] + 1 for entry in history]
    levels = [Level("picked", picked, "x")]
    levels += [Level("re-sampling begins", acts_from + 1, "x")] if 0 < acts_from < len(epochs) else []
    phi = [Series(name, _values(history, phi_metric("val", name)), at) for at, name in enumerate(names)]
    fair = [] if fair_share is None else [Level("fair share", fair_share)]
    hard = any(split_metric("val", "accuracy") in entry["metrics"] for entry in history)
    shown = "accuracy" if hard else metric
    unit = _unit(split_metric("val", shown), history, error)
    scores = [Series("all together", _values(history, split_metric("val", shown)))]
    if hard:
        scores += [
            Series(f"{name} alone", _values(history, split_metric("val", "accuracy", name)), at)
            for at, name in enumerate(names)
        ]
    charts = [
        _chart("Contributions over the epochs", epochs, phi, "mean phi on validation", [*fair, *levels]),
        _chart(f"{shown.capitalize()} over the epochs", epochs, scores, f"{shown} on validation{unit}", levels, hard),
    ]
    better = "higher" if higher_is_better(split_metric("val", shown)) else "lower"
    columns = [(Head(each.name, f"{shown} on validation{unit}; {better} is better"), each) for each in scores]
    means = "mean contribution on validation, in units of the utility"
    columns += [(Head(f"phi {each.name}", means), each) for each in phi]
    of_loss = _unit(TRAIN_LOSS, history, error)
    loss = Head("training loss", f"mean loss of the rows that the epoch trained{of_loss}; lower is better")
    columns.append((loss, Series("training loss", _values(history, TRAIN_LOSS))))
    return Course([chart for chart in charts if chart], _table(epochs, columns))


def _unit(metric: str, history: Sequence[Mapping[str, Any]], error: str) -> str:
    """The unit of a metric, ", in nats"; empty of a share or a plain number."""
    unit = unit_among(metric, history[-1]["metrics"] if history else (), error)
    return "" if unit in {"", "1", "share"} else f", in {'the units of the label' if unit == 'label' else unit}"


def _values(history: Sequence[Mapping[str, Any]], metric: str) -> list[float]:
    return [float(entry["metrics"].get(metric, nan)) for entry in history]


def _chart(
    title: str,
    epochs: Sequence[int],
    series: Sequence[Series],
    y_label: str,
    levels: Sequence[Level],
    from_zero: bool = True,
) -> LineChart | None:
    alt = f"{title}: " + "; ".join(filter(None, (_in_words(epochs, each) for each in series)))
    return line_chart(
        title,
        alt,
        epochs,
        series,
        x_label="epoch",
        y_label=y_label,
        levels=levels,
        include=[0.0] if from_zero else [],
    )


def _in_words(epochs: Sequence[int], series: Series) -> str:
    """First and last value and the highest, for who does not see the line."""
    known = [(value, epoch) for value, epoch in zip(series.values, epochs, strict=True) if isfinite(value)]
    if not known:
        return ""
    (first, begin), (last, end), (most, at) = known[0], known[-1], max(known, key=lambda each: each[0])
    at_begin, at_end, highest = (decimal(value, beside=[first, last, most]) for value in (first, last, most))
    said = f"{series.name} from {at_begin} in epoch {begin} to {at_end} in epoch {end}"
    return f"{said}, highest {highest} in epoch {at}"


def _table(epochs: Sequence[int], columns: Sequence[tuple[Head, Series]]) -> WordTable:
    kept = evenly(len(epochs), MOST_ROWS)
    heads = [Head("epoch", "counted from 1"), *(head for head, _ in columns)]
    rows = [
        [f"{epochs[at]}", *(decimal(each.values[at], 3, beside=each.values) for _, each in columns)] for at in kept
    ]
    note = "" if len(kept) == len(epochs) else f"{len(kept)} of {counted(len(epochs), 'epoch')}, evenly spaced."
    return WordTable("The numbers of the charts.", heads, rows, note)
