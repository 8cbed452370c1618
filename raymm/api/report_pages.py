"""Pages of several runs, of a study and of a sweep: what `raymm.report` writes of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raymm.api.shown import Shown
from raymm.errors import CheckpointError
from raymm.reports.html import render
from raymm.storage import layout
from raymm.study.records import read_results
from raymm.study.report import comparison_records, study_verdict, write_study_report
from raymm.study.runs_page import runs_headline, runs_table, runs_verdict, write_runs_page
from raymm.study.side_by_side import beside
from raymm.study.store import open_study
from raymm.sweep.runs import trial_rows
from raymm.sweep.store import open_sweep
from raymm.sweep.summary import sweep_table, write_sweep_summary
from raymm.sweep.verdict import sweep_headline, sweep_verdict

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PageReport", "report_runs", "report_study", "report_sweep"]

PAGE = Path(layout.PAGE)


@dataclass(frozen=True, repr=False)
class PageReport(Shown):
    """What several runs, a study or a sweep answer, and the page that was written of them.

    Attributes
    ----------
    page
        One HTML file that needs no other.
    headline, sentences
        The verdict.
    records
        Makes the rows of the table, which of a study takes as long as its page: of several runs a figure a row, of a
        study a comparison, of a sweep a trial.
    """

    page: Path
    headline: str
    sentences: tuple[str, ...]
    records: Callable[[], Sequence[Mapping[str, Any]]]

    def summary(self) -> str:
        """The verdict, and the page."""
        return "\n".join([self.headline, *(f"  {sentence}" for sentence in self.sentences), f"wrote {self.page}"])

    def to_dict(self) -> dict[str, Any]:
        """Page and verdict as plain values."""
        return {"page": str(self.page), "headline": self.headline, "sentences": list(self.sentences)}

    def to_pandas(self) -> pd.DataFrame:
        """The table."""
        import pandas as pd

        return pd.DataFrame(list(self.records()))

    def _repr_html_(self) -> str:
        return render("notebook_page.html", report=self)

    def __repr__(self) -> str:
        return f"PageReport({str(self.page)!r}, {self.headline!r})"


def report_runs(paths: Sequence[Path], out: Path | None) -> PageReport:
    """Write the page of several runs side by side; default: report.html in the current folder."""
    found = beside(paths)
    page = write_runs_page(found, out or PAGE)
    sentences = tuple(sentence.text for sentence in runs_verdict(found))
    return PageReport(page, runs_headline(found), sentences, runs_table(found).records)


def report_study(folder: Path, out: Path | None) -> PageReport:
    """Write the report of a study again, as far as it is finished; default: into its folder."""
    study = open_study(folder)
    results = read_results(study)
    if not results.runs:
        raise CheckpointError(f"{folder}: no run of this study has finished; there is nothing to report yet")
    page = write_study_report(results, study.path / layout.REPORT, page=out)[1]
    headline, lines = study_verdict(results)
    return PageReport(page, headline, tuple(lines), partial(comparison_records, results))


def report_sweep(folder: Path, out: Path | None) -> PageReport:
    """Write the summary of a sweep again, as far as it is finished; default: into its folder."""
    sweep = open_sweep(folder)
    rows = trial_rows(sweep)
    page = write_sweep_summary(sweep.path / layout.SUMMARY, rows, sweep.metric, page=out)[-1]
    sentences = tuple(sentence.text for sentence in sweep_verdict(rows, sweep.metric))
    return PageReport(page, sweep_headline(rows, sweep.metric), sentences, partial(sweep_table, rows))
