"""The items of a `torch.utils.data.Dataset` of one's own: their labels, names and values in one form."""

import hashlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from raymm.data.media.given_array import given_array
from raymm.data.media.problem import MediaError
from raymm.data.plain_text import plain_text
from raymm.data.splits import split_called
from raymm.deferred import torch
from raymm.errors import ConfigError, DataError, in_one_line

__all__ = ["TOLD", "OwnItem", "OwnItems", "items_of"]

LABEL = "label"
IDS = ("id", "sample_id")
TOLD = (*IDS, LABEL, "split", "group", "source")
"""Keys of an item that are no modality."""

TEXTS = (str, bytes, bytearray)
"""Types that are a text, and no sequence of letters."""

Told = TypeVar("Told")

DIGITS = 16
"""Of the digest of an item."""


@dataclass(frozen=True)
class OwnItem:
    """An item: what it is called and belongs to, as texts (empty where it says nothing), and its values."""

    label: Any
    sample_id: str
    split: str
    group: str
    source: str
    values: dict[str, Any]

    def only(self, names: Collection[str]) -> "OwnItem":
        """The item with the values of these modalities, as far as it has them."""
        kept = {name: value for name, value in self.values.items() if name in names and value is not None}
        return replace(self, values=kept)

    @property
    def digest(self) -> str:
        """Of all that the item says."""
        found = hashlib.sha256(repr((self.label, self.sample_id, self.split, self.group)).encode())
        for name in sorted(self.values):
            value = self.values[name]
            if isinstance(value, np.ndarray):
                found.update(f"\0{name}\0{value.dtype}{value.shape}".encode() + np.ascontiguousarray(value).tobytes())
            elif value is not None:
                found.update(f"\0{name}\0{value}".encode())
        return found.hexdigest()[:DIGITS]


@dataclass(frozen=True)
class OwnItems:
    """One data set, or one a split, as one sequence of items; `where` is what messages call it."""

    where: str
    parts: tuple[tuple[str, Any], ...]
    lengths: tuple[int, ...]

    def __len__(self) -> int:
        return sum(self.lengths)

    @property
    def classes(self) -> list[str] | None:
        """Names of the classes, where the data set has an attribute `classes` as those of torchvision do."""
        found = getattr(self.parts[0][1], "classes", None)
        if not isinstance(found, list | tuple) or not found:
            return None
        try:
            return [_text(name) for name in found]
        except ValueError as cause:
            raise DataError(f"{self.where}: a name in its attribute `classes` {cause}") from cause

    def place(self, row: int) -> str:
        """What an item is called in messages."""
        split, number, _ = self._find(row)
        return f"item {number}" + (f" of {split}" if split else "")

    def __getitem__(self, row: int) -> OwnItem:
        """An item.

        Raises
        ------
        DataError
            When the data set raises something, or what it gives is no item; naming the index and the key.
        """
        split, number, part = self._find(row)
        try:
            given = part[number]
        except Exception as cause:
            raise self._error(row, f"raises {in_one_line(cause)}") from cause
        if isinstance(given, tuple) and len(given) == 2 and isinstance(given[0], Mapping):
            given = {**given[0], LABEL: given[1]}
        if not isinstance(given, Mapping):
            raise self._error(row, f"is a {type(given).__name__}; {FORM}")
        if LABEL not in given:
            raise self._error(row, f"has no '{LABEL}', only {', '.join(map(str, given))}; {FORM}")
        return self._item(row, split, number, given)

    def _item(self, row: int, split: str, number: int, given: Mapping[str, Any]) -> OwnItem:
        own = next((key for key in IDS if given.get(key) is not None), IDS[0])
        told = {key: self._told(row, key, given.get(key), _text) for key in (own, "split", "group", "source")}
        if split and told["split"] and split_called(told["split"]) != split:
            raise self._error(row, f"says split='{told['split']}', and stands in the data set of {split}")
        name = told[own] or (f"{split}-{number:06d}" if split else f"item-{number:06d}")
        values = {str(key): self._value(row, key, given[key]) for key in given if key not in TOLD}
        label = self._told(row, LABEL, given[LABEL], _plain)
        return OwnItem(label, name, split or told["split"], told["group"], told["source"], values)

    def _told(self, row: int, key: str, given: Any, read: Callable[[Any], Told]) -> Told:
        """What an item says beside its values."""
        try:
            return read(given)
        except ValueError as cause:
            raise self._error(row, f"'{key}' {cause}") from cause

    def _error(self, row: int, trouble: str) -> DataError:
        return DataError(f"{self.where}: {self.place(row)}: {trouble}")

    def _find(self, row: int) -> tuple[str, int, Any]:
        for (split, part), length in zip(self.parts, self.lengths, strict=True):
            if row < length:
                return split, row, part
            row -= length
        raise IndexError(row)

    def _value(self, row: int, key: Any, value: Any) -> Any:
        """A value as an array or a text."""
        if value is None:
            return None
        try:
            if isinstance(value, TEXTS):
                return plain_text(value)
            array = given_array(value)
        except (ValueError, MediaError) as cause:
            raise self._error(row, f"'{key}' {cause}") from cause
        if array.dtype.kind not in "fiub":
            said = f"'{key}' is a {type(value).__name__} of {array.dtype}, neither numbers nor a text"
            raise self._error(row, said)
        return array


FORM = 'an item is a dictionary such as {"audio": tensor, "rgb": tensor, "label": 3}, with "id" and "split" if known'


def items_of(found: Any, where: str) -> OwnItems:
    """Items of a data set, of a mapping of them by split, or of three: train, val, test.

    Raises
    ------
    ConfigError
        When it is something else.
    """
    if isinstance(found, Mapping):
        parts = [(split_called(str(name)), part) for name, part in found.items()]
        unknown = [name for name, (split, _) in zip(found, parts, strict=True) if not split]
        if unknown or not parts:
            raise ConfigError(
                f"{where}: gives {unknown or 'no data sets'}; a mapping has the keys train, val and test"
            )
    elif isinstance(found, tuple | list) and len(found) == 3 and all(map(_is_dataset, found)):
        parts = list(zip(("train", "val", "test"), found, strict=True))
    else:
        parts = [("", found)]
    for split, part in parts:
        if not _is_dataset(part):
            of = f" for {split}" if split else ""
            raise ConfigError(
                f"{where}: gives a {type(part).__name__}{of}, which has no length or cannot be indexed; return a "
                "map-style Dataset (__len__ and __getitem__), or three of them"
            )
    return OwnItems(where, tuple(parts), tuple(_length(part, split, where) for split, part in parts))


def _length(part: Any, split: str, where: str) -> int:
    """How many items a data set says that it has."""
    try:
        return len(part)
    except Exception as cause:
        of = f" of the data set for {split}" if split else ""
        raise ConfigError(
            f"{where}: __len__{of} raises {in_one_line(cause)}; return the number of items, a whole number"
        ) from cause


def _is_dataset(found: Any) -> bool:
    return (
        callable(getattr(type(found), "__getitem__", None))
        and callable(getattr(type(found), "__len__", None))
        and not isinstance(found, str | bytes | Mapping | torch.Tensor | np.ndarray)
    )


def _plain(label: Any) -> Any:
    """A label as a number, a text or a list; raises `ValueError` for a text that cannot be written."""
    if isinstance(label, torch.Tensor | np.ndarray | np.generic):
        label = label.tolist()
    if isinstance(label, TEXTS):
        return plain_text(label)
    return [_plain(one) for one in label] if isinstance(label, tuple | set | Sequence) else label


def _text(value: Any) -> str:
    plain = _plain(value)
    return "" if plain is None else str(plain).strip()
