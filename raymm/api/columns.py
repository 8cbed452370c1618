"""Columns of a collection in memory as items, one a sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from raymm.counts import counted
from raymm.errors import DataError, Problems

__all__ = ["Columns"]


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
        What else is known of the samples: `id`, `split`, `source`, `group`; None where nothing is.

    Raises
    ------
    DataError
        When there is no column, or with every column of another length than the labels.
    """

    def __init__(
        self, values: Mapping[str, Any], labels: Sequence[Any], told: Mapping[str, Sequence[Any] | None]
    ) -> None:
        known = {name: column for name, column in told.items() if column is not None}
        problems = Problems("columns")
        if not values:
            problems.add("there is none; give a mapping from the names of modalities to arrays")
        for name in set(values) & {"label", *told}:
            problems.add(f"'{name}' is no name of a modality here; give it as an argument, or rename it")
        for name, column in {**values, **known}.items():
            if len(column) != len(labels):
                problems.add(f"'{name}' has {counted(len(column), 'row')}, the labels have {len(labels)}")
        problems.raise_if_any(DataError)
        whole = {**values, **known, "label": labels}
        self._columns = {name: _by_position(column) for name, column in whole.items()}

    def __len__(self) -> int:
        return len(self._columns["label"])

    def __getitem__(self, row: int) -> dict[str, Any]:
        return {name: column[row] for name, column in self._columns.items()}


def _by_position(column: Any) -> Any:
    """The column; one of pandas, which finds rows by their labels, as an array."""
    return column.to_numpy() if hasattr(column, "to_numpy") else column
