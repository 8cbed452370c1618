"""How long the values of a modality are that is cut to a length when it is read, and how many are cut."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from raymm.data.schema import Schema

__all__ = ["Lengths", "length_lines", "lengths_of", "summary_of"]

Lengths = dict[str, dict[str, Any]]
"""By modality: `counts` (values of each length, the length as text) and `cut` (values that are cut)."""


def lengths_of(samples: Iterable[Mapping[str, Any]], schema: Schema) -> Lengths:
    """Lengths of the values of some samples; only modalities that have a length are there."""
    found: Lengths = {}
    for spec in schema.modalities:
        measured = [spec.length_of(values[spec.name]) for values in samples if values[spec.name] is not None]
        pairs = [pair for pair in measured if pair is not None]
        if pairs:
            counts = Counter(str(length) for length, _ in pairs)
            found[spec.name] = {"counts": dict(counts), "cut": sum(cut for _, cut in pairs)}
    return found


def summary_of(parts: Sequence[Lengths]) -> dict[str, dict[str, int]]:
    """For each modality: `samples` that have it, `median` and `longest` length, and how many are `cut`.

    Examples
    --------
    >>> summary_of([{"t": {"counts": {"3": 2, "9": 1}, "cut": 1}}, {"t": {"counts": {"5": 2}, "cut": 0}}])
    {'t': {'samples': 5, 'median': 5, 'longest': 9, 'cut': 1}}
    """
    summary = {}
    for name in dict.fromkeys(name for part in parts for name in part):
        own = [part[name] for part in parts if name in part]
        counts: Counter[int] = Counter()
        for part in own:
            counts.update({int(length): count for length, count in part["counts"].items()})
        summary[name] = {
            "samples": counts.total(),
            "median": _median(counts),
            "longest": max(counts),
            "cut": sum(part["cut"] for part in own),
        }
    return summary


def length_lines(summary: Mapping[str, Mapping[str, int]], schema: Schema) -> list[str]:
    """A sentence on each modality of which values are cut."""
    return [
        f"{name}: {found['cut']} of {found['samples']} values are cut to what the encoder is given "
        f"({schema[name].length_unit}: median {found['median']}, longest {found['longest']}); "
        f"{schema[name].length_advice}"
        for name, found in summary.items()
        if found["cut"]
    ]


def _median(counts: Counter[int]) -> int:
    """The lower median."""
    seen, half = 0, (counts.total() + 1) // 2
    for length in sorted(counts):
        seen += counts[length]
        if seen >= half:
            return length
    raise AssertionError("no values")
