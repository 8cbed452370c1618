"""What a run's page folds away: its metrics with their meanings, and which classes were taken for which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from raymm.reports.pages.word_table import Head, WordTable
from raymm.tasks.final_metrics import confusion
from raymm.tracking.epoch_text import figure_text
from raymm.tracking.metrics import parse
from raymm.tracking.units import unit_among

if TYPE_CHECKING:
    from raymm.valuation.table import ValuationTable

__all__ = ["confusion_table", "metric_table"]

MOST_CLASSES = 20
MOST_PAIRS = 30


def metric_table(metrics: Mapping[str, float], error: str = "mse") -> WordTable:
    """A row a metric: its name, value, unit, which is better, and what it is.

    Parameters
    ----------
    error
        What a regression trains, `training.loss.error`.
    """
    heads = [
        Head("metric", number=False),
        Head("value"),
        Head("unit", number=False),
        Head("better", "which direction is better", number=False),
        Head("what it is", number=False),
    ]
    rows = []
    for name, value in sorted(metrics.items()):
        declared = parse(name)
        better, meaning = (declared.metric.better, declared.metric.meaning) if declared else ("", "")
        better = "" if better == "neither" else better
        rows.append([name, figure_text(value), unit_among(name, metrics, error), better, meaning])
    return WordTable("Metrics of the picked epoch.", heads, rows)


def confusion_table(table: ValuationTable, names: Sequence[str]) -> WordTable | None:
    """Classes by answers of few classes, else the most frequent confusions; None where a sample has no one class."""
    if not table.task.by_argmax or not names or not len(table):
        return None
    if len(names) <= MOST_CLASSES:
        counts = confusion(table.prediction, table.label, len(names))
        heads = [Head("class", number=False), *(Head(f"as {name}") for name in names)]
        rows = [[name, *(f"{count:,}" for count in row)] for name, row in zip(names, counts, strict=True)]
        return WordTable("Samples by their class (rows) and by the answer (columns).", heads, rows)
    wrong = table.label != table.prediction
    pairs, counts = np.unique(table.label[wrong] * len(names) + table.prediction[wrong], return_counts=True)
    order = np.argsort(-counts, kind="stable")[:MOST_PAIRS]
    heads = [Head("class", number=False), Head("answered as", number=False), Head("samples")]
    rows = [[names[pairs[at] // len(names)], names[pairs[at] % len(names)], f"{counts[at]:,}"] for at in order]
    return WordTable("The most frequent confusions.", heads, rows)
