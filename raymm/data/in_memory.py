"""Rows that come from memory instead of a data set on disk, such as those that a served model is asked about."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from raymm.data.media.given_array import given_array
from raymm.data.media.problem import MediaError
from raymm.data.schema import ModalitySpec, Schema
from raymm.errors import DataError, Problems
from raymm.tasks.labels import Labels

__all__ = ["MemoryRows", "StoredRows"]

Rows = npt.NDArray[np.int64]


class StoredRows:
    """`SampleRows` over values of the stored form, by modality; None is missing, and labels are unknown (0)."""

    def __init__(self, schema: Schema, values: Mapping[str, Sequence[Any]], names: Sequence[str]) -> None:
        self._values, self._specs = values, {spec.name: spec for spec in schema.modalities}
        present = [[value is not None for value in values[name]] for name in schema.names]
        self.present: npt.NDArray[np.bool_] = np.array(present, dtype=bool).T
        none = schema.task.array([], len(schema.classes))
        self.label: Labels = np.zeros((len(names), *none.shape[1:]), none.dtype)
        self.split: npt.NDArray[np.str_] = np.full(len(names), "test")
        self.sample_id: npt.NDArray[np.str_] = np.array(names, np.str_)

    def __len__(self) -> int:
        return len(self.label)

    def ids(self, rows: Rows) -> npt.NDArray[np.str_]:
        """Ids of some samples."""
        return self.sample_id[rows]

    def splits(self, rows: Rows) -> npt.NDArray[np.str_]:
        """Splits of some samples."""
        return self.split[rows]

    def in_split(self, split: str) -> Rows:
        """Sample numbers of a split, in order."""
        return np.flatnonzero(self.split == split)

    def read(self, name: str, rows: Rows) -> npt.NDArray[Any]:
        """Values of one modality, `[len(rows), *shape]`."""
        values = [self._values[name][row] for row in rows]
        return np.stack(values) if values else np.empty((0, *self._specs[name].shape), self._specs[name].dtype)

    def read_text(self, name: str, rows: Rows) -> list[str]:
        """Strings of a text modality."""
        return [self._values[name][row] for row in rows]

    def sources(self, rows: Rows) -> list[str]:
        """No files."""
        return [""] * len(rows)

    def verify(self, rows: Rows) -> None:
        """Rows in memory are as they were made."""

    def prefetch(self, rows: Rows, kept: npt.NDArray[np.bool_]) -> None:
        """They are there."""


class MemoryRows(StoredRows):
    """Rows of columns of values as people give them.

    Raises
    ------
    DataError
        Naming every row and modality that does not fit the schema.
    """

    def __init__(self, schema: Schema, columns: Mapping[str, Sequence[Any]]) -> None:
        count = max(len(column) for column in columns.values())
        problems = Problems("input")
        checked = {
            spec.name: [
                _checked(value, spec, row, problems)
                for row, value in enumerate(columns.get(spec.name, [None] * count))
            ]
            for spec in schema.modalities
        }
        problems.raise_if_any(DataError)
        stored = {spec.name: [_stored(value, spec) for value in checked[spec.name]] for spec in schema.modalities}
        super().__init__(schema, stored, [str(row) for row in range(count)])


def _stored(value: Any, spec: ModalitySpec) -> Any:
    return value if value is None or spec.is_text else spec.stored(value)


def _checked(value: Any, spec: ModalitySpec, row: int, problems: Problems) -> Any:
    if value is None:
        return None
    try:
        value = value if spec.is_text else given_array(value)
        troubles = spec.check(value)
    except MediaError as cause:
        troubles = [str(cause)]
    problems.extend(f"row {row}, {spec.name}: {trouble}" for trouble in troubles)
    return value
