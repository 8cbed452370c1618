"""Failure signatures of a run, in words: what its numbers show, and what to try next (`docs/diagnostics.md`).

A signature is a pure function of a run's facts and history to its findings, one file each.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from raymm.reports.diagnostics.accuracy_fell import accuracy_fell
from raymm.reports.diagnostics.at_chance import at_chance
from raymm.reports.diagnostics.breaks_right import breaks_right
from raymm.reports.diagnostics.conflict import conflict
from raymm.reports.diagnostics.label_shift import label_shift
from raymm.reports.diagnostics.low_contributor import low_contributor
from raymm.reports.diagnostics.no_difference import no_difference, no_difference_from
from raymm.reports.diagnostics.unstable_values import unstable_values

if TYPE_CHECKING:
    from raymm.reports.diagnostics.evidence import Evidence
    from raymm.reports.diagnostics.finding import Finding

__all__ = ["SIGNATURES", "diagnose", "no_difference_from"]

SIGNATURES: tuple[Callable[[Evidence], list[Finding]], ...] = (
    breaks_right,
    accuracy_fell,
    at_chance,
    low_contributor,
    unstable_values,
    conflict,
    no_difference,
    label_shift,
)
"""In the order in which findings are told: what spoils the result first."""


def diagnose(evidence: Evidence) -> list[Finding]:
    """All findings of a run after the epochs of its history."""
    return [finding for signature in SIGNATURES for finding in signature(evidence)]
