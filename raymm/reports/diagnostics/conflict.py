"""Gradient conflict: what all modalities together need of one opposes what it needs alone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from raymm.counts import counted
from raymm.reports.diagnostics.advice import first_method
from raymm.reports.diagnostics.bounds import quantile
from raymm.reports.diagnostics.finding import Finding
from raymm.tracking.metrics import conflict_metric, conflict_rows_metric

if TYPE_CHECKING:
    from raymm.reports.diagnostics.evidence import Evidence

__all__ = ["conflict"]


def conflict(evidence: Evidence) -> list[Finding]:
    """Modalities whose mean cosine is below 0 in the recent epochs, and over all judged rows by more than chance.

    A cosine lies in [-1, 1], so its variance is at most 1 and the error of the mean of R rows at most 1 / sqrt(R).
    """
    facts, found = evidence.facts, []
    for name in facts.modalities:
        recent = evidence.recent(conflict_metric(name))
        cosines, rows = (
            evidence.values(metric(name), evidence.settled, evidence.done)
            for metric in (conflict_metric, conflict_rows_metric)
        )
        if recent is None or cosines is None or rows is None or not rows.any() or (recent >= 0).any():
            continue
        mean, error = float(np.average(cosines, weights=rows)), 1 / math.sqrt(rows.sum())
        if mean < -quantile(evidence.level(len(facts.modalities))) * error:
            found.append(_finding(name, mean, float(cosines[-1]), len(cosines), round(rows.sum())))
    return found


def _finding(name: str, mean: float, last: float, epochs: int, rows: int) -> Finding:
    return Finding(
        "conflict",
        name,
        f"gradients of {name} conflict: the loss of {name} alone and of all modalities pull its features apart, by a "
        f"mean cosine of {mean:.2f} over {counted(epochs, 'epoch')} ({counted(rows, 'row')}; {last:.2f} in the last)",
        f"{first_method('mmpareto', 'mla', 'coalition', 'joint')} takes both losses into account; or give {name} a "
        "fusion of its own (model.fusion=sum)",
        "note",
        {conflict_metric(name): last, "mean": mean},
    )
