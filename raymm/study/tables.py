"""Tables of a study: heads and rows of texts, for Markdown and for the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import isnan
from typing import TYPE_CHECKING

import numpy as np

from raymm.reports.pages.words import p_text
from raymm.study.cost_ratios import COST_NAMES, cost_ratio, mean_cost
from raymm.study.figures import Figure, Values, arms_of, data_of, figures_of, macro_mean, values_of
from raymm.study.verdict import outcome
from raymm.study.words import amount, range_text, ratio_text

if TYPE_CHECKING:
    from raymm.reports.statistics import Interval
    from raymm.study.bootstrap import Range
    from raymm.study.comparison import Against, Comparison
    from raymm.study.results import StudyResults

__all__ = [
    "Table",
    "arms_by_score",
    "by_data_table",
    "cost_table",
    "difference_table",
    "mcnemar_table",
    "score_table",
]

Table = tuple[list[str], list[list[str]]]
"""Head and rows."""


def arms_by_score(results: StudyResults) -> list[str]:
    """The arms, best macro mean first, those without one last."""
    figure, data = figures_of(results)[0], data_of(results)
    values = values_of(results.runs, figure)
    means = {arm: macro_mean(values, arm, data) for arm in arms_of(results)}
    sign = -1 if figure.higher else 1
    return sorted(means, key=lambda arm: (isnan(means[arm]), 0.0 if isnan(means[arm]) else sign * means[arm]))


def score_table(results: StudyResults, figure: Figure) -> Table:
    """Means and standard deviations over seeds on each data set, macro means on test and validation, what is said.

    The number of seeds stands behind a mean of fewer than other arms have on that data set.
    """
    data = data_of(results)
    values = values_of(results.runs, figure)
    best = values_of(results.runs, replace(figure, splits=("best",)))
    most = {name: max(len(_of(values, arm, name)) for arm in values) for name in data}
    several, said = len(data) > 1, bool(results.about)
    header = ["arm", *data, *(["macro"] if several else []), "validation", *(["note"] if said else [])]
    body = [
        [
            arm,
            *(_mean_and_deviation(_of(values, arm, name), figure, most[name]) for name in data),
            *([amount(macro_mean(values, arm, data), figure)] if several else []),
            amount(macro_mean(best, arm, data), figure),
            *([results.about.get(arm, "")] if said else []),
        ]
        for arm in arms_by_score(results)
    ]
    return header, body


def difference_table(against: Against, trained: Against | None) -> Table:
    """Every arm less one: difference, p values, effect size, pairs won; and the difference before calibration.

    Parameters
    ----------
    trained
        The same comparisons of the models as trained; None where there are none.
    """
    header = ["arm", "difference", "verdict", "p", "p (Holm)", "p (sign flips)", "d_z", "won-tied-lost"]
    header += ["as trained", "p (Holm), as trained"] if trained else []
    before = {each.first: each for each in trained.comparisons} if trained else {}
    return header, [
        [*_difference_row(each), *(_trained_row(before.get(each.first)) if trained else [])]
        for each in _largest_first(against)
    ]


def interval_table(against: Against) -> Table:
    """The 95 % intervals of every difference, each over what else could have been drawn."""
    figure = against.figure
    header = ["arm", "pairs (t)", "seeds (t)", "data sets (t)", "seeds (bootstrap)", "samples (bootstrap)"]
    body = [
        [
            each.first,
            "-" if each.seeds == 1 else range_text(_ends(each.over_pairs), figure),
            *(range_text(_ends(interval), figure) for interval in (each.over_seeds, each.over_data)),
            *(range_text(ends, figure) for ends in (each.by_seeds, each.by_samples, each.by_all)),
        ]
        for each in _largest_first(against)
    ]
    return [*header, "data sets, seeds and samples (bootstrap)"], body


def by_data_table(against: Against) -> Table:
    """The difference on each data set, and what is left of the mean when the most favourable one is left out."""
    figure = against.figure
    data = list(dict.fromkeys(name for each in against.comparisons for name in each.by_data))
    body = []
    for each in _largest_first(against):
        cells = [_plus_minus(each.by_data[name], figure) if name in each.by_data else "-" for name in data]
        body.append([each.first, *cells, _without_best(each)])
    return ["arm", *data, "without its best data set"], body


def mcnemar_table(against: Against) -> Table | None:
    """Samples that only the first or only the second predicts right, and the exact p; None without predictions."""
    data = list(dict.fromkeys(name for each in against.comparisons for name in each.mcnemar))
    if not data:
        return None
    body = []
    for each in _largest_first(against):
        tests = [each.mcnemar.get(name) for name in data]
        cells = ["-" if test is None else f"{test.only_first}:{test.only_second}, {p_text(test.p)}" for test in tests]
        body.append([each.first, *cells])
    return ["arm", *data], body


def cost_table(results: StudyResults) -> Table:
    """Costs relative to the reference, under what a run of the reference costs."""
    runs, reference = results.runs, results.reference
    rows = [[f"{reference}, a run", *(_absolute(mean_cost(runs, reference, cost), cost) for cost in COST_NAMES)]]
    rows += [
        [arm, *(ratio_text(cost_ratio(runs, arm, reference, cost)) for cost in COST_NAMES)]
        for arm in arms_by_score(results)
    ]
    return ["arm", *COST_NAMES.values()], rows


def _difference_row(each: Comparison) -> list[str]:
    return [
        each.first,
        _difference(each),
        outcome(each),
        _p(each.p_t),
        _p(each.p_holm),
        _p(each.p_flips),
        "-" if isnan(each.effect) else f"{each.effect:.2f}",
        f"{each.won}-{each.tied}-{each.lost}",
    ]


def _trained_row(each: Comparison | None) -> list[str]:
    return ["-", "-"] if each is None else [_difference(each), _p(each.p_holm)]


def _difference(each: Comparison) -> str:
    """The mean over pairs with its margin, which one seed a data set does not give."""
    if each.seeds == 1:
        return amount(each.over_pairs.mean, each.figure, signed=True)
    return _plus_minus(each.over_pairs, each.figure)


def _largest_first(against: Against) -> list[Comparison]:
    sign = -1 if against.figure.higher else 1
    return sorted(against.comparisons, key=lambda each: sign * each.over_pairs.mean)


def _without_best(each: Comparison) -> str:
    """The mean over the data sets but the one that speaks most for the first arm, which is named."""
    means = {name: interval.mean for name, interval in each.by_data.items()}
    if len(means) < 2:
        return "-"
    best = max(means, key=lambda name: means[name] if each.figure.higher else -means[name])
    rest = float(np.mean([mean for name, mean in means.items() if name != best]))
    return f"{amount(rest, each.figure, signed=True)} ({best} left out)"


def _of(values: Values, arm: str, data: str) -> list[float]:
    return [value for (name, _), value in values.get(arm, {}).items() if name == data]


def _mean_and_deviation(found: Sequence[float], figure: Figure, most: int) -> str:
    if not found:
        return "-"
    mean = amount(float(np.mean(found)), figure)
    deviation = f" ± {amount(float(np.std(found, ddof=1)), figure)}" if len(found) > 1 else ""
    return mean + deviation + (f" ({len(found)})" if len(found) < most else "")


def _ends(interval: Interval) -> Range:
    return interval.mean - interval.margin, interval.mean + interval.margin


def _plus_minus(interval: Interval, figure: Figure) -> str:
    """Mean and margin; the mean alone where it has no margin."""
    mean = amount(interval.mean, figure, signed=True)
    return mean if isnan(interval.margin) else f"{mean} ± {amount(interval.margin, figure)}"


def _p(value: float) -> str:
    return "-" if isnan(value) else p_text(value).removeprefix("p ")


def _absolute(value: float, cost: str) -> str:
    if isnan(value):
        return "-"
    number = value / 2**20 if cost == "memory" else value
    return f"{number:,.1f}" if number < 100 else f"{number:,.0f}"
