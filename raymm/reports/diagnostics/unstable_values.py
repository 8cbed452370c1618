"""Valuation does not reproduce: the samples that were low are not those that are low an epoch later."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from raymm.counts import counted
from raymm.reports.diagnostics.bounds import WINDOW
from raymm.reports.diagnostics.finding import Finding
from raymm.tracking.metrics import agreement_metric, low_metric

if TYPE_CHECKING:
    from raymm.reports.diagnostics.evidence import Evidence, Series

__all__ = ["unstable_values"]

AGREEMENT = 0.2
"""Cohen's kappa up to which agreement is called slight (Landis and Koch, 1977)."""


def unstable_values(evidence: Evidence) -> list[Finding]:
    """Modalities whose low samples agree no more than slightly with those of the epoch before, in recent epochs.

    Kappa k of samples of which shares p and q are low means (1 - k)(p (1 - q) + q (1 - p)) changes of sides. There
    must be more changes than k = `AGREEMENT` gives, by the exact binomial test; so samples that are hardly ever low
    raise no alarm.
    """
    facts, found = evidence.facts, []
    for name in facts.modalities:
        kappa = evidence.recent(agreement_metric(name))
        if kappa is None or (kappa >= AGREEMENT).any():
            continue
        if _p(kappa, _by_chance(evidence, name), facts.validation[name]).max() <= evidence.level(
            len(facts.modalities)
        ):
            found.append(_finding(evidence, name, kappa))
    return found


def _by_chance(evidence: Evidence, name: str) -> Series:
    """Changes of sides that unrelated valuations would show, a share, for each recent epoch; 1/2 for medians."""
    low = evidence.values(low_metric(name), max(evidence.done - WINDOW - 1, 0), evidence.done)
    if low is None or len(low) != WINDOW + 1:
        return np.full(WINDOW, 0.5)
    return low[1:] * (1 - low[:-1]) + low[:-1] * (1 - low[1:])


def _p(kappa: Series, by_chance: Series, samples: int) -> Series:
    """p of as many changes if kappa were `AGREEMENT`, [epochs]."""
    changes = np.rint((1 - kappa) * by_chance * samples)
    return np.asarray(stats.binom.sf(changes - 1, samples, (1 - AGREEMENT) * by_chance))


def _finding(evidence: Evidence, name: str, kappa: Series) -> Finding:
    value = float(kappa[-1])
    return Finding(
        "unstable_values",
        name,
        f"contributions of {name} do not reproduce: which of "
        f"{counted(evidence.facts.validation[name], 'validation sample')} "
        f"are low agrees with the epoch before by a kappa of {value:.2f} (1: the same, 0: chance)",
        "lower optimizer.lr or let it decay (optimizer.schedule=cosine), lengthen method.warmup, or plan by modality "
        "instead of by sample (--method modality)",
        "note",
        {agreement_metric(name): value},
    )
