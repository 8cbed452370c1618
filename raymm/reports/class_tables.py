"""Figures of each class of a finished run, as tables that a spreadsheet reads."""

from __future__ import annotations

import csv
import io
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from raymm.reports.pages.groups import class_counts
from raymm.storage import layout
from raymm.storage.atomic import write_bytes
from raymm.tasks.final_metrics import confusion, per_class
from raymm.valuation.table_file import read_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from raymm.valuation.table import ValuationTable

__all__ = ["write_class_tables"]

MOST_CLASSES = 1_000

HEAD = ("split", "class", "samples", "precision", "recall", "f1")


def write_class_tables(run: Path, picked: Path, result: Path) -> list[Path]:
    """Write RUN/tables/per_class.csv and, of one class a sample, RUN/tables/confusion.csv; none of a regression.

    Of more than `MOST_CLASSES` there is no confusion.csv, which has a cell for each pair of classes.

    Parameters
    ----------
    picked, result
        The folder of the picked epoch, whose validation table is read where it is there, and that of the result.
    """
    files = {"val": layout.valuation_file(picked, "val"), "test": layout.valuation_file(result, "test")}
    tables = {split: read_table(file) for split, file in files.items() if file.exists()}
    if not all(table.task.categorical and table.info.class_names for table in tables.values()):
        return []
    rows = [row for split, table in tables.items() for row in _of_classes(split, table)]
    paths = [_write(run / layout.TABLES / "per_class.csv", HEAD, rows)]
    names = tables["test"].info.class_names
    if tables["test"].task.by_argmax and len(names) <= MOST_CLASSES:
        counts = [row for split, table in tables.items() for row in _counts(split, table)]
        paths.append(_write(run / layout.TABLES / "confusion.csv", ("split", "class", *names), counts))
    return paths


def _of_classes(split: str, table: ValuationTable) -> Iterable[Sequence[object]]:
    names = table.info.class_names
    counts = class_counts(table, len(names))
    figures = per_class(counts.samples, counts.answered, counts.hits, table.task.absent_f1)
    for name, samples, *shares in zip(names, *figures.values(), strict=True):
        yield split, name, int(samples), *("" if isnan(share) else f"{share:.6g}" for share in shares)


def _counts(split: str, table: ValuationTable) -> Iterable[Sequence[object]]:
    names = table.info.class_names
    for name, row in zip(names, confusion(table.prediction, table.label, len(names)), strict=True):
        yield split, name, *np.asarray(row).tolist()


def _write(path: Path, head: Sequence[str], rows: Iterable[Sequence[object]]) -> Path:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([head, *rows])
    write_bytes(path, text.getvalue().encode())
    return path
