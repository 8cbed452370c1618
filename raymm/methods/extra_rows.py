"""Helpers of methods that add rows: from counts or probabilities to `ExtraRows`, and means over valued samples."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from raymm.errors import Problems, TrainingError
from raymm.methods.base import PIECE, ExtraRows
from raymm.seeds import derive, keys_of, uniform
from raymm.valuation.bits import masks_of

if TYPE_CHECKING:
    from raymm.methods.base import ResamplingInputs, Rows
    from raymm.methods.functions import Function

__all__ = [
    "bernoulli_copies",
    "checked",
    "copies_of",
    "copies_of_pieces",
    "mean_contributions",
    "random_rows",
    "random_subset",
]


def copies_of(counts: npt.NDArray[np.int64]) -> ExtraRows:
    """Copies that keep one modality each, from a table of counts [N, n].

    >>> copies_of(np.array([[0, 2], [1, 0]])).keep.tolist()
    [2, 2, 1]
    """
    return copies_of_pieces([counts])


def copies_of_pieces(counts: Iterable[npt.NDArray[np.int64]]) -> ExtraRows:
    """The same from the table in consecutive pieces, of which only one is in memory at a time."""
    position, keep, start = [], [], 0
    for piece in counts:
        where, modality = np.nonzero(piece)
        repeats = piece[where, modality]
        position.append(np.repeat(where + start, repeats))
        keep.append(np.int64(1) << np.repeat(modality, repeats))
        start += len(piece)
    return ExtraRows(np.concatenate(position), np.concatenate(keep))


def bernoulli_copies(inputs: ResamplingInputs, d: npt.NDArray[np.float64], fm: Function) -> ExtraRows:
    """One copy that keeps modality i of a sample with probability fm(d_i), d float64 [N, n]."""

    def counts() -> Iterator[npt.NDArray[np.int64]]:
        start = 0
        for piece in inputs.pieces():
            probability = np.clip(fm(d[start : start + len(piece.present)]), 0.0, 1.0)
            drawn = piece.draw("modality", probability.shape[1]) < probability
            yield (drawn & piece.present).astype(np.int64)
            start += len(piece.present)

    return copies_of_pieces(counts())


def checked(extra: object, present: npt.NDArray[np.bool_], method: str) -> ExtraRows:
    """The rows that a plan adds, in one form: int64 and float32.

    Parameters
    ----------
    present
        Modalities that the samples have, bool [N, n].
    method
        For the message.

    Raises
    ------
    TrainingError
        When they are no `ExtraRows`, lengths or types are other than described there, a position or code is out of
        range, a row keeps nothing that its sample has, or a weight is negative or not finite.

    Examples
    --------
    >>> checked(ExtraRows(np.array([2]), np.array([4])), np.ones((2, 2), bool), "Mine")
    Traceback (most recent call last):
    raymm.errors.TrainingError: the plan of Mine: 2 problems
      - position has numbers outside of 0 to 1, such as 2
      - keep has codes outside of 1 to 3, such as 4
    """
    problems = Problems(f"the plan of {method}")
    if not isinstance(extra, ExtraRows):
        problems.add(f"is a {type(extra).__name__}; return raymm.methods.ExtraRows(position, keep, weight)")
        problems.raise_if_any(TrainingError)
    assert isinstance(extra, ExtraRows)
    position, keep = np.asarray(extra.position), np.asarray(extra.keep)
    weight = np.broadcast_to(np.float32(1), position.shape) if extra.weight is None else np.asarray(extra.weight)
    count, codes = len(present), 2 ** present.shape[1]
    problems.extend(_wrong_whole_numbers("position", position, "numbers", 0, count - 1))
    problems.extend(_wrong_whole_numbers("keep", keep, "codes", 1, codes - 1))
    if not position.shape == keep.shape == weight.shape:
        problems.add(f"lengths differ: position {position.shape}, keep {keep.shape}, weight {weight.shape}")
    elif not problems.items and (row := _first_empty(position, keep, present)) is not None:
        problems.add(f"row {row} keeps only modalities that its sample lacks (position {position[row]})")
    problems.extend(_wrong_groups(extra, position.size))
    if weight.dtype.kind not in "fiu" or not (np.isfinite(weight) & (weight >= 0)).all():
        problems.add("weight holds something else than finite numbers from 0 on")
    problems.raise_if_any(TrainingError)
    own = None if extra.weight is None else weight.astype(np.float32)
    group = None if extra.group is None else np.asarray(extra.group).astype(np.int64)
    return ExtraRows(position.astype(np.int64, copy=False), keep.astype(np.int64, copy=False), own, extra.base, group)


def _first_empty(
    position: npt.NDArray[np.int64], keep: npt.NDArray[np.int64], present: npt.NDArray[np.bool_]
) -> int | None:
    """The first row that keeps nothing that its sample has; None where each keeps something."""
    for start in range(0, len(position), PIECE):
        rows = slice(start, start + PIECE)
        kept = masks_of(keep[rows], present.shape[1]) & present[position[rows]]
        if not (some := kept.any(axis=1)).all():
            return start + int(np.flatnonzero(~some)[0])
    return None


def _wrong_groups(extra: ExtraRows, rows: int) -> list[str]:
    """What is wrong with rows that stand in the place of the samples, or with their groups."""
    found = [] if extra.base or rows else ["base is False and there is no row, so that nothing would be trained"]
    if extra.group is None:
        return found
    if extra.base:
        found.append("group is for rows that stand alone; set base=False")
    group = np.asarray(extra.group)
    if group.dtype.kind not in "iu" or group.shape != (rows,):
        found.append(f"group is {group.dtype} {list(group.shape)}; expected whole numbers [{rows}]")
    return found


def _wrong_whole_numbers(name: str, values: npt.NDArray[Any], words: str, least: int, most: int) -> list[str]:
    if not values.size:
        return []
    if values.dtype.kind not in "iu" or values.ndim != 1:
        return [f"{name} is {values.dtype} {list(values.shape)}; expected whole numbers [R]"]
    wrong = values[(values < least) | (values > most)]
    return [f"{name} has {words} outside of {least} to {most}, such as {wrong[0]}"] if len(wrong) else []


def mean_contributions(phi: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Mean over the samples that were valued and have the modality, [n]; NaN where there is none.

    >>> mean_contributions(np.array([[1.0, np.nan], [3.0, np.nan]])).tolist()
    [2.0, nan]
    """
    known = ~np.isnan(phi)
    total = np.where(known, phi, 0.0).sum(axis=0)
    return np.where(known.any(axis=0), total / np.maximum(known.sum(axis=0), 1), np.nan)


def random_subset(rows: Rows, part: float, seed: int) -> Rows:
    """Z: a random part of `rows`, without replacement, at least one, in ascending order.

    >>> len(random_subset(np.arange(100), 0.2, seed=0))
    20
    """
    return random_rows(rows, max(1, round(part * len(rows))), seed)


def random_rows(rows: Rows, count: int, seed: int) -> Rows:
    """At most `count` of `rows`, drawn without replacement, in ascending order.

    >>> len(random_rows(np.arange(100), 30, seed=0))
    30
    """
    own = derive(seed, "subset")
    pieces = (rows[start : start + PIECE] for start in range(0, max(1, len(rows)), PIECE))
    drawn = np.concatenate([uniform(keys_of(own, piece), 1)[:, 0] for piece in pieces])
    return np.sort(rows[np.argsort(drawn, kind="stable")[:count]])
