"""A finished run on one HTML page: the verdict, what to try next, contributions, epochs, classes, metrics."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raymm.reports.gallery import gallery_section
from raymm.reports.html import write_html
from raymm.reports.pages.answer import answer_of
from raymm.reports.pages.charts import BarChart, Level, bar_chart
from raymm.reports.pages.epochs import course_of
from raymm.reports.pages.next_step import next_step
from raymm.reports.pages.online import online_sentence
from raymm.reports.pages.run_tables import confusion_table, metric_table
from raymm.reports.pages.tables import class_table, modality_table, pair_table, pattern_table, worst_classes
from raymm.reports.pages.terms import terms_of
from raymm.reports.pages.words import plus_minus
from raymm.reports.valuation_summary import class_names_of
from raymm.storage import layout
from raymm.storage.atomic import write_bytes

if TYPE_CHECKING:
    from raymm.data.dataset import Dataset
    from raymm.data.schema import Schema
    from raymm.reports.diagnostics.finding import Finding
    from raymm.reports.pages.answer import Answer
    from raymm.reports.pages.next_step import NextStep
    from raymm.reports.pages.usage import Usage
    from raymm.training.result import Result
    from raymm.training.run import Run

__all__ = ["step_of", "write_run_page"]


def write_run_page(
    run: Run,
    result: Result,
    dataset: Dataset | None,
    findings: Sequence[Finding] = (),
    *,
    path: Path | None = None,
    answer: Answer | None = None,
    step: NextStep | None = None,
) -> Path:
    """Write the page of a finished run, and the settings that its command reads into RUN; returns the page's path.

    Parameters
    ----------
    dataset
        Of the run; None where it is not here: the page then says so, shows no media and suggests no step.
    findings
        Failure signatures that hold (`raymm.reports.diagnostics.of_run.findings_of`).
    path
        Of the page; default: RUN/report.html. Further samples of its gallery lie beside it.
    answer, step
        What the run answers and what to try next, where that is known already (`answer_of`, `step_of`).
    """
    path = path or run.path / layout.PAGE
    answer = answer or answer_of(run, dataset)
    step = step or (step_of(run, answer, findings, dataset.schema) if dataset else None)
    names = list(dataset.schema.classes) if dataset else class_names_of(answer.table)
    _write_settings(run, step)
    missing = "" if dataset else f"{run.data} is not there"
    values = {
        "about": _about(run, result),
        "headline": answer.headline,
        "sentences": answer.sentences,
        "bad": answer.bad,
        "step": step,
        "findings": findings if dataset else None,
        **_contributions(run, result, answer, names),
        "gallery": gallery_section(dataset, answer.table, path, names, missing=missing, remarks=_noise(run)),
        "metrics": metric_table(result.metrics, run.config.training.loss.error),
        "configuration": run.config.to_yaml(),
    }
    write_html(path, "run.html", title=run.name, contents=_contents(values), **values)
    return path


def step_of(run: Run, answer: Answer, findings: Sequence[Finding], schema: Schema) -> NextStep:
    """What to try next, by what a run answers (`raymm.reports.pages.next_step`)."""
    return next_step(run, answer.found, findings, schema, above=answer.above_chance)


def _write_settings(run: Run, step: NextStep | None) -> None:
    write_bytes(run.path / layout.CONFIG, run.config.to_yaml().encode())
    if step and step.study:
        write_bytes(run.path / layout.COMPARE, step.study.encode())


def _about(run: Run, result: Result) -> str:
    """What the run is."""
    return (
        f"Method {run.config.method.name}, seed {run.config.training.seed}, data set {run.data.name}. Epoch "
        f"{result.best_epoch + 1} of {len(result.history)} was picked on validation "
        f"({run.config.training.selection}); the test split was read once, after that."
    )


def _noise(run: Run) -> list[str]:
    """That the model met other inputs than the media that are shown."""
    levels = ", ".join(f"{name} at {level:g} dB" for name, level in run.config.view.noise_db.items())
    return [f"The model met these samples with noise ({levels}); they are shown without."] if levels else []


def _contributions(run: Run, result: Result, answer: Answer, names: Sequence[str]) -> dict[str, Any]:
    """Tables and charts of contributions."""
    table, found = answer.table, answer.found
    fair_share, read = table.info.fair_share, [usage.modality for usage in found if usage.read]
    course = course_of(
        result.history,
        read,
        result.best_epoch + 1,
        metric=run.config.training.selection,
        fair_share=fair_share,
        acts_from=run.config.acts_from,
        error=run.config.training.loss.error,
    )
    return {
        "modalities": modality_table(found, fair_share),
        "bars": _bars(found, fair_share),
        "course": course,
        "online": online_sentence(result.metrics, read, fair_share),
        "terms": terms_of(table),
        "pairs": pair_table(table),
        "patterns": pattern_table(table),
        "classes": class_table(table, names),
        "worst": worst_classes(table, names),
        "confused": confusion_table(table, names),
    }


def _bars(found: Sequence[Usage], fair_share: float | None) -> BarChart | None:
    title = "Mean contribution of each modality"
    texts = [plus_minus(each.phi) for each in found]
    said = ", ".join(f"{each.modality} {text}" for each, text in zip(found, texts, strict=True))
    fair = "" if fair_share is None else f"; fair share {fair_share:g}"
    return bar_chart(
        title,
        f"{title} on test: {said}{fair}",
        [(each.modality, each.phi.mean, each.phi.margin, text) for each, text in zip(found, texts, strict=True)],
        x_label="mean phi on test",
        level=None if fair_share is None else Level("fair share", fair_share),
    )


def _contents(values: dict[str, Any]) -> list[tuple[str, str]]:
    """Parts of the page that there are, by their ids."""
    parts = [("next", "Try next", "step"), ("findings", "Findings", ""), ("modalities", "Contributions", "")]
    parts += [("patterns", "By pattern", "patterns"), ("classes", "By class", "classes"), ("gallery", "Samples", "")]
    return [(id_, name) for id_, name, needs in parts if not needs or values[needs]]
