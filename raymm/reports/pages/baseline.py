"""How a run compares with another one, its baseline, on the same test samples: sentences of a verdict."""

from __future__ import annotations

from typing import TYPE_CHECKING

from raymm.reports.pages.paired import PHI, over_samples, per_sample, phi_not_shown, score_of
from raymm.reports.pages.verdict import Sentence
from raymm.reports.pages.words import range_words
from raymm.tracking.metrics import higher_is_better, split_metric

if TYPE_CHECKING:
    from raymm.reports.pages.answer import Answer

__all__ = ["against_baseline"]


def against_baseline(own: Answer, other: Answer, name: str, metric: str) -> list[Sentence]:
    """What differs from a baseline, paired by sample, and what is not shown to; phi of one utility alone is compared.

    Parameters
    ----------
    own, other
        Of runs on the same test samples.
    name
        Of the baseline.
    metric
        By which the run picked its epoch.
    """
    here, there = (each.table.info.utility for each in (own, other))
    first, second = (per_sample(each.table, metric, _read(each)) for each in (own, other))
    shared = {figure: values for figure, values in first.items() if here == there or not figure.startswith(PHI)}
    differences = over_samples(shared, second, hard=own.table.shows_right)
    score = score_of(own.table, metric)
    higher = higher_is_better(split_metric("test", score))
    made = []
    for each in differences:
        if each.interval.count and (each.shown or each.figure == score):
            words = each.words("this run", name)
            change = f"{each.figure} from {range_words(each.second, each.first)} ({words})"
            tone = each.tone(higher=higher) if each.figure == score else "plain"
            made.append(Sentence(tone, each.figure, f"Against {name}: {change}."))
    silent = phi_not_shown(differences)
    if here != there:
        silent = f"phi is not compared, since it is of the utility {here} here and of {there} there."
    return [*made, *([Sentence("plain", "", f"Against {name}: {silent}")] if silent else [])]


def _read(answer: Answer) -> list[str]:
    return [usage.modality for usage in answer.found if usage.read]
