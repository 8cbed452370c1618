"""What a batch holds: inputs, labels, ids, sources, and which modalities each sample has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from raymm.data.batch import Batch
from raymm.data.plain_text import plain_texts
from raymm.data.record import LONGEST_ID, shortened
from raymm.errors import ConfigError, DataError, Problems
from raymm.tasks.base import Task
from raymm.types import Mask
from raymm.valuation.given_arrays import as_tensor
from raymm.valuation.own.errors import own_code
from raymm.valuation.own.labels import read_labels
from raymm.valuation.structure import tensors_of, to_device

__all__ = ["LABELS", "Given", "Reading", "Where"]

Where = str | int | Callable[[Any], Any]
"""Where something stands in a batch: a key of a mapping, a position in a tuple, an attribute, or a function of it."""

LABELS = ("label", "labels", "target", "targets", "y")
"""Keys or attributes under which labels are looked for."""


@dataclass(frozen=True)
class Given:
    """A batch as it was read.

    Attributes
    ----------
    batch
        All of it, on the model's device.
    inputs
        Without labels, ids, sources and presence: what the model is called with by default.
    labels, present
        Of the task's type [B, ...], and the modalities that each sample has, bool [B, n].
    ids, sources
        One a sample; None where none are named.
    """

    batch: Any
    inputs: Any
    labels: Tensor
    present: Mask
    ids: list[str] | None
    sources: list[str] | None

    def __len__(self) -> int:
        return len(self.labels)

    def rows_of_inputs(self) -> int | None:
        """The number of rows that all tensors of the inputs have; None where it is not one."""
        rows = {len(tensor) for tensor in tensors_of(self.inputs) if tensor.ndim}
        return rows.pop() if len(rows) == 1 else None


@dataclass
class Reading:
    """How batches are read. `read` gives one; it must look like those before.

    Attributes
    ----------
    names
        The modalities.
    task
        What the labels are.
    device
        Where batches are moved to; None leaves them where they are.
    label, ids, source
        Where these stand; None looks for a label under the names in `LABELS`, or takes the last entry of a tuple, and
        reads no ids or sources.
    present
        Where [B, n], or a mapping of modalities to [B], stands; or by modality where each [B] stands; None: every
        sample has every modality.
    arguments
        Whether the entries of a batch are arguments of the model.
    """

    names: tuple[str, ...]
    task: Task
    device: torch.device | None = None
    label: Where | None = None
    ids: Where | None = None
    source: Where | None = None
    present: Where | Mapping[str, Where] | None = None
    arguments: bool = True
    _form: str | None = None

    def __post_init__(self) -> None:
        if isinstance(self.present, Mapping):
            unknown = ", ".join(f"'{name}'" for name in self.present if name not in self.names)
            if unknown:
                raise ConfigError(f"present= names {unknown}; the modalities are {', '.join(self.names)}")

    def read(self, batch: Any) -> Given:
        """A batch, moved to the device.

        Raises
        ------
        DataError
            When something is not there or has the wrong shape, type or length, or the batch differs from the first.
        """
        self._check_form(batch)
        batch = to_device(batch, self.device)
        label = self._label_of(batch)
        found = _pick(batch, label, "label=")
        _refuse_one_sample(found)
        labels = read_labels(found, self.task)
        labels = labels if self.device is None else labels.to(self.device)
        return Given(
            batch=batch,
            inputs=_without(batch, [label, self.ids, self.source, *self._places_of_presence()]),
            labels=labels,
            present=self._present_of(batch, labels),
            ids=_ids(batch, self.ids, len(labels)),
            sources=_texts(batch, self.source, "source=", len(labels)),
        )

    def _check_form(self, batch: Any) -> None:
        """All batches must have the keys, or the number of entries where these have positions, of the first."""
        counted = self._by_position() or not isinstance(batch, list | tuple)
        form = _form_of(batch) if counted else f"a {type(batch).__name__}"
        if self._form is None:
            self._form = form
        if form != self._form:
            raise DataError(f"it is {form}, and the first batch is {self._form}")

    def _by_position(self) -> bool:
        """Whether entries of a list are something each; else they are as many as there are samples."""
        places = [self.label, self.ids, self.source, *self._places_of_presence()]
        return self.arguments or self.label is None or any(isinstance(place, int) for place in places)

    def _label_of(self, batch: Any) -> Where:
        if self.label is not None:
            return self.label
        if isinstance(batch, list | tuple) and not hasattr(batch, "_fields"):
            return len(batch) - 1
        found = [name for name in LABELS if _has(batch, name)]
        if len(found) != 1:
            seen = " and ".join(f"'{name}'" for name in found) or f"none of {', '.join(LABELS)}"
            raise DataError(f"where the labels stand is not clear: it has {seen}; say it by label=")
        return found[0]

    def _places_of_presence(self) -> Iterable[Where | None]:
        return self.present.values() if isinstance(self.present, Mapping) else [self.present]

    def _present_of(self, batch: Any, labels: Tensor) -> Mask:
        shape = (len(labels), len(self.names))
        if self.present is None and isinstance(batch, Batch):
            return batch.mask
        if self.present is None:
            return torch.ones(shape, dtype=torch.bool, device=labels.device)
        if isinstance(self.present, Mapping):
            found: Any = {name: _pick(batch, where, "present=") for name, where in self.present.items()}
        else:
            found = _pick(batch, self.present, "present=")
        mask = self._stacked(found, labels) if isinstance(found, Mapping) else _as_tensor(found, "present=")
        if tuple(mask.shape) != shape:
            raise DataError(f"present= gives {list(mask.shape)}; expected [samples, modalities] = {list(shape)}")
        return _as_bool(mask, "present=").to(labels.device)

    def _stacked(self, columns: Mapping[str, Any], labels: Tensor) -> Tensor:
        """Columns [B] by modality, side by side; a modality that is not named is there."""
        unknown = [f"'{name}'" for name in columns if name not in self.names]
        if unknown:
            raise DataError(f"present= names {', '.join(unknown)}; the modalities are {', '.join(self.names)}")
        problems = Problems("present=")
        found = []
        for name in self.names:
            column = torch.ones(len(labels)) if name not in columns else _as_tensor(columns[name], "present=").cpu()
            if tuple(column.shape) != (len(labels),):
                problems.add(f"'{name}' is {list(column.shape)}; expected one value a sample, [{len(labels)}]")
            else:
                found.append(_as_bool(column, f"present= of '{name}'"))
        problems.raise_if_any(DataError)
        return torch.stack(found, dim=1)


def _form_of(batch: Any) -> str:
    if isinstance(batch, Mapping):
        return f"a mapping of {', '.join(sorted(map(str, batch)))}"
    if isinstance(batch, list | tuple):
        return f"a {type(batch).__name__} of {len(batch)} entries"
    return f"a {type(batch).__name__}"


def _has(batch: Any, name: str) -> bool:
    return name in batch if isinstance(batch, Mapping) else hasattr(batch, name)


def _pick(batch: Any, where: Where, setting: str) -> Any:
    """What stands somewhere in a batch."""
    if callable(where):
        with own_code(f"the function of {setting}", batch):
            return where(batch)
    if isinstance(where, str) and not isinstance(batch, Mapping):
        if hasattr(batch, where):
            return getattr(batch, where)
    else:
        try:
            return batch[where]
        except (KeyError, IndexError, TypeError):
            pass
    raise DataError(f"{setting}{where!r}: it has none; it is {_form_of(batch)}")


def _refuse_one_sample(label: Any) -> None:
    """A label that is one number is that of a sample: what gives those is no loader."""
    if getattr(label, "ndim", None) == 0 or isinstance(label, int | float):
        raise DataError(
            "its label is one number, so it is one sample and no batch; give batches of a data set, such as "
            "DataLoader(data, batch_size=32)"
        )


def _without(batch: Any, places: Sequence[Where | Mapping[str, Where] | None]) -> Any:
    """A batch without the entries at some keys or positions; other kinds of batch are left whole."""
    named = [place for place in places if isinstance(place, str | int)]
    if isinstance(batch, Mapping):
        return {key: item for key, item in batch.items() if key not in named}
    if isinstance(batch, list | tuple) and not hasattr(batch, "_fields"):
        left_out = {place % len(batch) for place in named if isinstance(place, int)}
        return tuple(item for position, item in enumerate(batch) if position not in left_out)
    return batch


def _texts(batch: Any, where: Where | None, setting: str, rows: int) -> list[str] | None:
    if where is None:
        return None
    found = _pick(batch, where, setting)
    items = [found] if isinstance(found, str | bytes) or not hasattr(found, "__len__") else list(found)
    if len(items) != rows:
        raise DataError(f"{setting} gives {len(items)} values for {rows} samples")
    return plain_texts((item.item() if isinstance(item, Tensor) else item for item in items), setting)


def _ids(batch: Any, where: Where | None, rows: int) -> list[str] | None:
    ids = _texts(batch, where, "ids=", rows)
    for one in ids or ():
        if len(one) > LONGEST_ID:
            raise DataError(
                f"ids= gives '{shortened(one)}' of {len(one)} characters, at most {LONGEST_ID} are allowed; "
                "shorten it"
            )
    return ids


def _as_tensor(found: Any, what: str) -> Tensor:
    try:
        return as_tensor(found)
    except (TypeError, ValueError, RuntimeError) as cause:
        raise DataError(f"{what} gives a {type(found).__name__}, which is no array of numbers ({cause})") from cause


def _as_bool(values: Tensor, what: str) -> Tensor:
    if values.dtype != torch.bool and not ((values == 0) | (values == 1)).all():
        raise DataError(f"{what} must be true or false (1 or 0) for each sample; it has other numbers")
    return values.bool()
