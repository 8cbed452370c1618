"""`raymm.report`: what finished runs, a study or a sweep answer, on one page."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from raymm.api.shown import Placed, Shown, place_of
from raymm.config.arguments import named_arguments
from raymm.reports.diagnostics.finding import finding_lines
from raymm.reports.diagnostics.of_run import findings_against, findings_of
from raymm.reports.pages.answer import answer_of
from raymm.reports.pages.next_step import next_step
from raymm.reports.pages.tables import modality_table
from raymm.reports.run_page import write_run_page
from raymm.reports.run_tracking import draw_plots
from raymm.storage import layout
from raymm.training.result import read_result
from raymm.training.run import open_run

if TYPE_CHECKING:
    import pandas as pd

    from raymm.reports.diagnostics.finding import Finding
    from raymm.reports.pages.answer import Answer
    from raymm.reports.pages.next_step import NextStep

__all__ = ["RunReport", "report"]


@dataclass(frozen=True, repr=False)
class RunReport(Shown):
    """What a run answers, and what was written of it.

    Attributes
    ----------
    page
        One HTML file; only further samples of its gallery lie beside it.
    plots
        The plots as PNG.
    findings
        See `docs/diagnostics.md`.
    answer
        The verdict, and the numbers that it is made of.
    step
        What to try next; None where the data set is not here.
    """

    page: Path
    plots: tuple[Path, ...]
    findings: tuple[Finding, ...]
    answer: Answer = field(repr=False)
    step: NextStep | None = None

    def summary(self) -> str:
        """The verdict, the findings with their advice, the next step, and the page."""
        step = [f"try next: {self.step.why}", f"  {self.step.command}"] if self.step else []
        verdict = [self.answer.headline, *(f"  {sentence.text}" for sentence in self.answer.sentences)]
        return "\n".join([*verdict, *finding_lines(self.findings), *step, f"wrote {self.page}"])

    def to_pandas(self) -> pd.DataFrame:
        """A row a modality, by its name.

        Returns
        -------
        `role` ("under-used", "dominant", ...), `samples` that have it, `mean_phi` and `margin` of its 95 % interval,
        `below` and `negative` (shares with phi below the fair share and below 0), `alone` with `alone_low` and
        `alone_high`, `chance`, `repairs`, `breaks`; NaN where something is not known.
        """
        import pandas as pd

        rows = []
        for usage in self.answer.found:
            below, alone = usage.below, usage.alone
            row = {"modality": usage.modality, "role": usage.role, "samples": usage.phi.count}
            row |= {"mean_phi": usage.phi.mean, "margin": usage.phi.margin}
            row |= {"below": below.share if below else None, "negative": usage.negative.share}
            row |= {"alone": alone.share if alone else None, "alone_low": alone.low if alone else None}
            row |= {"alone_high": alone.high if alone else None, "chance": usage.chance}
            rows.append({**row, "repairs": usage.repairs, "breaks": usage.breaks})
        frame = pd.DataFrame(rows).set_index("modality")
        numbers = frame.columns.difference(["role", "samples"])
        return frame.astype(dict.fromkeys(numbers, "float64"))

    def _repr_html_(self) -> str:
        from raymm.reports.html import render

        table = modality_table(self.answer.found, self.answer.table.info.fair_share)
        return render("notebook.html", answer=self.answer, step=self.step, table=table, page=str(self.page))

    def __repr__(self) -> str:
        return f"RunReport({str(self.page)!r}, {len(self.findings)} findings)"


@named_arguments
def report(run: str | Path | Placed, *, baseline: str | Path | Placed | None = None) -> RunReport:
    """Write RUN/plots and RUN/report.html: the verdict on each modality, failure signatures, what to try next.

    Where the data set of the run is not here, the page says so, and shows what the run itself holds.

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
    dataset = opened.dataset() if (opened.data / layout.MANIFEST).exists() else None
    plots = draw_plots(opened.path, result, dataset) if dataset else []
    findings = findings_of(opened, dataset, result.history) if dataset else []
    if baseline is not None:
        findings += findings_against(opened, open_run(Path(place_of(baseline))))
    answer = answer_of(opened)
    step = next_step(opened, answer.found, findings, dataset.schema) if dataset else None
    page = write_run_page(opened, result, dataset, findings, answer=answer, step=step)
    return RunReport(page, tuple(plots), tuple(findings), answer, step)
