"""Rows that come from memory instead of a data set on disk, for a model that is being served."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from raymm.data.schema import ModalitySpec, Schema
from raymm.errors import DataError, Problems
from raymm.tasks.base import Labels

__all__ = ["MemoryRows"]

Rows = npt.NDArray[np.int64]


class MemoryRows:
    """`SampleRows` over columns of values; labels are unknown (0).

    Raises
    ------
    DataError
        Naming every row and modality that does not fit the schema.
    """

    def __init__(self, schema: Schema, columns: Mapping[str, Sequence[Any]]) -> None:
        count = max(len(column) for column in columns.values())
        filled = {name: list(columns.get(name, [None] * count)) for name in schema.names}
        problems = Problems("input")
        self._values: dict[str, list[Any]] = {}
        for spec in schema.modalities:
            self._values[spec.name] = [
                _checked(value, spec, row, problems) for row, value in enumerate(filled[spec.name])
            ]
        problems.raise_if_any(DataError)
        self._specs = {spec.name: spec for spec in schema.modalities}
        present = [[value is not None for value in self._values[name]] for name in schema.names]
        self.present: npt.NDArray[np.bool_] = np.array(present, dtype=bool).T
        none = schema.task.array([], len(schema.classes))
        self.label: Labels = np.zeros((count, *none.shape[1:]), none.dtype)
        self.split: npt.NDArray[np.str_] = np.full(count, "test")
        self.sample_id: npt.NDArray[np.str_] = np.arange(count).astype(np.str_)

    def __len__(self) -> int:
        return len(self.label)

    def read(self, name: str, rows: Rows) -> npt.NDArray[Any]:
        """Values of one modality, `[len(rows), *shape]`."""
        spec = self._specs[name]
        values = [spec.stored(self._values[name][row]) for row in rows]
        return np.stack(values) if values else np.empty((0, *spec.shape), spec.dtype)

    def read_text(self, name: str, rows: Rows) -> list[str]:
        """Strings of a text modality."""
        return [self._values[name][row] for row in rows]

    def sources(self, rows: Rows) -> list[str]:
        """No files."""
        return [""] * len(rows)

    def verify(self, rows: Rows) -> None:
        """Rows in memory are as they were checked."""

    def prefetch(self, rows: Rows, kept: npt.NDArray[np.bool_]) -> None:
        """They are there."""


def _checked(value: Any, spec: ModalitySpec, row: int, problems: Problems) -> Any:
    if value is None:
        return None
    value = value if spec.is_text else np.asarray(value)
    for trouble in spec.check(value):
        problems.add(f"row {row}, {spec.name}: {trouble}")
    return value
