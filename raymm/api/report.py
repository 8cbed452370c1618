"""`raymm.report`: what finished runs, a study or a sweep answer, on one page."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, replace
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raymm.api.places_of_pages import refuse_page
from raymm.api.public import public
from raymm.api.shown import Placed, Shown, place_of, plot_called
from raymm.errors import CheckpointError, ConfigError, Problems
from raymm.reports.diagnostics.finding import finding_lines
from raymm.reports.diagnostics.of_run import findings_against, findings_of
from raymm.reports.pages.answer import answer_of
from raymm.reports.pages.baseline import against_baseline
from raymm.reports.pages.tables import modality_table
from raymm.reports.run_page import step_of, write_run_page
from raymm.reports.run_tracking import draw_plots, figures_of
from raymm.storage import layout
from raymm.storage.places_below import below_in_words, places_below, report_command
from raymm.training.result import read_result
from raymm.training.run import open_run

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

    from raymm.api.report_pages import PageReport
    from raymm.reports.diagnostics.finding import Finding
    from raymm.reports.pages.answer import Answer
    from raymm.reports.pages.next_step import NextStep
    from raymm.reports.pages.verdict import Sentence
    from raymm.training.run import Run

__all__ = ["RunReport", "report", "report_run"]

NOT_THERE = "is not there, so that failure signatures, plots and a next step are left out, and samples have no media"

FILES = {"study": layout.STUDY, "sweep": layout.SWEEP}
"""The file by which a folder is known."""


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
    run
        The run itself.
    step
        What to try next; None where the data set is not here.
    missing
        The data set, where it is not here.
    """

    page: Path
    plots: tuple[Path, ...]
    findings: tuple[Finding, ...]
    answer: Answer = field(repr=False)
    run: Run
    step: NextStep | None = None
    missing: Path | None = None

    def summary(self) -> str:
        """The verdict, the findings with their advice, the next step, and the page."""
        step = [f"try next: {self.step.why}", f"  {self.step.command}"] if self.step else []
        verdict = [self.answer.headline, *(f"  {sentence.text}" for sentence in self.answer.sentences)]
        lacks = [f"note: {self.missing} {NOT_THERE}"] if self.missing else []
        return "\n".join([*verdict, *finding_lines(self.findings), *step, *lacks, f"wrote {self.page}"])

    def to_dict(self) -> dict[str, Any]:
        """Page, verdict, findings and next step as plain values."""
        return {
            "page": str(self.page),
            "headline": self.answer.headline,
            "sentences": [sentence.text for sentence in self.answer.sentences],
            "findings": [asdict(finding) for finding in self.findings],
            "command": None if self.step is None else list(self.step.words),
        }

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

    @public
    def plot(self, kind: str = "phi-over-epochs") -> Figure:
        """One of the plots, as a figure of matplotlib.

        Raises
        ------
        ConfigError
            For another kind than the names of `plots`.
        DataError
            When the data set of the run is not here, or has changed since.
        """
        figures = figures_of(self.run.path, read_result(self.run.path), self.run.dataset())
        return plot_called(kind, figures)()

    def _repr_html_(self) -> str:
        from raymm.reports.html import render

        table = modality_table(self.answer.found, self.answer.table.info.fair_share)
        return render("notebook.html", answer=self.answer, step=self.step, table=table, page=str(self.page))

    def __repr__(self) -> str:
        return f"RunReport({str(self.page)!r}, {len(self.findings)} findings)"


@public
def report(
    run: str | Path | Placed,
    *others: str | Path | Placed,
    baseline: str | Path | Placed | None = None,
    out: str | Path | None = None,
) -> RunReport | PageReport:
    """Write the page of a finished run, of several runs side by side, of a study or of a sweep.

    Of a run: the verdict on each modality, failure signatures, what to try next, contributions and samples, and the
    plots into RUN/plots. Where its data set is not here, the page says so, and shows what the run itself holds.

    Parameters
    ----------
    run
        A finished run, a study or a sweep: its folder, or what `raymm.train`, `study` or `sweep` returned.
    others
        More finished runs on the same data: all are put side by side, those that differ in the seed as one.
    baseline
        Of one run: another run on the same data; what differs is said, and where no difference is shown.
    out
        Where the page goes; default: RUN/report.html, report.html in the current folder of several runs, and the
        page of a study or a sweep in its folder.

    Raises
    ------
    CheckpointError
        When there is no run, study or sweep, it has not come to its end, or runs are on different data.
    ConfigError
        When a baseline is given beside several runs, a study or a sweep, or the page would go into another run,
        study, sweep or data set.
    DataError
        When its data set has changed since, or that of the baseline is another one.

    Examples
    --------
    >>> import raymm
    >>> raymm.report("no/such/run")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    raymm.errors.CheckpointError: ...no/such/run: no run there ...
    """
    paths = [Path(place_of(each)) for each in (run, *others)]
    page = None if out is None else Path(out)
    if page is not None and page.is_dir():
        raise ConfigError(f"{page} is a folder; name the page in it, such as {page / layout.PAGE}")
    if page is not None or len(paths) > 1:
        refuse_page("report", page or Path(layout.PAGE), paths[0] if len(paths) == 1 else None)
    kinds = {kind: [path for path in paths if (path / file).exists()] for kind, file in FILES.items()}
    if len(paths) == 1 and not any(kinds.values()):
        _refuse_folder_of_runs(paths[0])
        return report_run(paths[0], baseline, page)
    if baseline is not None:
        raise ConfigError("--baseline is for one run; several are compared with the first of them, or with joint")
    if len(paths) > 1:
        Problems(
            "several folders must be finished runs; report a study or a sweep by itself",
            [f"{path}: is a {kind}" for kind, found in kinds.items() for path in found]
            + [f"{path}: no run there" for path in paths if not _is_known(path)] * any(kinds.values()),
        ).raise_if_any(CheckpointError)
        return _pages().report_runs(paths, page)
    return _pages().report_study(paths[0], page) if kinds["study"] else _pages().report_sweep(paths[0], page)


def _refuse_folder_of_runs(path: Path) -> None:
    """Raise where a folder holds runs, studies or sweeps but is none itself: what lies there, and what to run."""
    below = {} if _is_known(path) else places_below(path)
    if not below:
        return
    command = report_command(below)
    instead = f"run `{command}`" if command else "none of them has come to its end"
    raise CheckpointError(f"{path}: no run there, but {below_in_words(path, below)}; {instead}")


def _is_known(path: Path) -> bool:
    return any((path / file).exists() for file in (layout.RUN, *FILES.values()))


def _pages() -> Any:
    """What writes the other pages; it knows studies and sweeps, which a run does not need."""
    return import_module("raymm.api.report_pages")


def report_run(path: Path, baseline: str | Path | Placed | None = None, page: Path | None = None) -> RunReport:
    """Write the page of one finished run; parameters and errors as `report`."""
    opened = open_run(path)
    result = read_result(opened.path)
    dataset = opened.dataset() if (opened.data / layout.MANIFEST).exists() else None
    plots = draw_plots(opened.path, result, dataset) if dataset else []
    findings = findings_of(opened, dataset, result.history) if dataset else []
    answer = answer_of(opened, dataset)
    against: list[Sentence] = []
    if baseline is not None:
        other = open_run(Path(place_of(baseline)))
        findings += findings_against(opened, other)
        against = against_baseline(answer, answer_of(other), other.name, opened.config.training.selection)
    step = step_of(opened, answer, findings, dataset.schema) if dataset else None
    answer = replace(answer, sentences=(*answer.sentences, *against))
    written = write_run_page(opened, result, dataset, findings, path=page, answer=answer, step=step)
    return RunReport(written, tuple(plots), tuple(findings), answer, opened, step, None if dataset else opened.data)
