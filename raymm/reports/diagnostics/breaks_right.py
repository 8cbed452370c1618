"""A modality breaks right answers: adding it to all others spoils more answers than it repairs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from raymm.counts import counted
from raymm.reports.diagnostics.bounds import points
from raymm.reports.diagnostics.finding import Finding
from raymm.reports.statistics import broken_more_p
from raymm.tracking.metrics import breaks_metric, repairs_metric

if TYPE_CHECKING:
    from raymm.reports.diagnostics.evidence import Evidence

__all__ = ["breaks_right"]


def breaks_right(evidence: Evidence) -> list[Finding]:
    """Modalities that turn more right answers wrong than wrong ones right, in each of the recent epochs.

    Re-sampling a low contributor rests on marginals that are not negative: where they are, more training of it need
    not help. The test is McNemar's, exact and one-sided.
    """
    facts, found = evidence.facts, []
    for name in facts.modalities:
        samples = facts.accompanied[name]
        shares = [evidence.recent(metric(name)) for metric in (breaks_metric, repairs_metric)]
        if shares[0] is None or shares[1] is None:
            continue
        broken, repaired = (np.rint(share * samples).astype(int) for share in shares if share is not None)
        if broken_more_p(broken, repaired).max() <= evidence.level(len(facts.modalities)):
            found.append(_finding(name, int(broken[-1]), int(repaired[-1]), samples))
    return found


def _finding(name: str, broken: int, repaired: int, samples: int) -> Finding:
    p = float(broken_more_p(broken, repaired))
    return Finding(
        "breaks_right",
        name,
        f"{name} breaks right answers: of {counted(samples, 'validation sample')} it turns {broken} right "
        "answers of the other "
        f"modalities wrong ({points(broken / samples)} %) and {repaired} wrong ones right "
        f"({points(repaired / samples)} %), p {p:.1g}",
        f"list these samples (`raymm value`, pattern '{name} breaks'); check that {name} is the same in training and "
        "validation, regularise its encoder, give it a smaller weight (model.calibrate=modality_weights), or train "
        "without it",
        "warning",
        {
            breaks_metric(name): broken / samples,
            repairs_metric(name): repaired / samples,
            "p": p,
        },
    )
