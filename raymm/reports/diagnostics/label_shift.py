"""Label shift between training and validation: what is picked on validation is picked for other data."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scipy import stats

from raymm.reports.diagnostics.bounds import SIGNATURE_LEVEL, points
from raymm.reports.diagnostics.finding import Finding

if TYPE_CHECKING:
    from raymm.reports.diagnostics.evidence import Evidence

__all__ = ["label_shift"]

LARGE = 20
"""Difference of a class's shares, in percent, from which it is told: less hardly changes which epoch is best."""


def label_shift(evidence: Evidence) -> list[Finding]:
    """The class whose shares of training and validation samples differ most, where they differ by much.

    Fisher's exact test, two-sided, at `SIGNATURE_LEVEL` over the number of classes. No epoch changes it, so it is
    told from the first on.
    """
    facts = evidence.facts
    if not facts.labels:
        return []
    sizes = (facts.training, facts.samples)
    shares = {name: (train / sizes[0], val / sizes[1]) for name, (train, val) in facts.labels.items()}
    name, (train, val) = max(shares.items(), key=lambda of: abs(of[1][0] - of[1][1]))
    counts = facts.labels[name]
    apart = abs(counts[0] * sizes[1] - counts[1] * sizes[0])  # of whole numbers, which is exact
    if 100 * apart < LARGE * sizes[0] * sizes[1]:
        return []
    table = [(count, size - count) for count, size in zip(counts, sizes, strict=True)]
    p = float(stats.fisher_exact(table).pvalue)
    if p > SIGNATURE_LEVEL / len(shares):
        return []
    return [
        Finding(
            "label_shift",
            "run",
            f"validation is not like training: {name} is the label of {points(val)} % of {sizes[1]} validation "
            f"samples and of {points(train)} % of {sizes[0]} training samples, p {p:.1g}",
            "the epoch and all else that is picked on validation is picked for data like it; if that is not meant, "
            "look for many near copies of one sample, or for samples in an order: `raymm prepare` without a column "
            "`split` spreads classes evenly, and keeps a `group` whole",
            "note",
            {"train share": train, "val share": val, "p": p},
        )
    ]
