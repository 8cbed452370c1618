"""The samples that a `Resampler` trains: what a plan reads of them, checked."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence, Sized
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from raymm.data.plain_text import plain_texts
from raymm.errors import ConfigError, DataError, Problems
from raymm.integrations.values import Samples
from raymm.tasks.base import Task
from raymm.training.planning import TrainingSamples
from raymm.valuation.given_arrays import as_array, is_integer

__all__ = ["NoLabelsError", "TrainedSamples", "samples_of"]

NO_LABELS = "this method reads labels; give the Resampler labels=, one a sample"


@dataclass(frozen=True)
class TrainedSamples:
    """Samples by their positions in a data set.

    Attributes
    ----------
    rows
        Positions, int64 [N], ascending.
    label
        Labels of the task's type, or None where nobody said them.
    present
        Modalities that they have, bool [N, n].
    classes
        K; 0 where it is not known.
    ids
        Names, or None.
    """

    rows: npt.NDArray[np.int64]
    label: npt.NDArray[Any] | None
    present: npt.NDArray[np.bool_]
    classes: int
    ids: tuple[str, ...] | None

    def present_at(self, positions: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        """Modalities of the samples at some positions, bool [B, n]."""
        found: npt.NDArray[np.bool_] = self.present[np.searchsorted(self.rows, positions)]
        return found

    def as_planned(self) -> TrainingSamples:
        """What a plan reads; without labels, reading these is an error."""
        label = np.empty(0).view(_NoLabels) if self.label is None else self.label
        return TrainingSamples(self.rows, label, self.present, self.classes)

    def expected(self, modalities: tuple[str, ...], utility: str) -> Samples:
        """The samples whose contributions are expected."""
        return Samples(self.rows, self.ids, modalities, self.present, utility, self.label)

    def described(self) -> dict[str, Any]:
        """What tells whether a state belongs to these samples."""
        digest = hashlib.sha256()
        for array in (self.rows, self.present, np.empty(0) if self.label is None else self.label):
            digest.update(np.ascontiguousarray(array).tobytes())
        return {"samples": len(self.rows), "data": digest.hexdigest()[:16]}


class NoLabelsError(ConfigError):
    """A method reads labels, and there are none."""


class _NoLabels(np.ndarray[Any, np.dtype[Any]]):
    """In the place of labels: whatever reads them is told that there are none. A part of none is none."""

    def __getitem__(self, chosen: Any) -> Any:
        if isinstance(chosen, slice):
            return self
        raise NoLabelsError(NO_LABELS)

    def __array_ufunc__(self, *_: Any, **__: Any) -> Any:
        raise NoLabelsError(NO_LABELS)

    def __array_function__(self, *_: Any, **__: Any) -> Any:
        raise NoLabelsError(NO_LABELS)


def samples_of(
    samples: int | Sized | npt.NDArray[np.int64],
    modalities: tuple[str, ...],
    task: Task,
    *,
    labels: Any,
    classes: int | None,
    present: Any,
    ids: Sequence[str] | None,
) -> TrainedSamples:
    """The samples as they were described.

    Raises
    ------
    ConfigError, DataError
        With everything that does not fit.
    """
    rows = _rows_of(samples)
    problems = Problems("Resampler")
    shape = (len(rows), len(modalities))
    having = np.ones(shape, dtype=bool) if present is None else _array(present, "present")
    if having.dtype != bool or having.shape != shape:
        problems.add(f"present is {having.dtype} {list(having.shape)}; expected bool {list(shape)}")
    elif (empty := np.flatnonzero(~having.any(axis=1))).size:
        problems.add(f"sample {rows[empty[0]]} has no modality; leave it out of the samples")
    label = None if labels is None else _array(labels, "labels")
    if label is not None and (not label.ndim or len(label) != len(rows)):
        problems.add(f"labels are {list(label.shape)}; expected one for each of {len(rows)} samples")
    if ids is not None and (len(ids) != len(rows) or len(set(ids)) < len(ids)):
        problems.add(f"ids are {len(ids)}, {len(set(ids))} of them different; expected one for each of {len(rows)}")
    problems.raise_if_any(DataError)
    count = _classes_of(label, classes, task)
    return TrainedSamples(rows, label, having, count, None if ids is None else tuple(plain_texts(ids, "ids")))


def _rows_of(samples: int | Sized | npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    _refuse_what_is_no_samples(samples)
    if isinstance(samples, np.ndarray | Tensor) or _are_positions(samples):
        rows = _array(samples, "samples")
        if rows.dtype.kind not in "iu" or rows.ndim != 1 or (np.diff(rows) <= 0).any() or (rows < 0).any():
            raise ConfigError(
                f"Resampler: samples are {rows.dtype} {list(rows.shape)}; expected a number, a data set, or "
                "positions in it, ascending, each once (such as sorted(subset.indices))"
            )
        rows = rows.astype(np.int64)
    else:
        rows = np.arange(samples if isinstance(samples, int | np.integer) else _number_of(samples), dtype=np.int64)
    if not len(rows):
        raise ConfigError("Resampler: there are no samples")
    return rows


def _refuse_what_is_no_samples(samples: object) -> None:
    """Mappings have the length of their columns or splits; texts that of their letters."""
    if isinstance(samples, Mapping):
        raise ConfigError(
            f"Resampler: samples are a {type(samples).__name__} of {', '.join(map(str, samples))}, whose length is "
            "no number of samples; of splits give one, and of columns a map-style data set of their rows, such as "
            "TensorDataset(...)"
        )
    if isinstance(samples, bool | np.bool_ | str | bytes | bytearray):
        raise ConfigError(
            f"Resampler: samples are a {type(samples).__name__}; give a map-style data set, or the number of samples"
        )


def _are_positions(samples: object) -> bool:
    """Whether a list, tuple or range holds whole numbers only, and so is no data set."""
    return isinstance(samples, list | tuple | range) and len(samples) > 0 and all(map(is_integer, samples))


def _number_of(samples: Any) -> int:
    try:
        return len(samples)
    except TypeError as cause:
        raise ConfigError(
            f"Resampler: samples are a {type(samples).__name__}, which has no length; give a map-style data set, or "
            "the number of samples"
        ) from cause


def _classes_of(label: npt.NDArray[Any] | None, classes: int | None, task: Task) -> int:
    """K, as given or by the labels, which must be of the task."""
    if label is None or not task.categorical:
        return classes or 0
    count = classes
    if count is None:
        count = label.shape[1] if label.ndim > 1 else (int(label.max()) + 1 if label.dtype.kind in "iu" else 0)
    problems = Problems("Resampler: labels")
    if label.dtype.kind not in ("biuf" if task.label_ndim > 1 else "iu"):
        raise DataError(
            f"Resampler: labels are {label.dtype}, and the task {task.name} has {task.label_dtype}; give the number "
            "of each class, such as names.index(name)"
        )
    for one in np.unique(label, axis=0):
        if wrong := task.check(one.item() if one.ndim == 0 else tuple(one.tolist()), count):
            problems.add(wrong)
    problems.raise_if_any(DataError)
    return count


def _array(given: Any, name: str) -> npt.NDArray[Any]:
    try:
        return as_array(given)
    except (TypeError, ValueError, RuntimeError) as cause:
        raise DataError(f"Resampler: {name} are a {type(given).__name__} that is no array ({cause})") from cause
