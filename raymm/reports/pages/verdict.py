"""The verdict at the top of a page: which modalities are under-used and how the model does, in sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from typing import TYPE_CHECKING, Literal

from raymm.counts import counted
from raymm.reports.chance import best_constant
from raymm.reports.pages.reference import reference_of
from raymm.reports.pages.usage import not_under_used
from raymm.reports.pages.words import decimal, listed, percent, plus_minus, range_words
from raymm.reports.statistics import mean_interval, proportion

if TYPE_CHECKING:
    from raymm.reports.pages.reference import Reference
    from raymm.reports.pages.usage import Usage
    from raymm.reports.statistics import Proportion
    from raymm.valuation.table import ValuationTable

__all__ = ["CHANCE", "MEAN", "Sentence", "Tone", "above_chance", "headline", "verdict"]

Tone = Literal["good", "bad", "plain"]

CHANCE, MEAN = "above chance", "better than always answering the mean of the training labels"
"""What a model must be shown to be: where answers are right or wrong, and in a regression."""


@dataclass(frozen=True)
class Sentence:
    """A sentence of a verdict: about a modality or the whole model, and whether what it says is good."""

    tone: Tone
    about: str
    text: str


def above_chance(table: ValuationTable, metric: str = "accuracy") -> bool | None:
    """Whether all modalities together are shown to be above chance.

    Of a regression that does not say what is right: whether they are shown to be better than always answering the
    mean of the training labels, by `metric`. None where neither can be told: no two samples have different labels, or
    the task has no such reference.
    """
    if not table.shows_right:
        reference = reference_of(table, metric)
        return None if reference is None else reference.better
    if not len(table):
        return None
    chance = best_constant(table.task, table.label)
    return _right(table).low > chance if chance < 1 else None


def headline(found: Sequence[Usage], above: bool | None = None, chance: str = CHANCE) -> str:
    """The shortest answer: that the model is at chance, which modalities do harm, are under-used or were never
    trained, or that none is (or is shown to be).

    Parameters
    ----------
    above
        Of `above_chance`.
    chance
        What that is called: `CHANCE` or `MEAN`.
    """
    said = [f"The model is not shown to be {chance}"] if above is False else []
    for role, one, several in (
        ("harmful", "does harm", "do harm"),
        ("under-used", "is under-used", "are under-used"),
        ("untrained", "was never trained", "were never trained"),
    ):
        names = [usage.modality for usage in found if usage.role == role]
        said += [f"{listed(names)} {one if len(names) == 1 else several}"] if names else []
    if said:
        return ", ".join(said)
    used = [usage.modality for usage in found if usage.role in ("even", "dominant", "only")]
    if len(used) > 1:
        return f"No modality is {not_under_used(found)}"
    return f"{used[0]} is the only modality" if used else "No test sample has a modality"


def verdict(table: ValuationTable, found: Sequence[Usage], metric: str, split: str = "test") -> list[Sentence]:
    """Sentences on the model and on each modality: those that do harm or are under-used first.

    Modalities that are shown to be used alike share a sentence where they are more than two; so do those of which no
    difference is shown.

    Parameters
    ----------
    found
        Of `raymm.reports.pages.usage.usages`, of the same table.
    metric
        What the run picked its epoch by: it is told where the task does not say which answers are right.
    split
        Which samples the table is of, for people.
    """
    order = ("harmful", "under-used", "untrained", "dominant", "only", "even", "unread", "missing")
    sentences = sorted(found, key=lambda usage: order.index(usage.role))
    even = [usage for usage in sentences if usage.role == "even" and usage.above_chance is not False]
    groups = [[usage for usage in even if usage.alike is alike] for alike in (True, False)]
    together = [group for group in groups if len(group) > 2]
    each = [usage for usage in sentences if not any(usage in group for group in together)]
    return [
        *_of_model(table, metric, split),
        *(_of_modality(usage, table, split) for usage in each),
        *map(_of_several, together),
        *([_intervals(table, split)] if len(table) else []),
    ]


def _of_model(table: ValuationTable, metric: str, split: str) -> list[Sentence]:
    """How the whole model does; nothing where the metric is no mean over samples, nor one of a regression."""
    count = len(table)
    if table.shows_right and count:
        right, above = _right(table), above_chance(table)
        chance = best_constant(table.task, table.label)
        said = {
            True: "",
            False: ", which is not shown to be above chance",
            None: "; they all have the same label, so that chance cannot be exceeded",
        }[above]
        text = (
            f"All modalities together are right on {decimal(right.share)} of the {counted(count, f'{split} sample')} "
            f"({range_words(right.low, right.high)}; chance {decimal(chance)}){said}."
        )
        return [Sentence("plain" if above else "bad", "", text)]
    if (reference := reference_of(table, metric)) is not None:
        return [_of_errors(reference, f"the {counted(count, f'{split} sample')}")]
    values = table.task.of_samples(metric, table.prediction, table.label) if count else None
    if values is None:
        return []
    error = mean_interval(values)
    text = (
        f"All modalities together have a {metric} of {plus_minus(error)} on the {counted(count, f'{split} sample')}."
    )
    return [Sentence("plain", "", text)]


def _of_errors(reference: Reference, samples: str) -> Sentence:
    """The figure of a regression, its unit, what is better, and the reference."""
    unit = f" {reference.unit}" if reference.unit else ""
    which = "higher" if reference.higher else "lower"
    text = (
        f"All modalities together have a {reference.name} of {plus_minus(reference.own)}{unit} on {samples} ({which} "
        f"is better"
    )
    text += (
        "" if isnan(reference.constant) else f"; the mean of the training labels has {decimal(reference.constant)}"
    )
    text += ")." if reference.better else f"), which is not shown to be {MEAN}."
    return Sentence("plain" if reference.better else "bad", "", text)


def _right(table: ValuationTable) -> Proportion:
    return proportion(int(table.grand_correct.sum()), len(table))


def _of_modality(usage: Usage, table: ValuationTable, split: str) -> Sentence:
    name = usage.modality
    if usage.role == "unread":
        return Sentence("plain", name, f"{name} is not read by this model.")
    if not usage.phi.count:
        return Sentence("plain", name, f"{name} is missing from all {split} samples.")
    figures = ", ".join(filter(None, [_alone(usage), f"phi {plus_minus(usage.phi)}", _below(usage, table)]))
    have = (
        ""
        if usage.phi.count == len(table)
        else f" (on the {counted(usage.phi.count, 'sample that has', 'samples that have')} it)"
    )
    if usage.role == "untrained":
        text = f"No training sample has {name}, so that its encoder was never trained{have}: {figures}."
        return Sentence("bad", name, text)
    return Sentence(_tone(usage), name, f"{name} {_role(usage)}{have}: {figures}.{_remark(usage)}")


def _of_several(alike: Sequence[Usage]) -> Sentence:
    """Modalities of which the same can be said: the ranges of their figures."""
    names = listed([usage.modality for usage in alike])
    figures = [f"phi {_range([usage.phi.mean for usage in alike])}"]
    shares = [usage.alone.share for usage in alike if usage.alone is not None]
    if shares:
        figures.insert(0, f"alone {_range(shares)}")
    return Sentence(_tone(alike[0]), names, f"{names} are {_even(alike[0])}: {', '.join(figures)}.")


def _even(usage: Usage) -> str:
    """What is said of a modality that is not shown to differ, or differs by too little to matter."""
    if usage.alike:
        return "used about as much as the others"
    return "not shown to be used less or more than the others"


def _range(values: Sequence[float]) -> str:
    return range_words(min(values), max(values))


def _intervals(table: ValuationTable, split: str) -> Sentence:
    text = (
        f"In brackets and after ±: 95 % intervals over the {counted(len(table), f'{split} sample')} of this "
        "one model; another "
        "seed may differ by more."
    )
    return Sentence("plain", "", text)


def _role(usage: Usage) -> str:
    return {
        "harmful": "does harm",
        "under-used": "is under-used",
        "dominant": "dominates",
        "only": "is the only modality",
    }.get(usage.role, f"is {_even(usage)}")


def _tone(usage: Usage) -> Tone:
    if usage.role in ("under-used", "harmful") or usage.above_chance is False:
        return "bad"
    return "good" if usage.role == "even" and usage.alike else "plain"


def _alone(usage: Usage) -> str:
    if usage.alone is None:
        return ""
    chance = "" if usage.chance is None else f"; chance {decimal(usage.chance)}"
    inside = f"{range_words(usage.alone.low, usage.alone.high)}{chance}"
    return f"alone {decimal(usage.alone.share)} ({inside})"


def _below(usage: Usage, table: ValuationTable) -> str:
    if usage.below is None:
        return f"{usage.gap.mean:+.2f} against the others" if usage.gap.count else ""
    return f"below its fair share of {table.info.fair_share:g} on {percent(usage.below.share)} of them"


def _remark(usage: Usage) -> str:
    """What else its numbers say."""
    said = ""
    if usage.above_chance is False:
        said += (
            " By itself it is not shown to be above chance: it is not trained enough, does not tell the label, or "
            "counts only together with others."
        )
    if usage.role == "harmful":
        said += (
            f" It turns more right answers of the others wrong ({percent(usage.breaks)} of the samples) than wrong "
            f"ones right ({percent(usage.repairs)})."
        )
    return said
