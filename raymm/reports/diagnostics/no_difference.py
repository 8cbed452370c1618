"""No difference from the baseline: what was done since the warm-up, or in place of another run, changed nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from raymm.counts import counted
from raymm.errors import DataError
from raymm.reports.diagnostics.bounds import SHOWN_LEVEL, difference_error, points, quantile
from raymm.reports.diagnostics.finding import Finding
from raymm.reports.statistics import mcnemar
from raymm.tracking.metrics import split_metric

if TYPE_CHECKING:
    from raymm.reports.diagnostics.evidence import Evidence
    from raymm.valuation.table import ValuationTable

__all__ = ["no_difference", "no_difference_from"]

ACCURACY = split_metric("val", "accuracy")


def no_difference(evidence: Evidence) -> list[Finding]:
    """A run, trained to its end, whose accuracy is not shown to differ from that at the end of its warm-up.

    The bound is that of two independent samples of the validation split at `SHOWN_LEVEL`, two-sided. Where what is
    left to 1 is less than the bound, no gain could be shown, and nothing is said.
    """
    facts = evidence.facts
    before, recent = evidence.earlier(ACCURACY, facts.reference), evidence.recent(ACCURACY)
    if evidence.done < facts.epochs or before is None or recent is None:
        return []
    level, now = float(before.mean()), float(recent.mean())
    bound = quantile(SHOWN_LEVEL / 2) * difference_error(level, now, facts.samples)
    if abs(now - level) > bound or 1 - level < bound:
        return []
    return [
        Finding(
            "no_difference",
            "run",
            f"no difference from the end of the warm-up is shown: validation accuracy {points(level)} % then, "
            f"{points(now)} % now ({points(now - level, signed=True)} points of "
            f"{counted(facts.samples, 'sample')}; more than "
            f"{points(bound)} would be)",
            "compare with --method joint over several seeds (`raymm study`); a longer training, another method or a "
            "larger validation split may show one",
            "note",
            {"before": level, "now": now, "bound": bound},
        )
    ]


def no_difference_from(table: ValuationTable, baseline: ValuationTable, name: str) -> list[Finding]:
    """A run whose answers are not shown to be better or worse than those of another: McNemar's exact test.

    Nothing is said of a task that does not say which answers are right.

    Parameters
    ----------
    table, baseline
        Valuations of the same samples in any order, such as the test tables of two runs.
    name
        Of the baseline, for people.

    Raises
    ------
    DataError
        When the tables are not of the same samples.
    """
    if set(table.sample_id.tolist()) != set(baseline.sample_id.tolist()):
        raise DataError(f"'{name}' is not of the same samples; compare runs on one data set")
    if not table.shows_right:
        return []
    own, other = (each.grand_correct[np.argsort(each.sample_id)] for each in (table, baseline))
    test = mcnemar(own, other)
    if test.p <= SHOWN_LEVEL:
        return []
    return [
        Finding(
            "no_difference",
            name,
            f"no difference from {name} is shown: accuracy {points(own.mean())} % against {points(other.mean())} % "
            f"on {counted(len(own), 'sample')}, {test.only_first} right only here and {test.only_second} only there, "
            f"p {test.p:.2f}",
            "one pair of runs says little: `raymm study` repeats both over seeds, at equal cost",
            "note",
            {"only_here": test.only_first, "only_there": test.only_second, "p": test.p},
        )
    ]
