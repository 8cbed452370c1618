"""A low contributor stays low: the imbalance that re-sampling is for was there, and is still."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from raymm.counts import counted
from raymm.reports.diagnostics.advice import TRAINED_ALONE, first_method
from raymm.reports.diagnostics.bounds import points, quantile
from raymm.reports.diagnostics.finding import Finding
from raymm.tracking.metrics import low_metric, phi_metric

if TYPE_CHECKING:
    from raymm.reports.diagnostics.evidence import Evidence, Series

__all__ = ["low_contributor"]

GAP = 0.25
"""Share of samples by which one is low: on a quarter more of them than the highest contributor it is below the fair
share. Of two modalities that is how much more often the other one carries the answer."""
CLOSED = 1 / 3
"""Part of the gap by which it must have closed not to stay low."""


def low_contributor(evidence: Evidence) -> list[Finding]:
    """Modalities below the fair share on far more samples than the highest contributor, before and still.

    Before is the warm-up, or the first third of the epochs. Nothing is said of a utility without a fair share.
    """
    names = evidence.facts.modalities
    before = {name: evidence.earlier(low_metric(name), evidence.settled) for name in names}
    recent = {name: evidence.recent(low_metric(name)) for name in names}
    known = [name for name in names if before[name] is not None and recent[name] is not None]
    if len(known) < 2:
        return []
    found = []
    highest = min(known, key=lambda name: _mean(recent[name]))
    for name in known:
        gap, first = (_mean(low[name]) - _mean(low[highest]) for low in (recent, before))
        stays = gap >= GAP and first >= GAP and gap > (1 - CLOSED) * first
        if stays and _shown(evidence, name, highest):
            found.append(_finding(evidence, name, highest, first))
    return found


def _mean(values: Series | None) -> float:
    assert values is not None
    return float(values.mean())


def _shown(evidence: Evidence, name: str, highest: str) -> bool:
    """Whether the gap is above 0 by more than chance, in each recent epoch.

    The variance of the difference of two shares a and b of the same samples is at most P(differ) - (a - b)^2, and
    P(differ) at most min(a + b, 2 - a - b).
    """
    facts = evidence.facts
    samples = min(facts.validation[name], facts.validation[highest])
    deviate = quantile(evidence.level(len(facts.modalities)))
    own, other = evidence.recent(low_metric(name)), evidence.recent(low_metric(highest))
    return all(
        a - b > deviate * math.sqrt(max(min(a + b, 2 - a - b) - (a - b) ** 2, 0.0) / samples)
        for a, b in zip(own if own is not None else (), other if other is not None else (), strict=True)
    )


def _finding(evidence: Evidence, name: str, highest: str, first: float) -> Finding:
    facts, last = evidence.facts, evidence.history[-1]["metrics"]
    metrics = [low_metric(name), low_metric(highest), phi_metric("val", name), phi_metric("val", highest)]
    low, other, phi, other_phi = (float(last[metric]) for metric in metrics)
    since = "in the warm-up" if facts.reference else "in the first third"
    return Finding(
        "low_contributor",
        name,
        f"{name} stays a low contributor: below the fair share on {points(low)} % of "
        f"{counted(facts.validation[name], 'validation sample')}, {highest} on {points(other)} %; the gap of "
        f"{points(low - other)} points was "
        f"{points(first)} {since}; mean phi {phi:.2f} against {other_phi:.2f}",
        _advice(evidence, name),
        "warning",
        {**dict(zip(metrics, (low, other, phi, other_phi), strict=True)), "gap_before": first},
    )


def _advice(evidence: Evidence, name: str) -> str:
    method = evidence.facts.method
    if method in TRAINED_ALONE:
        return (
            f"{method} trains {name} alone already: see what {name} can tell by itself (--method alone "
            f"method.settings.modality={name}); if that is more, give it a better encoder or more epochs; if not, "
            "leave it as it is"
        )
    if not evidence.facts.resamples:
        return f"train with {first_method('coalition', 'multitask', 'sample')}, which acts on low contributors"
    return (
        f"see whether {name} can be learned at all (val/accuracy_{name}); if so, supervise it directly "
        f"({first_method('coalition', 'multitask', 'random')}); if not, leave it as it is"
    )
