"""A sweep in a table: for the terminal, as CSV, and as a page of Markdown with its plots."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING, Any

import pandas as pd

from raymm.counts import counted
from raymm.reports import plots
from raymm.reports.tables import columns_markdown, plain_table, text_table
from raymm.storage import layout
from raymm.storage.atomic import write_bytes
from raymm.sweep.columns import FAILED_COLUMNS, effect_columns, score_head, score_legend, trial_columns
from raymm.sweep.effects import effect_lines, effects
from raymm.sweep.labels import brief, plain, settings_text, short_names, varied
from raymm.sweep.page import Part, write_sweep_page
from raymm.sweep.plots import families_plot, score_by_parameter
from raymm.sweep.rows import best_first
from raymm.sweep.verdict import sweep_headline, sweep_verdict
from raymm.tracking.epoch_text import WIDTH, figure_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from raymm.sweep.effects import Effect
    from raymm.sweep.rows import TrialRow

__all__ = ["sweep_figures", "sweep_lines", "sweep_table", "write_sweep_summary"]

LINES = 20
"""Trials that the terminal shows; the CSV holds all."""


def sweep_table(rows: Sequence[TrialRow]) -> list[dict[str, Any]]:
    """All trials, best first: the finished, then the stopped, then the failed.

    Returns
    -------
    Rows with the same columns each: `place`, `trial`, `key`, `status`, `score`, `sd` over seeds, `seeds`, every
    searched setting ("" where a trial does not read it), `epochs`, `rows`, `seconds`, every metric, `cause`.
    """
    settings = list(dict.fromkeys(name for row in rows for name in row.params))
    metrics = sorted({name for row in rows for name in row.metrics})
    return [
        {
            "place": place,
            "trial": row.number,
            "key": row.key,
            "status": row.status,
            "score": row.score,
            "sd": row.deviation,
            "seeds": len(row.scores),
            **{name: plain(row.params[name]) if name in row.params else "" for name in settings},
            "epochs": row.epochs,
            "rows": row.rows,
            "seconds": row.seconds,
            **{name: row.metrics.get(name, "") for name in metrics},
            "cause": row.cause,
        }
        for place, row in enumerate(best_first(rows), 1)
    ]


def sweep_lines(rows: Sequence[TrialRow], metric: str) -> list[str]:
    """The best trials, and which method and family wins, as lines of at most 80 columns."""
    if not rows:
        return ["no trial has ended yet"]
    names = short_names(varied(rows))
    ordered = best_first(rows)
    body = []
    for place, row in enumerate(ordered[:LINES], 1):
        settings = " ".join(f"{names[key]}={brief(row.params[key])}" for key in names if key in row.params)
        numbers = [str(place), str(row.number), _number(row.score), _number(row.deviation), str(len(row.scores))]
        body.append([*numbers, row.status, row.cause if row.status == "failed" else settings])
    header = ["", "trial", score_head(metric, short=True), "± sd", "seeds", "status", "settings"]
    more = [f"... and {len(ordered) - LINES} more"] if len(ordered) > LINES else []
    legend = fill(
        f"{header[2]}: {score_legend(metric, _metrics_of(rows))}; ± sd: standard deviation over seeds", WIDTH
    ).splitlines()
    return [*text_table(header, body, numbers=5), *more, *legend, *effect_lines(effects(rows))]


def write_sweep_summary(folder: Path, rows: Sequence[TrialRow], metric: str, page: Path | None = None) -> list[Path]:
    """Write `trials.csv`, the plots that the trials allow, `summary.md` and `summary.html`; returns them in order.

    Parameters
    ----------
    page
        Where the HTML page goes; default: summary.html in the folder.
    """
    files = [folder / layout.TRIALS_CSV]
    # of objects, so that whole numbers stay whole in columns that have gaps
    table = pd.DataFrame(sweep_table(rows) or None, columns=None if rows else ["place"], dtype=object)
    write_bytes(files[0], table.to_csv(index=False, lineterminator="\n").encode())
    figures = sweep_figures(rows, metric)
    images = plots.save_all(figures, folder)
    files += [*images, folder / layout.SUMMARY_MD]
    parts = _parts(rows, metric, effects(rows))
    write_bytes(files[-1], _markdown(parts, list(figures)).encode())
    page = page or folder / layout.SUMMARY_PAGE
    files.append(write_sweep_page(page, parts, images, sweep_headline(rows, metric), sweep_verdict(rows, metric)))
    return files


def sweep_figures(rows: Sequence[TrialRow], metric: str) -> dict[str, Figure]:
    """The plots that the trials allow: "parameters" and "families"."""
    found, scored = effects(rows), [row for row in rows if row.scores]
    figures = {}
    if scored and varied(scored):
        figures["parameters"] = score_by_parameter(scored, metric)
    if len(found) > 1:
        figures["families"] = families_plot(found, metric)
    return figures


def _parts(rows: Sequence[TrialRow], metric: str, found: Sequence[Effect]) -> list[Part]:
    """What the summary says, in order: titles with texts and tables."""
    said = f"{counted(len(rows), 'trial')} by {metric} on validation, mean over seeds."
    parts = [Part("Sweep", said, *_trials(rows, metric), trial_columns(metric, _metrics_of(rows)))]
    if len(found) > 1:
        header, body = _effects_table(found)
        columns = effect_columns(metric, header)
        parts.append(Part("Strategies and families", _effects_text(found), header, body, columns))
    failed = [[str(row.number), row.cause] for row in rows if row.status == "failed"]
    if failed:
        parts.append(Part("Failed", "", ["trial", "cause"], failed, FAILED_COLUMNS))
    return parts


def _trials(rows: Sequence[TrialRow], metric: str) -> tuple[list[str], list[list[str]]]:
    names = short_names(varied(rows))
    header = list(trial_columns(metric))
    body = [
        [
            str(place),
            str(row.number),
            _number(row.score),
            _number(row.deviation),
            str(len(row.scores)),
            row.status,
            settings_text(row.params, names),
            str(row.epochs),
            f"{row.rows:,.0f}",
            f"{row.seconds:.0f}",
        ]
        for place, row in enumerate(best_first(rows), 1)
    ]
    return header, body


def _markdown(parts: Sequence[Part], figures: Sequence[str]) -> str:
    texts = []
    for depth, part in enumerate(parts):
        title = f"{'#' if depth == 0 else '##'} {part.title}"
        table = "\n".join(plain_table(part.header, part.body))
        texts += [text for text in (title, part.text, table, columns_markdown(part.columns)) if text]
    return "\n\n".join([*texts, *(f"![{name}]({name}.png)" for name in figures)]) + "\n"


def _effects_text(found: Sequence[Effect]) -> str:
    text = "Mean over the finished trials of each group; the interval is Student's t, 95 %, over seeds"
    if any(effect.difference is not None for effect in found):
        text += (
            ", of the difference to `joint` at the same seed; one that contains 0 does not show a difference, and of "
            "many groups one leaves it out by chance: verdicts are corrected by Holm's method"
        )
    if any(effect.over_random is not None for effect in found):
        text += (
            ". `random` adds as many copies, of any samples and modalities: what a method gains over it is not due "
        )
        text += "to training more rows"
    return f"{text}. The best of many groups is partly luck."


def _effects_table(found: Sequence[Effect]) -> tuple[list[str], list[list[str]]]:
    """Heads and rows; without the columns of a control that was not tried."""
    header = ["group", "trials", "seeds", "mean"]
    rows = [[each.group, str(each.trials), str(each.seeds), _number(each.score)] for each in found]
    joint = any(each.difference is not None for each in found)
    header += ["- joint", "± 95 % (joint)"] if joint else ["± 95 %"]
    for row, each in zip(rows, found, strict=True):
        row.extend([_signed(each.difference)] if joint else [])
        row.append(_number(each.margin))
    if any(each.over_random is not None for each in found):
        header += ["- random", "± 95 % (random)"]
        for row, each in zip(rows, found, strict=True):
            row.append(_signed(each.over_random))
            row.append("" if each.over_random is None else _number(each.over_random_margin))
    return header, rows


def _metrics_of(rows: Sequence[TrialRow]) -> set[str]:
    return {name for row in rows for name in row.metrics}


def _signed(value: float | None) -> str:
    return "" if value is None else figure_text(value, signed=True)


def _number(value: float | None) -> str:
    return "-" if value is None else figure_text(value)
