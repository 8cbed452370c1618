"""A row of a plan on its way through a `DataLoader`: the number that it has as a sample, and what it keeps.

A batch sampler can hand no more than an index to the data set. `Row` is that index, an `int`, and carries the rest
with it, also into loader workers, so that nothing there has to know the plan.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils import data

from raymm.errors import ConfigError, DataError, TrainingError, did_you_mean

__all__ = ["FIELDS", "Collate", "ResampledDataset", "Row", "epoch_and_row", "key_of", "read_fields"]

FIELDS = ("mask", "weight", "key", "batch_rows")
"""What an item can be given: see `Row`."""


EPOCH = 2**32
"""What a key has for each epoch; the rest of it is the row."""


def key_of(epoch: int, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Keys of rows of a plan, which tell all rows of a training apart.

    >>> key_of(2, np.array([5])) - 2 * 2**32
    array([5])
    """
    return epoch * EPOCH + rows


def epoch_and_row(keys: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The inverse of `key_of`, for each key."""
    return keys // EPOCH, keys % EPOCH


class Row(int):
    """A sample's position in the data set, as a number, and how this row of the plan is trained.

    Attributes
    ----------
    keep
        Whether each modality takes part, n bools in the order of the modalities.
    key
        Tells all rows of a training apart (`key_of`).
    weight
        Weight of its loss.
    batch_rows
        Rows of the global batch, over all ranks.

    Examples
    --------
    >>> row = Row(7, (True, False), key=2)
    >>> ["a", "b"][row - 6], row.fields()["mask"]
    ('b', tensor([ True, False]))
    """

    keep: tuple[bool, ...]
    key: int
    weight: float
    batch_rows: int

    def __new__(  # noqa: D102
        cls, position: int, keep: Sequence[bool], key: int, weight: float = 1.0, batch_rows: int = 1
    ) -> Self:
        row = super().__new__(cls, position)
        row.keep, row.key, row.weight, row.batch_rows = tuple(keep), key, weight, batch_rows
        return row

    def __reduce__(self) -> tuple[type[Row], tuple[Any, ...]]:
        return Row, (int(self), self.keep, self.key, self.weight, self.batch_rows)

    def fields(self) -> dict[str, Tensor]:
        """All that it carries, as tensors: bool [n], float32, int64, int64."""
        return {
            "mask": torch.tensor(self.keep, dtype=torch.bool),
            "weight": torch.tensor(self.weight, dtype=torch.float32),
            "key": torch.tensor(self.key, dtype=torch.int64),
            "batch_rows": torch.tensor(self.batch_rows, dtype=torch.int64),
        }


def read_fields(given: Sequence[str] | Mapping[str, str]) -> dict[str, str]:
    """What items are given, and under which keys.

    >>> read_fields(("mask",)), read_fields({"mask": "keep"})
    ({'mask': 'mask'}, {'mask': 'keep'})
    """
    if not isinstance(given, Iterable) or isinstance(given, str):
        raise ConfigError(f"fields={given!r}; give a tuple of {', '.join(FIELDS)}, or a mapping of these to keys")
    fields = dict(given) if isinstance(given, Mapping) else {name: name for name in given}
    for name in fields:
        if name not in FIELDS:
            raise ConfigError(f"fields: no field '{name}'; {did_you_mean(str(name), FIELDS)}")
    return fields


@dataclass(frozen=True)
class ResampledDataset(data.Dataset[Any]):
    """A map-style data set whose items are given what their row carries.

    An item that is a mapping gets the fields under their keys. Any other becomes `(item, mask)`, or `(item, fields)`
    where more than the mask is asked for.
    """

    inner: Any
    keys: Mapping[str, str]

    def __len__(self) -> int:
        return len(self.inner)

    def __getitem__(self, row: int) -> Any:
        return self._with_fields(self.inner[int(row)], row)

    def __getitems__(self, rows: Sequence[int]) -> list[Any]:
        """Items of a batch, in one call where the data set has one for that."""
        positions = [int(row) for row in rows]
        together = getattr(self.inner, "__getitems__", None)
        items = [self.inner[position] for position in positions] if together is None else together(positions)
        return [self._with_fields(item, row) for item, row in zip(items, rows, strict=True)]

    def _with_fields(self, item: Any, row: int) -> Any:
        if not isinstance(row, Row):
            raise TrainingError(
                f"the data set of a Resampler is read at {row!r}, which is no row of a plan; give it to "
                "DataLoader(..., batch_sampler=resampler), and read samples from the data set that was wrapped"
            )
        carried = row.fields()
        fields = {key: carried[name] for name, key in self.keys.items()}
        if not isinstance(item, Mapping):
            return (item, carried["mask"]) if list(self.keys) == ["mask"] else (item, fields)
        if taken := sorted(fields.keys() & item.keys()):
            raise DataError(
                f"sample {int(row)} has '{taken[0]}' already; choose another key, such as "
                f"fields={{'mask': 'keep_{taken[0]}'}}"
            )
        return {**item, **fields}


@dataclass(frozen=True)
class Collate:
    """A collate function of somebody's own, which never sees the fields; they are stacked and added to its batch."""

    inner: Callable[[list[Any]], Any]
    keys: Mapping[str, str]

    def __call__(self, items: Sequence[Any]) -> Any:
        """The batch of `inner`, with the fields [B, ...]."""
        if isinstance(items[0], Mapping):
            keys = set(self.keys.values())
            batch = self.inner([{key: item[key] for key in item if key not in keys} for item in items])
            if not isinstance(batch, Mapping):
                raise DataError(
                    f"the collate function makes a {type(batch).__name__} of items that are mappings; raymm adds "
                    "the masks to a mapping"
                )
            return {**batch, **{key: torch.stack([item[key] for item in items]) for key in self.keys.values()}}
        own, carried = zip(*items, strict=True)
        return self.inner(list(own)), data.default_collate(list(carried))
