"""`raymm.report`: the plots of a finished run, and one page that has them all."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from raymm.api.shown import Placed, Shown, place_of
from raymm.reports.diagnostics.finding import finding_lines
from raymm.reports.diagnostics.of_run import findings_against, findings_of
from raymm.reports.run_page import write_run_page
from raymm.reports.run_tracking import draw_plots
from raymm.training.result import read_result
from raymm.training.run import open_run

if TYPE_CHECKING:
    from raymm.reports.diagnostics.finding import Finding

__all__ = ["RunReport", "report"]


@dataclass(frozen=True, repr=False)
class RunReport(Shown):
    """What was written of a run, and the failure signatures that hold.

    Attributes
    ----------
    page
        One HTML file that needs no other.
    plots
        The plots as PNG.
    findings
        See `docs/diagnostics.md`.
    """

    page: Path
    plots: tuple[Path, ...]
    findings: tuple[Finding, ...]

    def summary(self) -> str:
        """The findings with their advice, and the page."""
        return "\n".join([*finding_lines(self.findings), f"wrote {self.page}"])

    def __repr__(self) -> str:
        return f"RunReport({str(self.page)!r}, {len(self.findings)} findings)"


def report(run: str | Path | Placed, *, baseline: str | Path | Placed | None = None) -> RunReport:
    """Write RUN/plots and RUN/report.html, and say which failure signatures hold.

    Parameters
    ----------
    run
        A finished run: its folder, or what `raymm.train` returned.
    baseline
        Another run on the same data; a finding says so where no difference is shown.

    Raises
    ------
    CheckpointError
        When there is no run, or it has not come to its end.
    DataError
        When its data set has changed since, or that of the baseline is another one.

    Examples
    --------
    >>> import raymm
    >>> raymm.report("no/such/run")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    raymm.errors.CheckpointError: ...no/such/run: no run there ...
    """
    opened = open_run(Path(place_of(run)))
    result = read_result(opened.path)
    dataset = opened.dataset()
    plots = draw_plots(opened.path, result, dataset)
    findings = findings_of(opened, dataset, result.history)
    if baseline is not None:
        findings += findings_against(opened, open_run(Path(place_of(baseline))))
    page = write_run_page(opened, result, plots, dataset.schema.classes, findings)
    return RunReport(page, tuple(plots), tuple(findings))
