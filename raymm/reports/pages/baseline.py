"""How a run compares with another one, its baseline, on the same test samples: sentences of a verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

from raymm.reports.pages.paired import over_samples, per_sample
from raymm.reports.pages.verdict import Sentence
from raymm.reports.pages.words import decimal, listed
from raymm.tracking.metrics import higher_is_better, split_metric

if TYPE_CHECKING:
    from raymm.reports.pages.answer import Answer
    from raymm.reports.pages.verdict import Tone

__all__ = ["against_baseline"]


def against_baseline(own: Answer, other: Answer, name: str, metric: str) -> list[Sentence]:
    """What differs from a baseline, paired by sample, and what is not shown to.

    Parameters
    ----------
    own, other
        Of runs on the same test samples.
    name
        Of the baseline.
    metric
        By which the run picked its epoch.
    """
    hard = own.table.shows_right
    first, second = (per_sample(each.table, metric, _read(each)) for each in (own, other))
    differences = over_samples(first, second, hard=hard)
    score = "accuracy" if hard else metric
    higher = higher_is_better(split_metric("test", score))
    made = []
    for each in differences:
        if not each.interval.count or not (each.shown or each.figure == score):
            continue
        change = f"{each.figure} from {decimal(each.second)} to {decimal(each.first)} ({each.words()})"
        tone: Tone = "plain"
        if each.figure == score and each.shown:
            tone = "good" if (each.interval.mean > 0) == higher else "bad"
        made.append(Sentence(tone, each.figure, f"Against {name}: {change}."))
    silent = [each.figure.removeprefix("phi ") for each in differences if each.figure != score and not each.shown]
    if silent:
        text = f"Against {name}: no difference in phi is shown for {listed(silent)}."
        made.append(Sentence("plain", "", text))
    return made


def _read(answer: Answer) -> list[str]:
    return [usage.modality for usage in answer.found if usage.read]
