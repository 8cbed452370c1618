"""What the rows of any valuation table must be, whoever made it, and how ids are told apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from raymm.tasks.labels import Labels
    from raymm.valuation.table import ValuationTable

__all__ = ["repeated", "wrong_values"]

PIECE = 4_096
"""Ids that are hashed at a time."""


def wrong_values(table: ValuationTable) -> list[str]:
    """What no valuation gives, in words: labels outside of the classes, and values that are infinite."""
    info = table.info
    if info.class_names and info.classes not in {0, len(info.class_names)}:
        return [f"it is of {info.classes} classes, and names {len(info.class_names)}"]
    wrong: list[str] = []
    for name, values in (("label", table.label), ("prediction", table.prediction)):
        outside, why = _outside(values, info.classes or len(info.class_names))
        wrong += _said(table, outside, name, values, why)
    for position, name in enumerate(info.modalities):
        values = table.phi[:, position]
        wrong += _said(table, np.isinf(values), f"phi_{name}", values, "is not finite")
    return wrong


def _outside(values: Labels, classes: int) -> tuple[npt.NDArray[np.bool_], str]:
    """Which rows hold no label of a task with so many classes (0: not known), bool [N], and why."""
    if values.dtype.kind == "f":
        return np.asarray(~np.isfinite(values).all(axis=1)), "is not finite"
    if values.ndim > 1 or not classes:
        return np.zeros(len(values), np.bool_), ""
    return np.asarray((values < 0) | (values >= classes)), f"is outside the {classes} classes"


def repeated(ids: npt.NDArray[Any]) -> tuple[str, int] | None:
    """An id that stands in more than one row, and in how many; None where all are different.

    Equal hashes are looked for, so that texts are compared only where there are some.

    >>> repeated(np.array(["a", "b", "c"])), repeated(np.array(["a", "b", "a"]))
    (None, ('a', 2))
    """
    hashes = _hashes(ids)
    order = np.sort(hashes)
    twice = order[1:][order[1:] == order[:-1]]
    if not len(twice):
        return None
    names, counts = np.unique(ids[np.isin(hashes, twice)], return_counts=True)
    return (str(names[counts > 1][0]), int(counts.max())) if (counts > 1).any() else None


def _hashes(ids: npt.NDArray[Any]) -> npt.NDArray[np.uint64]:
    """A number of each id, the same for the same: of an array of texts, its letters times drawn odd numbers."""
    if ids.dtype.kind != "U":
        return np.fromiter((hash(one) % 2**64 for one in ids), np.uint64, len(ids))
    letters = ids.dtype.itemsize // 4
    odd = 2 * np.random.default_rng(0).integers(0, 2**63, letters, np.uint64) + np.uint64(1)
    hashes = np.empty(len(ids), np.uint64)
    for start in range(0, len(ids), PIECE):
        piece = np.ascontiguousarray(ids[start : start + PIECE]).view(np.uint32).reshape(-1, letters)
        hashes[start : start + len(piece)] = np.einsum("rl,l->r", piece, odd)
    return hashes


def _said(
    table: ValuationTable, wrong: npt.NDArray[np.bool_], name: str, values: npt.NDArray[Any], why: str
) -> list[str]:
    """The first sample of which a value is wrong, and how many more there are."""
    if not wrong.any():
        return []
    row, more = int(wrong.argmax()), int(wrong.sum()) - 1
    return [f"sample '{table.sample_id[row]}': {name} {values[row]} {why}" + (f", and {more:,} more" if more else "")]
