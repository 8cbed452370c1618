"""Recorded metrics, beside those of today."""

from collections.abc import Mapping

FLOAT32 = "/macro_f1"
"""What was computed with 24 binary digits then."""


def same_metrics(found: Mapping[str, float | None], recorded: Mapping[str, float | None]) -> bool:
    """Equality of metrics by name, of F1 scores to the precision that they had."""
    return found.keys() == recorded.keys() and all(_same(name, found[name], recorded[name]) for name in recorded)


def _same(name: str, found: float | None, recorded: float | None) -> bool:
    if not name.endswith(FLOAT32) or found is None or recorded is None:
        return found == recorded
    return abs(found - recorded) <= 1e-6
