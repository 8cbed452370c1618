"""A valuation table as one HTML page that sorts and filters in the browser; nothing is loaded from elsewhere."""

import json
from collections.abc import Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from raymm.reports.valuation_summary import summarise, summary_lines
from raymm.storage import write_bytes
from raymm.valuation import ValuationTable
from raymm.valuation.patterns import PATTERNS, pattern_labels

__all__ = ["MOST_ROWS", "write_valuation_page"]

MOST_ROWS = 20_000
"""Rows that a browser sorts without a pause; of more, those with the lowest contribution are shown."""


def write_valuation_page(path: Path, table: ValuationTable, classes: Sequence[str]) -> None:
    """Write the page.

    Parameters
    ----------
    classes
        Names of the classes, by label.
    """
    chosen = _lowest_first(table)
    columns = _columns(table, classes)
    rows = [list(row) for row in zip(*(column["values"][chosen].tolist() for column in columns), strict=True)]
    shown = [[None if isinstance(cell, float) and np.isnan(cell) else cell for cell in row] for row in rows]
    heads = [{"name": column["name"], "kind": column["kind"]} for column in columns]
    titles = "".join(f"<th><button>{escape(head['name'])}</button></th>" for head in heads)
    left_out = len(table) - len(chosen)
    note = f"<p>{left_out} samples whose lowest phi is higher are left out.</p>" if left_out else ""
    fair_share = table.info.fair_share
    title = f"Contributions of {', '.join(table.info.modalities)}"
    content = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{_asset('valuation.css')}</style><h1>{escape(title)}</h1>"
        f"<pre>{escape(chr(10).join(summary_lines(summarise(table))))}</pre>{note}"
        f"<form>{_filters(columns, fair_share)}<button type=reset>Clear</button></form>"
        '<nav><button id="back">Back</button><span id="where"></span><button id="next">Next</button></nav>'
        f"<table><thead><tr>{titles}</tr></thead>"
        f'<tbody></tbody></table><script type="application/json" id="data">{_json(heads, shown, fair_share)}</script>'
        f"<script>{_asset('valuation.js')}</script></html>"
    )
    write_bytes(path, content.encode())


def _lowest_first(table: ValuationTable) -> np.ndarray:
    lowest = np.nan_to_num(table.phi, nan=np.inf).min(axis=1)
    return np.argsort(lowest, kind="stable")[:MOST_ROWS]


def _columns(table: ValuationTable, classes: Sequence[str]) -> list[dict[str, Any]]:
    """Name, kind and values of each column; `phi` columns are numbers, `choice` columns can be filtered by value."""
    names = np.array(classes)
    outcome = np.where(table.prediction == table.label, "right", "wrong")
    columns = [
        {"name": "sample", "kind": "text", "values": table.sample_id},
        {"name": "class", "kind": "choice", "values": names[table.label]},
        {"name": "predicted", "kind": "choice", "values": names[table.prediction]},
        {"name": "outcome", "kind": "choice", "values": outcome},
    ]
    for position, name in enumerate(table.info.modalities):
        columns.append({"name": f"phi {name}", "kind": "phi", "values": table.phi[:, position]})
    if table.enumerated and len(table.info.modalities) == 2:
        labels = pattern_labels(table.right(), 0, 1)
        columns.append({"name": "pattern", "kind": "choice", "values": _pattern_names(table)[labels]})
    return columns


def _pattern_names(table: ValuationTable) -> np.ndarray:
    first, second = table.info.modalities
    return np.array([name.replace("first", first).replace("second", second) for name in PATTERNS])


def _filters(columns: list[dict[str, Any]], fair_share: float | None) -> str:
    fields = ['<label>sample contains<input name="text" type="search"></label>']
    for index, column in enumerate(columns):
        if column["kind"] == "text":
            continue
        values = sorted(set(column["values"].tolist())) if column["kind"] == "choice" else []
        choices = _phi_choices(fair_share) if column["kind"] == "phi" else [(value, value) for value in values]
        options = "".join(f'<option value="{escape(value)}">{escape(text)}</option>' for value, text in choices)
        name = escape(column["name"])
        select = f'<select name="c{index}"><option value="">all</option>{options}</select>'
        fields.append(f"<label>{name}{select}</label>")
    return "".join(fields)


def _phi_choices(fair_share: float | None) -> list[tuple[str, str]]:
    """Values and texts of a filter of contributions; sides of the fair share only where there is one."""
    sides = [("low", f"below {fair_share:g}"), ("fair", f"{fair_share:g} or more")] if fair_share is not None else []
    return [*sides[:1], ("negative", "below 0"), *sides[1:], ("missing", "missing")]


def _json(heads: list[dict[str, str]], rows: list[list[Any]], fair_share: float | None) -> str:
    """JSON that cannot end its script element."""
    return json.dumps({"columns": heads, "rows": rows, "fairShare": fair_share}).replace("<", "\\u003c")


def _asset(name: str) -> str:
    return files("raymm.reports").joinpath("assets", name).read_text(encoding="utf-8")
