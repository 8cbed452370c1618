"""Accuracy falls after re-sampling starts: copies are learned by heart, or pull the model away from the data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from raymm.counts import counted
from raymm.reports.diagnostics.bounds import difference_error, points, quantile
from raymm.reports.diagnostics.finding import Finding
from raymm.tracking.metrics import TRAIN_ACCURACY_COPIED, TRAIN_ACCURACY_UNCOPIED, split_metric

if TYPE_CHECKING:
    from raymm.reports.diagnostics.evidence import Evidence

__all__ = ["accuracy_fell"]

ACCURACY = split_metric("val", "accuracy")


def accuracy_fell(evidence: Evidence) -> list[Finding]:
    """Validation accuracy of the recent epochs below its level before the first copies, by more than chance.

    The level is the mean of the last epochs of the warm-up. The bound is that of two independent samples of the
    validation split, which is wide: both levels are of the same samples.
    """
    facts = evidence.facts
    before, recent = evidence.earlier(ACCURACY, facts.reference), evidence.recent(ACCURACY)
    if not facts.resamples or before is None or recent is None:
        return []
    level, now = float(before.mean()), float(recent.mean())
    bound = quantile(evidence.level()) * difference_error(level, now, facts.samples)
    if level - now <= bound or (recent >= level).any():
        return []
    return [_finding(evidence, level, now)]


def _finding(evidence: Evidence, level: float, now: float) -> Finding:
    last = evidence.history[-1]["metrics"]
    copied, uncopied = last.get(TRAIN_ACCURACY_COPIED), last.get(TRAIN_ACCURACY_UNCOPIED)
    gaps = {
        name: value - now for name, value in (("gap_copied", copied), ("gap_uncopied", uncopied)) if value is not None
    }
    return Finding(
        "accuracy_fell",
        "run",
        f"validation accuracy fell after re-sampling began: from {points(level)} % to {points(now)} % of "
        f"{counted(evidence.facts.samples, 'sample')}{_in_words(gaps)}",
        _advice(gaps, evidence.facts.in_place),
        "warning",
        {"before": level, "now": now, **gaps},
    )


def _in_words(gaps: dict[str, float]) -> str:
    named = {"gap_copied": "copied", "gap_uncopied": "uncopied"}
    words = [f"{points(gap, signed=True)} on {named[name]} samples" for name, gap in gaps.items()]
    return f"; training accuracy less validation accuracy, in points: {', '.join(words)}" if words else ""


def _advice(gaps: dict[str, float], in_place: bool) -> str:
    if in_place:
        return (
            "no sample is trained whole any more: try a longer method.warmup, a smaller optimizer.lr or more "
            "regularisation, and compare with --method random and --method joint"
        )
    fewer = "fewer copies (method.row_budget=0.5), a smaller optimizer.lr or more regularisation"
    control = "and compare with --method random and --method joint"
    if gaps.get("gap_copied", 0.0) > max(gaps.get("gap_uncopied", 0.0), 0.0):
        return f"copied samples are learned by heart: try {fewer}, {control}"
    return f"copies pull the model away from the other samples: try {fewer}, {control}"
