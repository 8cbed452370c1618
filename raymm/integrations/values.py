"""Contributions as somebody hands them over: a valuation table, or an array with ids or positions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from raymm.data.plain_text import plain_texts
from raymm.errors import DataError, Problems
from raymm.valuation.given_arrays import as_array

__all__ = ["Samples", "read_contributions"]

SHOWN = 3
"""Samples that a message names."""

ROUNDING = 1e-6
"""Part of the span of labels by which they may differ, as some are read from text."""


@dataclass(frozen=True)
class Samples:
    """The samples whose contributions are expected.

    Attributes
    ----------
    rows
        Their positions in the data set, int64 [N], ascending.
    ids
        Their ids, or None where nobody said them.
    modalities
        n names.
    present
        Modalities that they have, bool [N, n].
    utility
        Name of the utility of the plan.
    label
        Labels, or None where nobody said them.
    """

    rows: npt.NDArray[np.int64]
    ids: tuple[str, ...] | None
    modalities: tuple[str, ...]
    present: npt.NDArray[np.bool_]
    utility: str
    label: npt.NDArray[Any] | None = None

    def named(self, places: npt.NDArray[np.int64]) -> str:
        """Some samples by name, for a message; `places` count within `rows`."""
        names = [str(self.rows[place]) if self.ids is None else f"'{self.ids[place]}'" for place in places[:SHOWN]]
        return ", ".join(names) + (" ..." if len(places) > SHOWN else "")


def read_contributions(
    values: Any,
    samples: Samples,
    asked: npt.NDArray[np.int64],
    ids: Sequence[str] | None = None,
    positions: Sequence[int] | npt.NDArray[np.int64] | None = None,
) -> npt.NDArray[np.float64]:
    """phi [N, n] of the samples; NaN for missing modalities and samples without values.

    Parameters
    ----------
    values
        A `ValuationTable`, what has one as `table`, or phi as an array or tensor [M, n].
    asked
        Positions of the samples that must have values, ascending. An array of so many rows is read in their order.
    ids, positions
        Whose rows these are.

    Raises
    ------
    DataError
        Naming whatever does not fit.
    """
    table = getattr(values, "table", values)
    phi = _array(getattr(table, "phi", table))
    _check_game(table, samples)
    if phi.ndim != 2 or phi.shape[1] != len(samples.modalities):
        raise DataError(
            f"contributions are {list(phi.shape)}; expected one row a sample and a column for each of the "
            f"{len(samples.modalities)} modalities {', '.join(samples.modalities)}"
        )
    found = getattr(table, "sample_id", None) if ids is None else ids
    places = _places(len(phi), samples, asked, found, positions)
    whole = np.full((len(samples.rows), phi.shape[1]), np.nan)
    whole[places] = phi
    _check_labels(table, samples, places)
    _check_numbers(whole, samples, np.searchsorted(samples.rows, asked))
    return np.where(samples.present, whole, np.nan)


def _array(phi: Any) -> npt.NDArray[np.float64]:
    try:
        found = as_array(phi)
        numbers = np.array(found.real, dtype=np.float64)
    except (TypeError, ValueError, RuntimeError) as cause:
        raise DataError(
            f"contributions are a {type(phi).__name__}; give a ValuationTable, or phi [samples, modalities] ({cause})"
        ) from cause
    if np.iscomplexobj(found):
        raise DataError(f"contributions are {found.dtype}; give real numbers")
    return numbers


def _check_game(table: Any, samples: Samples) -> None:
    """Refuse a table of other players or of another game, whose numbers would be read as if they were of this one."""
    info, problems = getattr(table, "info", None), Problems("the valuation table")
    if info is None or not hasattr(info, "modalities"):  # as that of a data frame, which is a method
        return
    if tuple(info.modalities) != samples.modalities:
        theirs, ours = ", ".join(info.modalities), ", ".join(samples.modalities)
        problems.add(f"has the modalities {theirs}; the Resampler has {ours}, in this order")
    if info.utility != samples.utility:
        problems.add(f"is of the utility {info.utility}; the Resampler has utility={samples.utility}")
    problems.raise_if_any(DataError)


def _check_labels(table: Any, samples: Samples, places: npt.NDArray[np.int64]) -> None:
    """Refuse a table whose samples have other labels: its rows stand in another order."""
    theirs = getattr(table, "label", None)
    if theirs is None or samples.label is None or np.shape(theirs)[1:] != samples.label.shape[1:]:
        return
    same = _same_labels(np.asarray(theirs), np.asarray(samples.label[places]))
    wrong = np.flatnonzero(~same.reshape(len(places), -1).all(axis=1))
    if len(wrong):
        raise DataError(
            f"the valuation table: {len(wrong)} of its {len(places)} samples have other labels than the Resampler's, "
            f"first sample {samples.named(places[wrong])}; value the samples in their order (a loader that does not "
            "shuffle), or name them by ids= here and in raymm.value"
        )


def _same_labels(theirs: npt.NDArray[Any], ours: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Whether labels are the same, in any unit: to `ROUNDING` of what ours span, and where either are float32, so.

    Whole numbers and booleans, as classes are, must be equal, but for floats of 32 bits that stand for them.
    """
    whole = [each.dtype.kind in "biu" for each in (theirs, ours)]
    same: npt.NDArray[np.bool_] = theirs == ours
    if all(whole):
        return same
    theirs, ours = theirs.astype(np.float64), ours.astype(np.float64)
    with np.errstate(over="ignore"):
        narrow = [each.astype(np.float32).astype(np.float64) for each in (theirs, ours)]
    if np.array_equal(theirs, narrow[0]) or np.array_equal(ours, narrow[1]):
        theirs, ours = narrow
    span = 0.0 if any(whole) or not len(ours) else np.ptp(ours, axis=0)
    close: npt.NDArray[np.bool_] = np.abs(theirs - ours) <= ROUNDING * span
    return close


def _places(
    count: int,
    samples: Samples,
    asked: npt.NDArray[np.int64],
    ids: Sequence[str] | None,
    positions: Sequence[int] | npt.NDArray[np.int64] | None,
) -> npt.NDArray[np.int64]:
    """Where each row of values belongs among the samples, int64 [M]."""
    if positions is not None:
        return _of_positions(count, samples, np.asarray(positions))
    if ids is not None and not (samples.ids is None and list(ids) == [str(number) for number in range(count)]):
        return _of_ids(count, samples, plain_texts(ids, "ids"))
    for whose in (samples.rows, asked):
        if count == len(whose):
            return np.searchsorted(samples.rows, whose)
    which = f"{len(samples.rows)}" + (f", or the {len(asked)} of to_value" if len(asked) < len(samples.rows) else "")
    raise DataError(f"there are {count} rows of contributions; expected all samples, {which}; or say positions=")


def _of_positions(count: int, samples: Samples, positions: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    if positions.shape != (count,) or positions.dtype.kind not in "iu":
        raise DataError(f"positions are {positions.dtype} {list(positions.shape)}; expected {count} whole numbers")
    unknown = np.setdiff1d(positions, samples.rows)
    if len(unknown):
        raise DataError(f"positions: {unknown[0]} is none of the samples that are trained")
    if len(np.unique(positions)) < count:
        raise DataError("positions: a sample stands there twice")
    return np.searchsorted(samples.rows, positions)


def _of_ids(count: int, samples: Samples, ids: list[str]) -> npt.NDArray[np.int64]:
    if samples.ids is None:
        raise DataError(
            f"the contributions name their samples, such as '{ids[0]}', and the Resampler does not know these names; "
            "give it ids=, one a sample, or say positions= here"
        )
    place = {name: number for number, name in enumerate(samples.ids)}
    unknown = [name for name in ids if name not in place]
    if unknown:
        raise DataError(f"contributions: '{unknown[0]}' is none of the samples that are trained")
    if len(ids) != count or len(set(ids)) < count:
        raise DataError(
            f"there are {count} rows of contributions and {len(set(ids))} different ids; expected as many"
        )
    return np.array([place[name] for name in ids], dtype=np.int64)


def _check_numbers(phi: npt.NDArray[np.float64], samples: Samples, asked: npt.NDArray[np.int64]) -> None:
    """Raise for numbers that are not finite, and for modalities of the samples asked for that have none."""
    problems = Problems("contributions")
    infinite = np.flatnonzero(np.isinf(phi).any(axis=1))
    if len(infinite):
        problems.add(f"sample {samples.named(infinite)}: phi is not finite")
    lacking = np.isnan(phi) & samples.present
    valued = np.asarray(np.isfinite(phi).any(axis=1))
    unvalued = asked[~valued[asked]]
    if len(unvalued):
        problems.add(
            f"{len(unvalued)} of the {len(asked)} samples that the plan reads have none: {samples.named(unvalued)}; "
            "value all of resampler.to_value"
        )
    partly = np.flatnonzero(valued & lacking.any(axis=1))
    if len(partly):
        name = samples.modalities[int(np.flatnonzero(lacking[partly[0]])[0])]
        problems.add(
            f"sample {samples.named(partly)}: phi is NaN at '{name}'; say by present= which modalities samples have"
        )
    problems.raise_if_any(DataError)
