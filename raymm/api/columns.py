"""Columns of a collection in memory as items, one a sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from raymm.counts import counted
from raymm.data.indexed.own_items import TOLD
from raymm.errors import DataError, Problems

__all__ = ["Columns"]

KEYS = {"ids": "id", "splits": "split", "sources": "source", "groups": "group"}
"""What an item calls that which an argument says of all samples."""


class Columns:
    """A map-style data set over columns of one length.

    Parameters
    ----------
    values
        By the name of the modality: an array or tensor whose first axis are the samples, or a sequence of values, of
        which None is missing.
    labels
        One a sample.
    told
        What else is known of the samples: `ids`, `splits`, `sources`, `groups`; None where nothing is.
    one_label
        Whether labels [N, 1] are one a sample, and no lists of one.

    Raises
    ------
    DataError
        When there is no column, one is none, is of another length than the labels, or has a
        name that means something else.
    """

    def __init__(
        self, values: Mapping[str, Any], labels: Sequence[Any], told: Mapping[str, Any], *, one_label: bool
    ) -> None:
        known = {name: column for name, column in told.items() if column is not None}
        problems = Problems("write_dataset")
        if not values:
            problems.add("columns: there is none; give a mapping from the names of modalities to arrays")
        for name in (name for name in values if name in TOLD):
            problems.add(f"'{name}' is no name of a modality here; give it as an argument, or rename it")
        shown = {f"'{name}'": column for name, column in values.items()} | known
        for name, column in {"labels": labels, **shown}.items():
            if trouble := _trouble(column):
                problems.add(f"{name} {trouble}")
            elif not _trouble(labels) and len(column) != len(labels):
                problems.add(f"{name} has {counted(len(column), 'row')}, the labels have {len(labels)}")
        problems.raise_if_any(DataError)
        self._columns = {name: _by_position(column) for name, column in values.items()}
        self._columns |= {KEYS[name]: _flat(_by_position(column)) for name, column in known.items()}
        by_position = _by_position(labels)
        self._columns["label"] = _flat(by_position) if one_label else by_position

    def __len__(self) -> int:
        return len(self._columns["label"])

    def __getitem__(self, row: int) -> dict[str, Any]:
        return {name: _plain(column[row]) for name, column in self._columns.items()}


def _trouble(column: Any) -> str:
    """What keeps something from being a column, in words; empty when nothing does."""
    try:
        len(column)
        fits = hasattr(type(column), "__getitem__") and not isinstance(column, str | bytes | bytearray | Mapping)
    except TypeError:
        fits = False
    single = " without an axis" if getattr(column, "ndim", None) == 0 else ""
    return (
        "" if fits else f"is a {type(column).__name__}{single}; give an array, tensor or list of one entry a sample"
    )


def _by_position(column: Any) -> Any:
    """The column; one of pandas, which finds rows by their labels, as an array."""
    is_of_arrow = hasattr(column, "to_pylist")  # whose rows may be lists, which make no array of numpy
    return column.to_numpy() if hasattr(column, "to_numpy") and not is_of_arrow else column


def _flat(column: Any) -> Any:
    """The column; one of shape [N, 1] as [N]."""
    return column[:, 0] if getattr(column, "ndim", 0) == 2 and column.shape[1] == 1 else column


def _plain(entry: Any) -> Any:
    """The entry of a column; one of Arrow as an object of Python."""
    return entry.as_py() if hasattr(entry, "as_py") else entry
