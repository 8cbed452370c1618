"""The form of labels: how a task reads them from a manifest, stores them, and groups samples by them."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from jaxtyping import Bool

__all__ = ["LabelForm", "Labels"]

Labels = npt.NDArray[Any]
"""Labels or predictions of N samples, of the task's type: numpy, one row a sample."""


ROWS = 1024
"""Samples whose classes are looked at together: samples times classes may be a gigabyte."""


class LabelForm(ABC):
    """What a task must say of its labels alone, whatever answers them (`raymm.tasks.base.Task`)."""

    @classmethod
    def looks_like(cls, cells: Sequence[Any]) -> bool:
        """Whether the label cells of a manifest are surely labels of this task (for guessing it)."""
        del cells
        return False

    @abstractmethod
    def classes_of(self, cells: Sequence[Any]) -> tuple[str, ...]:
        """Names of all classes in some label cells, sorted; cells that cannot be read are passed over."""

    @abstractmethod
    def parse(self, cell: Any, classes: Sequence[str]) -> Any:
        """The label in a cell of a manifest: an int, a row of bools, or a tuple of floats.

        Raises
        ------
        DataError
            In words that follow the name of the sample, such as "the label is empty".
        """

    @abstractmethod
    def arrow_type(self, classes: int) -> pa.DataType:
        """Arrow type of labels and predictions."""

    @abstractmethod
    def array(self, labels: Sequence[Any], classes: int) -> Labels:
        """Labels as `parse` gives them, or rows of an array, as one array; no labels give one of no rows."""

    def to_arrow(self, labels: Labels) -> pa.Array:
        """Labels or predictions as a column."""
        return pa.array(labels, self.arrow_type(0))

    def from_arrow(self, column: pa.Array | pa.ChunkedArray) -> Labels:
        """The inverse of `to_arrow`."""
        return np.asarray(column.to_numpy())

    @abstractmethod
    def check(self, label: Any, classes: int) -> str | None:
        """What is wrong with a label, in words; None when it is right."""

    @abstractmethod
    def text(self, label: Any, classes: Sequence[str]) -> str:
        """A label or a prediction (one row) for people; `parse` reads it again, a fraction of 32 bits as that."""

    def brief(self, label: Any, classes: Sequence[str]) -> str:
        """`text` for pages: of many numbers or names the first, and how many more there are."""
        return self.text(label, classes)

    @abstractmethod
    def class_membership(self, labels: Labels, classes: int) -> Bool[np.ndarray, "N K"]:
        """Which classes each sample belongs to."""

    def class_counts(self, labels: Labels, classes: int) -> npt.NDArray[np.int64]:
        """How many samples belong to each class, [K]."""
        counts = np.zeros(classes, np.int64)
        for start in range(0, len(labels), ROWS):
            counts += self.class_membership(labels[start : start + ROWS], classes).sum(axis=0, dtype=np.int64)
        return counts

    def strata(self, labels: Labels, classes: int) -> npt.NDArray[np.int64]:
        """Number of the group of each sample, [N], in 0..K: splits are dealt within groups.

        A sample belongs to the rarest of its classes, of equally rare ones to the first; without any, to group K.
        """
        rarest_first = self.class_counts(labels, classes).argsort(kind="stable")
        strata = np.full(len(labels), classes, np.int64)
        for start in range(0, len(labels), ROWS):
            some = slice(start, start + ROWS)
            member = self.class_membership(labels[some], classes).take(rarest_first, axis=1)
            np.copyto(strata[some], rarest_first[member.argmax(axis=1)], where=member.any(axis=1))
        return strata

    def stratum_names(self, classes: Sequence[str]) -> list[str]:
        """Names of the groups of `strata`, by number."""
        return [*classes, ""]
