"""One sentence a comparison: which arm is better and by how much, or that it is not shown."""

from __future__ import annotations

from collections.abc import Sequence
from math import isnan
from typing import TYPE_CHECKING, Literal

from raymm.counts import counted
from raymm.reports.pages.words import listed, p_text
from raymm.reports.paired_statistics import LEVEL, has_no_spread
from raymm.study.words import amount, range_text, unit_of

if TYPE_CHECKING:
    from raymm.reports.statistics import Interval
    from raymm.study.comparison import Against, Comparison

__all__ = ["Outcome", "headline", "outcome", "verdict"]

Outcome = Literal["better", "worse", "not shown"]


def outcome(comparison: Comparison) -> Outcome:
    """Whether the first arm is shown to be better or worse than the second.

    It is not with one pair or one seed a data set, which say nothing of another seed.
    """
    shown = (
        comparison.seeds > 1
        and comparison.p_holm <= LEVEL  # NaN is not
        and _excludes_zero(comparison.over_pairs)
    )
    if not shown:
        return "not shown"
    return "better" if (comparison.over_pairs.mean > 0) == comparison.figure.higher else "worse"


def verdict(comparison: Comparison) -> str:
    """The sentence, such as "coalition beats joint by 5.4 points (95 % 1.0 to 9.8, p 0.020 after Holm, 25 pairs)".

    Of several data sets it goes on with whether that holds for these alone, or is shown for others like them: not by
    means that are all equal. Where data sets of the study have no pair, it says on which ones it is.
    """
    found = outcome(comparison)
    if found == "not shown":
        return (
            f"{comparison.first} against {comparison.second}: not shown, {_not_shown(comparison)}{_where(comparison)}"
        )
    verb = "beats" if found == "better" else "is worse than"
    by = f"{amount(abs(comparison.over_pairs.mean), comparison.figure)} {unit_of(comparison.figure)}"
    return f"{comparison.first} {verb} {comparison.second} by {by} ({_evidence(comparison)}){_scope(comparison)}"


def headline(tables: Sequence[Against]) -> str:
    """The shortest answer of a study: which arms are shown to be better or worse than its first control.

    Of no comparison it says that there is none.
    """
    if not tables:
        return "Nothing is compared yet"
    first, said = tables[0], []
    for found, verb in (("better", "better than"), ("worse", "worse than")):
        names = [each.first + _on(each) for each in first.comparisons if outcome(each) == found]
        if names:
            said.append(f"{listed(names)} {'is' if len(names) == 1 else 'are'} {verb} {first.second}")
    return ", ".join(said) or f"No arm is shown to differ from {first.second}"


def _not_shown(comparison: Comparison) -> str:
    """The difference, and why it says no more."""
    interval, figure = comparison.over_pairs, comparison.figure
    by = f"{amount(interval.mean, figure, signed=True)} {unit_of(figure)}"
    if interval.count == 1:
        return f"{by} in one pair: no interval"
    if comparison.seeds == 1:
        return f"{by} on {counted(interval.count, 'data set')} with one seed: no interval"
    if comparison.tied == interval.count:
        return f"equal in all {counted(interval.count, 'pair')}"
    return f"{by} ({_evidence(comparison, gain=False)})"


def _evidence(comparison: Comparison, *, gain: bool = True) -> str:
    """Interval, p and pairs; of a difference that is shown, the interval of its size."""
    interval, figure = comparison.over_pairs, comparison.figure
    p, pairs = f"{p_text(comparison.p_holm)} after Holm", counted(interval.count, "pair")
    if isnan(comparison.p_t):
        return f"the same in all {pairs}: no interval; {p}, by sign flips"
    ends = (interval.mean - interval.margin, interval.mean + interval.margin)
    if gain and interval.mean < 0:
        ends = (-ends[1], -ends[0])
    return f"95 % {range_text(ends, figure)}, {p}, {pairs}"


def _scope(comparison: Comparison) -> str:
    """Whether it is shown for other data sets too, where there are several."""
    interval, figure = comparison.over_data, comparison.figure
    if interval.count < 2:
        return _where(comparison)
    these = _where(comparison) or f" on these {counted(interval.count, 'data set')}"
    if has_no_spread(interval):
        return f"{these}; for others like them it is not shown (the same on each)"
    sign = -1.0 if comparison.over_pairs.mean < 0 else 1.0
    low, high = sorted(sign * (interval.mean + side * interval.margin) for side in (-1, 1))
    ends = f"95 % {range_text((low, high), figure)}"
    if low > 0:
        return f"{these}, and for others like them ({ends})"
    return f"{these}; for others like them it is not shown ({ends})"


def _where(comparison: Comparison) -> str:
    """On which data sets of a study it is, where some have no pair."""
    if not comparison.missing:
        return ""
    names = list(comparison.by_data)
    return f" on {listed(names)}{' alone' if len(names) == 1 else ''}, of {comparison.data_sets} data sets"


def _on(comparison: Comparison) -> str:
    """The same for a headline."""
    return f" (on {listed(list(comparison.by_data))})" if comparison.missing else ""


def _excludes_zero(interval: Interval) -> bool:
    return not abs(interval.mean) <= interval.margin  # without a margin, p alone says
