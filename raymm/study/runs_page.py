"""Several runs on one HTML page: columns are runs, differences are paired by seed or by sample."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from raymm.counts import counted
from raymm.reports.html import write_html
from raymm.reports.pages.charts import Level, LineChart, Series, line_chart
from raymm.reports.pages.paired import phi_not_shown
from raymm.reports.pages.terms import intervals_of_columns, terms_of
from raymm.reports.pages.usage import not_under_used
from raymm.reports.pages.verdict import Sentence
from raymm.reports.pages.word_table import Head, WordTable
from raymm.reports.pages.words import decimal, listed, margin_text, plus_minus, range_words
from raymm.storage import layout
from raymm.tracking.metrics import higher_is_better, phi_metric, split_metric

if TYPE_CHECKING:
    from raymm.reports.pages.paired import Difference
    from raymm.study.side_by_side import Column, SideBySide

__all__ = ["runs_headline", "runs_table", "runs_verdict", "write_runs_page"]


def write_runs_page(found: SideBySide, path: Path) -> Path:
    """Write the page and return its path."""
    sentences = runs_verdict(found)
    values = {
        "headline": runs_headline(found),
        "sentences": sentences,
        "bad": any(sentence.tone == "bad" for sentence in sentences),
        "about": _about(found),
        "figures": runs_table(found),
        "differences": [table for column in found.columns[1:] if (table := _difference_table(found, column))],
        "charts": list(_charts(found)),
        "runs": _run_table(found),
        "links": _links(found, path),
        "terms": terms_of(
            found.columns[0].members[0].table,
            intervals_of_columns([len(column.members) for column in found.columns]),
        ),
    }
    title = f"{listed([column.name for column in found.columns])} side by side"
    write_html(path, "runs.html", title=title, **values)
    return path


def runs_headline(found: SideBySide) -> str:
    """Which columns are better or worse than the reference, that no difference is shown, or that none is compared."""
    reference, said, silent = found.columns[0].name, [], []
    for column in found.columns[1:]:
        score = _score(found, column)
        if score is None:
            silent.append(column.name)
        elif score.shown:
            word = "better" if score.tone(higher=_higher(found)) == "good" else "worse"
            said.append(f"{column.name} is {word} than {reference} by {decimal(abs(score.interval.mean))}")
    if len(found.columns) == 1:
        return f"{reference} over {counted(len(found.columns[0].members), 'seed')}"
    if not said and len(silent) < len(found.columns) - 1:
        said = [f"No difference from {reference} in {found.metric} is shown"]
    if silent:
        verb = "is" if len(silent) == 1 else "are"
        said.append(f"{listed(silent)} {verb} not compared with {reference} in {found.metric}")
    return ", ".join(said)


def runs_verdict(found: SideBySide) -> list[Sentence]:
    """A sentence on each column, and on what its contributions show."""
    made = [Sentence("plain", column.name, _of_column(found, column)) for column in found.columns]
    for column in found.columns[1:]:
        made += _against(found, column)
    return [*made, Sentence("plain", "", _pairs(found))]


def runs_table(found: SideBySide) -> WordTable:
    """Figures of test in words: a row a figure, a column a method."""
    names = found.columns[0].members[0].table.info.modalities
    rows = [[f"{found.metric}, all together", *(plus_minus(each.interval(found.metric)) for each in found.columns)]]
    if found.columns[0].members[0].table.shows_right:
        rows += [
            [f"{name} alone", *(plus_minus(each.alone(at)) for each in found.columns)]
            for at, name in enumerate(names)
        ]
    for name in names:
        rows.append([f"phi {name}", *(plus_minus(each.interval(f"phi {name}")) for each in found.columns)])
    heads = [Head("figure", number=False), *(Head(_title(each), each.note) for each in found.columns)]
    return WordTable("Test figures; ± is half of the 95 % interval of each by itself.", heads, rows)


def _title(column: Column) -> str:
    seeds = ", ".join(str(member.seed) for member in column.members)
    return f"{column.name} (seed{'s' if len(column.members) > 1 else ''} {seeds})"


def _higher(found: SideBySide) -> bool:
    return higher_is_better(split_metric("test", found.metric))


def _score(found: SideBySide, column: Column) -> Difference | None:
    """The difference of the scores; None without two pairs of them."""
    differences = found.differences(column)[0]
    return next((each for each in differences if each.figure == found.metric and each.interval.count > 1), None)


def _about(found: SideBySide) -> str:
    first = found.columns[0].members[0]
    return (
        f"Data set {first.run.data.name}, {counted(len(first.table), 'test sample')}, which all runs were "
        "tested on. Compared "
        f"with {found.columns[0].name}."
    )


def _of_column(found: SideBySide, column: Column) -> str:
    """The score of a column, and which modalities do harm, are under-used or were not trained in one of its runs."""
    said = []
    for role, words in (("harmful", "doing harm"), ("under-used", "under-used"), ("untrained", "never trained")):
        names = sorted({each.modality for member in column.members for each in member.found if each.role == role})
        said += [f"{listed(names)} {words}"] if names else []
    every = [each for member in column.members for each in member.found]
    used = ", ".join(said) or f"no modality {not_under_used(every)}"
    count = len(column.members)
    return (
        f"{column.name}: {found.metric} {plus_minus(column.interval(found.metric))} ({counted(count, 'seed')}); "
        f"{used}."
    )


def _against(found: SideBySide, column: Column) -> Iterator[Sentence]:
    """How a column differs from the reference: its score, and the contributions that are shown to differ."""
    reference = found.columns[0].name
    differences, pairs = found.differences(column)

    def words(each: Difference) -> str:
        return each.words(column.name, reference)

    if not pairs:
        text = f"{column.name} has no seed in common with {reference}, so no difference is told."
        yield Sentence("plain", column.name, text)
        return
    if found.metric not in {each.figure for each in differences}:
        text = (
            f"{column.name} has one seed in common with {reference}, and {found.metric} is no mean over samples, so "
            "no difference in it is told."
        )
        yield Sentence("plain", column.name, text)
    for each in differences:
        if each.figure == found.metric:
            text = f"{column.name} less {reference}, {each.figure}: {words(each)}."
            yield Sentence(each.tone(higher=_higher(found)), column.name, text)
        elif each.shown:
            verb = "raises" if each.interval.mean > 0 else "lowers"
            change = f"from {range_words(each.second, each.first)} ({words(each).removesuffix(': shown')})"
            yield Sentence("plain", column.name, f"{column.name} {verb} {each.figure} {change}.")
    if silent := phi_not_shown(differences):
        yield Sentence("plain", column.name, f"{column.name} against {reference}: {silent}")


def _pairs(found: SideBySide) -> str:
    """What the intervals are over."""
    kinds = {found.differences(column)[1] for column in found.columns[1:]} - {""}
    if not kinds:
        return "± is half of a 95 % interval: over seeds of several runs, over test samples of one."
    said = {
        "seeds": "Pairs are runs of the same seed: intervals of differences are Student's t over seeds, of which few "
        "show large differences only. ",
        "samples": "With one seed in common, pairs are test samples: intervals of differences, and McNemar's test of "
        "right answers, are about these very models; another seed may say otherwise (`raymm study`). ",
    }
    return "".join(text for kind, text in said.items() if kind in kinds) + (
        "They hold for all columns, and of phi for all modalities, at once; the ± of a column is a 95 % interval by "
        "itself."
    )


def _difference_table(found: SideBySide, column: Column) -> WordTable | None:
    differences, pairs = found.differences(column)
    if not pairs:
        return None
    reference = found.columns[0].name
    over = [Head("± over seeds"), Head("± over samples")] if pairs == "seeds" else [Head("± over samples")]
    heads = [Head("figure", number=False), Head(column.name), Head(reference), Head("difference"), *over]
    test = "by McNemar's test where pairs are samples and answers right or wrong, else by ±; without it by sign flips"
    heads.append(Head("shown", test))
    rows = [
        [
            each.figure,
            decimal(each.first, beside=[each.second]),
            decimal(each.second, beside=[each.first]),
            decimal(each.interval.mean, signed=True, beside=[each.interval.margin]),
            margin_text(each.interval, beside=[each.interval.mean]),
            *([margin_text(each.samples, beside=[each.interval.mean])] if each.samples else []),
            "yes" if each.shown else "no",
        ]
        for each in differences
    ]
    return WordTable(f"{column.name} less {reference}, paired by {pairs.removesuffix('s')}.", heads, rows)


def _charts(found: SideBySide) -> Iterator[LineChart]:
    """phi of each modality over the epochs, a line a column: means over its seeds."""
    names = found.columns[0].members[0].table.info.modalities
    share = found.columns[0].members[0].table.info.fair_share
    most = max(len(member.result.history) for column in found.columns for member in column.members)
    levels = [] if share is None else [Level("fair share", share)]
    for name in names:
        series = [
            Series(column.name, _mean_course(column, phi_metric("val", name), most), at)
            for at, column in enumerate(found.columns)
        ]
        ends = ", ".join(f"{each.name} {decimal(_last(each.values))}" for each in series)
        chart = line_chart(
            f"phi of {name} over the epochs",
            f"phi of {name} on validation over {counted(most, 'epoch')}; at the end: {ends}",
            list(range(1, most + 1)),
            series,
            x_label="epoch",
            y_label="validation, mean over seeds",
            levels=levels,
            include=[0.0],
        )
        if chart:
            yield chart


def _mean_course(column: Column, metric: str, most: int) -> list[float]:
    """The mean over seeds at each epoch that all of them have; NaN from there."""
    courses = [[entry["metrics"].get(metric, np.nan) for entry in member.result.history] for member in column.members]
    until = min(map(len, courses))
    means = [float(np.mean([course[at] for course in courses])) for at in range(until)]
    return means + [float("nan")] * (most - until)


def _last(values: Sequence[float]) -> float:
    known = [value for value in values if np.isfinite(value)]
    return known[-1] if known else float("nan")


def _run_table(found: SideBySide) -> WordTable:
    heads = [Head("run", number=False), Head("method", number=False), Head("seed"), Head("picked epoch")]
    heads.append(Head(found.metric))
    rows = [
        [
            str(member.run.path),
            column.name,
            str(member.seed),
            f"{member.result.best_epoch + 1} of {len(member.result.history)}",
            decimal(member.mean(found.metric), 3),
        ]
        for column in found.columns
        for member in column.members
    ]
    return WordTable("The runs.", heads, rows)


def _links(found: SideBySide, path: Path) -> list[tuple[str, str]]:
    """Name and address of the page of each run that has one, relative to this page."""
    pages = [member.run.path / layout.PAGE for column in found.columns for member in column.members]
    return [
        (page.parent.name, Path(os.path.relpath(page, path.absolute().parent)).as_posix())
        for page in pages
        if page.exists()
    ]
