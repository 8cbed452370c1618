"""A modality at chance alone: by itself it predicts no better than one answer for all."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scipy import stats

from raymm.reports.diagnostics.advice import first_method
from raymm.reports.diagnostics.bounds import SHOWN_LEVEL, points
from raymm.reports.diagnostics.finding import Finding
from raymm.tracking.metrics import split_metric

if TYPE_CHECKING:
    from raymm.reports.diagnostics.evidence import Evidence

__all__ = ["at_chance"]

ROOM = 0.5
"""Part of the way from chance to 1 within which the bound must lie: fewer samples could not tell."""


def at_chance(evidence: Evidence) -> list[Finding]:
    """Modalities whose accuracy alone is not shown to be above chance in any of the recent epochs.

    Chance is the accuracy of the best constant answer, on the validation split the share of its largest class. The
    test is the exact binomial one, at `SHOWN_LEVEL` over the number of modalities.
    """
    facts, found = evidence.facts, []
    for name, chance in facts.chance.items():
        accuracy, samples = evidence.recent(split_metric("val", "accuracy", name)), facts.validation[name]
        bound = float(stats.binom.isf(SHOWN_LEVEL / len(facts.modalities), samples, chance)) / samples
        if accuracy is None or bound > chance + ROOM * (1 - chance):
            continue
        if (accuracy <= bound + 0.5 / samples).all():  # half a sample: counts come as shares
            found.append(_finding(evidence, name, float(accuracy[-1]), chance, bound))
    return found


def _finding(evidence: Evidence, name: str, accuracy: float, chance: float, bound: float) -> Finding:
    alone = split_metric("val", "accuracy", name)
    return Finding(
        "at_chance",
        name,
        f"{name} alone is not shown to be above chance: right on {points(accuracy)} % of "
        f"{evidence.facts.validation[name]} validation samples, the most frequent answer on {points(chance)} %; more "
        f"than {points(bound)} % would be above it",
        f"look at {name} of some samples and at its encoder and rate; train it alone or with "
        f"{first_method('multitask', 'coalition', 'random', but=evidence.facts.method)} to see whether it can be "
        "learned; it may also count only together with others (synergy in `raymm value`)",
        "warning",
        {alone: accuracy, "chance": chance, "bound": bound},
    )
