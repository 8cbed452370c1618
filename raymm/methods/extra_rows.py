"""Helpers of methods that add rows: from counts or probabilities to `ExtraRows`, and means over valued samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from raymm.errors import Problems, TrainingError
from raymm.methods.base import ExtraRows
from raymm.seeds import derive, keys_of, uniform
from raymm.valuation.bits import masks_of

if TYPE_CHECKING:
    from raymm.methods.base import ResamplingInputs, Rows
    from raymm.methods.functions import Function

__all__ = ["bernoulli_copies", "checked", "copies_of", "mean_contributions", "random_rows", "random_subset"]


def copies_of(counts: npt.NDArray[np.int64]) -> ExtraRows:
    """Copies that keep one modality each, from a table of counts [N, n].

    >>> copies_of(np.array([[0, 2], [1, 0]])).keep.tolist()
    [2, 2, 1]
    """
    position, modality = np.nonzero(counts)
    repeats = counts[position, modality]
    return ExtraRows(np.repeat(position, repeats), np.int64(1) << np.repeat(modality, repeats))


def bernoulli_copies(inputs: ResamplingInputs, d: npt.NDArray[np.float64], fm: Function) -> ExtraRows:
    """One copy that keeps modality i of a sample with probability fm(d_i), d float64 [N, n]."""
    probability = np.clip(fm(d), 0.0, 1.0)
    drawn = inputs.draw("modality", probability.shape[1]) < probability
    return copies_of((drawn & inputs.present).astype(np.int64))


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
    weight = np.ones(len(position), np.float32) if extra.weight is None else np.asarray(extra.weight)
    count, codes = len(present), 2 ** present.shape[1]
    problems.extend(_wrong_whole_numbers("position", position, "numbers", 0, count - 1))
    problems.extend(_wrong_whole_numbers("keep", keep, "codes", 1, codes - 1))
    if not position.shape == keep.shape == weight.shape:
        problems.add(f"lengths differ: position {position.shape}, keep {keep.shape}, weight {weight.shape}")
    elif not problems.items and (empty := ~(masks_of(keep, present.shape[1]) & present[position]).any(axis=1)).any():
        row = int(np.flatnonzero(empty)[0])
        problems.add(f"row {row} keeps only modalities that its sample lacks (position {position[row]})")
    problems.extend(_wrong_groups(extra, len(position)))
    if weight.dtype.kind not in "fiu" or not (np.isfinite(weight) & (weight >= 0)).all():
        problems.add("weight holds something else than finite numbers from 0 on")
    problems.raise_if_any(TrainingError)
    own = None if extra.weight is None else weight.astype(np.float32)
    group = None if extra.group is None else np.asarray(extra.group).astype(np.int64)
    return ExtraRows(position.astype(np.int64), keep.astype(np.int64), own, extra.base, group)


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
    order = np.argsort(uniform(keys_of(derive(seed, "subset"), rows), 1)[:, 0], kind="stable")
    return np.sort(rows[order[:count]])
