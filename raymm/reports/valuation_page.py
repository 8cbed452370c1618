"""A valuation table as one HTML page that sorts and filters in the browser; nothing is loaded from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from raymm.reports.gallery.section import gallery_section
from raymm.reports.html import write_html
from raymm.reports.valuation_summary import class_text, summarise, summary_lines
from raymm.valuation.patterns import PATTERNS, pattern_labels

if TYPE_CHECKING:
    from raymm.data.dataset import Dataset
    from raymm.tasks.labels import Labels
    from raymm.valuation.table import ValuationTable

__all__ = ["MOST_ROWS", "write_valuation_page"]

MOST_ROWS = 20_000
"""Rows that a browser sorts without a pause; of more, those with the lowest contribution are shown."""


ROW_BYTES = 2_500_000
GALLERY_BYTES = 2_200_000
"""Bytes of the rows and of the gallery in a page, which is thereby below 5 MB."""


@dataclass(frozen=True)
class Column:
    """A column of the page.

    Attributes
    ----------
    name
        Its head.
    kind
        "phi" columns are numbers, NaN where missing; "choice" columns are filtered by value.
    values
        Of each sample of the table.
    choices
        Value and text of the options of its filter; none where it has no filter.
    """

    name: str
    kind: Literal["text", "choice", "phi"]
    values: np.ndarray
    choices: Sequence[tuple[str, str]] = ()


def write_valuation_page(
    path: Path, table: ValuationTable, classes: Sequence[str], dataset: Dataset | None = None
) -> None:
    """Write the page, and samples of its gallery that do not fit into it beside it.

    Parameters
    ----------
    classes
        Names of the classes, by label.
    dataset
        Where the samples lie; None leaves the gallery out.
    """
    columns = _columns(table, classes)
    rows = _rows(columns, _lowest_first(table))
    write_html(
        path,
        "valuation.html",
        title=f"Contributions of {', '.join(table.info.modalities)}",
        summary="\n".join(summary_lines(summarise(table, classes))),
        left_out=len(table) - len(rows),
        columns=columns,
        data={
            "columns": [{"name": column.name, "kind": column.kind} for column in columns],
            "rows": rows,
            "fairShare": table.info.fair_share,
        },
        gallery=None if dataset is None else gallery_section(dataset, table, path, classes, budget=GALLERY_BYTES),
    )


def _rows(columns: Sequence[Column], chosen: np.ndarray) -> list[list[Any]]:
    """Cells of the chosen rows, as many of them as have room."""
    cells = zip(*(column.values[chosen].tolist() for column in columns), strict=True)
    rows = [[None if isinstance(cell, float) and isnan(cell) else cell for cell in row] for row in cells]
    sizes = np.cumsum([len(json.dumps(row)) for row in rows])
    return rows[: int(np.searchsorted(sizes, ROW_BYTES, side="right"))]


def _lowest_first(table: ValuationTable) -> np.ndarray:
    lowest = np.nan_to_num(table.phi, nan=np.inf).min(axis=1)
    return np.argsort(lowest, kind="stable")[:MOST_ROWS]


def _columns(table: ValuationTable, classes: Sequence[str]) -> list[Column]:
    columns = [
        Column("sample", "text", table.sample_id),
        *_files(table),
        *_answers(table, classes),
    ]
    sides = _phi_choices(table.info.fair_share)
    for position, name in enumerate(table.info.modalities):
        columns.append(Column(f"phi {name}", "phi", table.phi[:, position], sides))
    if table.shows_outcomes and len(table.info.modalities) == 2:
        labels = pattern_labels(table.correct(), 0, 1)
        columns.append(_choice("pattern", _pattern_names(*table.info.modalities)[labels]))
    return columns


def _answers(table: ValuationTable, classes: Sequence[str]) -> list[Column]:
    """Labels and predictions, and whether these are right: classes can be chosen from, numbers cannot."""
    label, answer = _names(table.label, table, classes), _names(table.prediction, table, classes)
    outcome = [_choice("outcome", np.where(table.grand_correct, "right", "wrong"))] if table.shows_right else []
    if not table.task.categorical:
        return [Column("label", "text", label), Column("predicted", "text", answer), *outcome]
    return [_choice("class", label), _choice("predicted", answer), *outcome]


def _names(labels: Labels, table: ValuationTable, classes: Sequence[str]) -> np.ndarray:
    """Labels or predictions for people."""
    return np.array([class_text(table, label, classes) for label in labels], dtype=np.str_)


def _files(table: ValuationTable) -> list[Column]:
    if table.source is None or not np.any(table.source != ""):
        return []
    return [Column("file", "text", table.source)]


def _choice(name: str, values: np.ndarray) -> Column:
    """A column that can be filtered by each of its values."""
    return Column(name, "choice", values, [(value, value) for value in sorted(set(values.tolist()))])


def _pattern_names(first: str, second: str) -> np.ndarray:
    names = {"first": first, "second": second}
    return np.array([" ".join(names.get(word, word) for word in pattern.split()) for pattern in PATTERNS])


def _phi_choices(fair_share: float | None) -> list[tuple[str, str]]:
    """Values and texts of a filter of contributions; sides of the fair share only where there is one."""
    sides = [("low", f"below {fair_share:g}"), ("fair", f"{fair_share:g} or more")] if fair_share is not None else []
    return [*sides[:1], ("negative", "below 0"), *sides[1:], ("missing", "missing")]
