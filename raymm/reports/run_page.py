"""A finished run on one HTML page: its contributions, plots, metrics and configuration."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from raymm.reports.html import write_html
from raymm.reports.valuation_summary import summarise, summary_lines
from raymm.storage import layout
from raymm.storage.layout import result_folder
from raymm.valuation.table_file import read_table

if TYPE_CHECKING:
    from raymm.reports.diagnostics.finding import Finding
    from raymm.training.result import Result
    from raymm.training.run import Run

__all__ = ["write_run_page"]


def write_run_page(
    run: Run,
    result: Result,
    plots: Sequence[Path],
    classes: Sequence[str] = (),
    findings: Sequence[Finding] = (),
) -> Path:
    """Write RUN/report.html and return its path; the names of the classes are those of the data set."""
    table = read_table(layout.valuation_file(result_folder(run.path), "test"))
    path = run.path / layout.PAGE
    write_html(
        path,
        "run.html",
        title=run.name,
        picked=result.best_epoch + 1,
        selection=run.config.training.selection,
        summary="\n".join(summary_lines(summarise(table, classes))),
        findings=findings,
        plots=plots,
        metrics=sorted(result.metrics.items()),
        configuration=run.config.to_yaml(),
    )
    return path
