"""The report of a study: Markdown, a page, raw tables and plots."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from matplotlib.figure import Figure as Plot

from raymm.reports.html import write_html
from raymm.reports.plots import save_all
from raymm.reports.tables import columns_markdown, plain_table
from raymm.storage import layout
from raymm.storage.atomic import write_bytes
from raymm.study.comparison import Against, compare_all
from raymm.study.figures import Figure, data_of, figures_of
from raymm.study.findings import read_findings
from raymm.study.plots import cost_plot, differences_plot, epochs_plot
from raymm.study.raw import comparison_rows, comparisons_csv, runs_csv
from raymm.study.samples import Samples, read_samples
from raymm.study.sections import Image, Section, sections_of
from raymm.study.tables import arms_by_score
from raymm.study.verdict import headline, verdict

if TYPE_CHECKING:
    from raymm.study.results import StudyResults

__all__ = [
    "comparison_records",
    "study_plots",
    "study_verdict",
    "verdict_lines",
    "verdict_markdown",
    "write_study_report",
]

MOST_LINES = 12
"""Verdicts in Markdown."""


def write_study_report(results: StudyResults, folder: Path, page: Path | None = None) -> list[Path]:
    """Write the report of a study, or of as much of it as is finished.

    Parameters
    ----------
    page
        Where the HTML page goes; default: report.html in the folder.

    Returns
    -------
    `report.md`, `report.html` (one file that needs no other), `runs.csv` (a row a run), `comparisons.csv` (a row a
    comparison), and the plots, in this order.

    Raises
    ------
    DataError
        When runs of a data set were tested on different samples, or a test table is damaged.
    """
    samples = _samples(results)
    tables = compare_all(results, samples)
    plots = _plots(results, tables)
    images = {key: image for key, (image, _) in plots.items()}
    sections = sections_of(results, samples, tables, images, read_findings(results))
    drawn = save_all({image.name: plot for image, plot in plots.values()}, folder)
    files = [folder / name for name in (layout.REPORT_MD, layout.PAGE, layout.RUNS_CSV, layout.COMPARISONS_CSV)]
    files[1] = page or files[1]
    write_bytes(files[0], _markdown(sections).encode())
    said = headline([table for table in tables if table.figure == figures_of(results)[0]])
    write_html(files[1], "study.html", title=results.title, headline=said, sections=sections, folder=folder)
    write_bytes(files[2], runs_csv(results, folder.absolute().parent).encode())
    write_bytes(files[3], comparisons_csv(tables).encode())
    return [*files, *drawn]


def verdict_lines(results: StudyResults) -> list[str]:
    """The verdicts of all comparisons, one a line; of the models as they are after calibration."""
    return study_verdict(results)[1]


def study_verdict(results: StudyResults) -> tuple[str, list[str]]:
    """Which arms are shown to be better or worse than the first control, in one line, and `verdict_lines`."""
    tables = compare_all(results, {figures_of(results)[0]: Samples()})
    return headline(tables), [verdict(each) for table in tables for each in table.comparisons]


def verdict_markdown(results: StudyResults) -> str:
    """`study_verdict` as Markdown: the line, and the first verdicts as a list."""
    said, lines = study_verdict(results)
    more = [f"and {len(lines) - MOST_LINES} more in the report"] if len(lines) > MOST_LINES else []
    return "\n".join([f"**{said}.**", "", *(f"- {line}" for line in (*lines[:MOST_LINES], *more))]).rstrip()


def comparison_records(results: StudyResults) -> list[dict[str, Any]]:
    """Every comparison with its verdict and all its numbers, for programs: what `comparisons.csv` holds."""
    return comparison_rows(compare_all(results, _samples(results)))


def study_plots(results: StudyResults) -> dict[str, Plot]:
    """The plots of a report by their names: `differences`, `cost`, and `epochs-1-NAME` of each data set."""
    return {image.name: plot for image, plot in _plots(results, compare_all(results, _samples(results))).values()}


def _samples(results: StudyResults) -> dict[Figure, Samples]:
    return {figure: read_samples(results, figure) for figure in figures_of(results)}


def _plots(results: StudyResults, tables: Sequence[Against]) -> dict[str, tuple[Image, Plot]]:
    """What can be drawn, by what it is for."""
    tables = [table for table in tables if table.figure.splits == ("test",)]
    arms, figure = arms_by_score(results), figures_of(results)[0]
    found: dict[str, tuple[Image, Plot | None]] = {
        "differences": (
            Image("differences", "differences of all arms to the controls, with 95 % intervals"),
            differences_plot(tables, arms) if tables else None,
        ),
        "cost": (
            Image("cost", f"test {figure.name} against cost, with the Pareto front"),
            cost_plot(results, figure, arms),
        ),
    }
    for number, name in enumerate(data_of(results), 1):
        image = Image(
            f"epochs-{number}-{_slug(name)}", f"contributions and accuracy alone on {name}, over the epochs"
        )
        found[f"data {name}"] = image, epochs_plot([run for run in results.runs if run.data == name], arms)
    return {key: (image, plot) for key, (image, plot) in found.items() if plot is not None}


def _markdown(sections: Sequence[Section]) -> str:
    texts = []
    for section in sections:
        texts.append(f"{'#' * section.level} {section.title}")
        texts.append(section.text)
        texts.append("\n".join(f"- {sentence.text}" for sentence in section.sentences))
        texts.append("\n".join(plain_table(*section.table)) if section.table else "")
        texts.append(columns_markdown(section.columns))
        texts += [f"![{image.shows}]({image.name}.png)" for image in section.images]
    return "\n\n".join(text for text in texts if text) + "\n"


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "-", name).strip("-") or "data"
