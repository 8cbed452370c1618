"""Tensors inside of what batches and modules hold: mappings, lists, tuples, named tuples and dataclasses."""

import copy
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping
from contextlib import suppress
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = ["copied", "described", "leaves_of", "map_fields", "map_leaves", "name_of", "tensors_of", "to_device"]

MOST_DESCRIBED = 12
"""Tensors that an error message describes."""


def map_leaves(change: Callable[[Any], Any], value: Any, whole: Callable[[Any], bool] = lambda _: False) -> Any:
    """The same structure with new containers, and `change(leaf)` in the place of each leaf.

    A leaf is whatever is no container; an object with a method `to` (a tensor, a batch of somebody's own) is a leaf
    unless it is a mapping, and so is a container that `whole` is true of.

    Examples
    --------
    >>> map_leaves(lambda leaf: 2 * leaf, {"a": [1, 2], "b": (3,)})
    {'a': [2, 4], 'b': (6,)}
    """
    if isinstance(value, Mapping):
        return _like(value, {key: map_leaves(change, item, whole) for key, item in value.items()})
    if _items(value) is None or whole(value):
        return change(value)
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(map_leaves(change, item, whole) for item in value))
    if isinstance(value, list | tuple):
        return _list_like(value, [map_leaves(change, item, whole) for item in value])
    return map_fields(change, value, whole)


def map_fields(change: Callable[[Any], Any], value: Any, whole: Callable[[Any], bool] = lambda _: False) -> Any:
    """The same dataclass with `change(leaf)` in the place of each leaf of its fields."""
    made = copy.copy(value)
    for field in fields(value):
        object.__setattr__(made, field.name, map_leaves(change, getattr(value, field.name), whole))
    return made


def copied(value: Any) -> Any:
    """The same structure with copies of its tensors and arrays, for somebody's code that may change them in place.

    >>> before = {"a": [torch.zeros(2)], "b": "text"}
    >>> after = copied(before)
    >>> _ = after["a"][0].add_(1.0)
    >>> before["a"], after
    ([tensor([0., 0.])], {'a': [tensor([1., 1.])], 'b': 'text'})
    """
    return map_leaves(_copied, value)


def leaves_of(value: Any) -> list[Any]:
    """All leaves, in order."""
    return list(_leaves(value))


def _leaves(value: Any) -> Iterator[Any]:
    inner = _items(value)
    if inner is None:
        yield value
        return
    for item in inner:
        yield from _leaves(item)


def _items(value: Any) -> Iterable[Any] | None:
    """What a container holds; None for a leaf."""
    if isinstance(value, Mapping):
        return value.values()
    if hasattr(value, "to") or isinstance(value, type | torch.Size):
        return None
    if isinstance(value, list | tuple):
        return value
    return [getattr(value, field.name) for field in fields(value)] if is_dataclass(value) else None


def tensors_of(value: Any) -> list[Tensor]:
    """All tensors, in order."""
    return [leaf for leaf in leaves_of(value) if isinstance(leaf, Tensor)]


def to_device(value: Any, device: torch.device | None) -> Any:
    """A batch with everything that has a method `to` on a device, in new containers; None leaves it where it is."""
    if device is None:
        return map_leaves(lambda leaf: leaf, value)
    return map_leaves(lambda leaf: leaf.to(device) if callable(getattr(leaf, "to", None)) else leaf, value)


def described(value: Any) -> str:
    """The types and shapes of the tensors in a batch, for messages.

    >>> described({"audio": torch.zeros(4, 8), "ids": ["a", "b", "c", "d"]})
    'audio float32 [4, 8]'
    """
    named = value.items() if isinstance(value, Mapping) else enumerate(value) if _listed(value) else [("", value)]
    found = [
        f"{name} {str(tensor.dtype).removeprefix('torch.')} {list(tensor.shape)}".strip()
        for name, item in named
        for tensor in tensors_of(item)
    ]
    rest = f" and {len(found) - MOST_DESCRIBED} more tensors" if len(found) > MOST_DESCRIBED else ""
    return (", ".join(found[:MOST_DESCRIBED]) or type(value).__name__) + rest


def name_of(code: Any) -> str:
    """The name of a function or class; of another object that of its class.

    >>> name_of(described), name_of(torch.nn.Identity())
    ('described', 'Identity')
    """
    return str(getattr(code, "__qualname__", type(code).__qualname__))


def _copied(leaf: Any) -> Any:
    if isinstance(leaf, Tensor):
        return leaf.clone()
    if isinstance(leaf, np.ndarray):
        return leaf.copy()
    return map_fields(_copied, leaf) if is_dataclass(leaf) and not isinstance(leaf, type) else leaf


def _like(value: Mapping[Any, Any], items: dict[Any, Any]) -> Any:
    """A mapping of the same type, such as the outputs of a Hugging Face model, with other items.

    Of a type of somebody's own whose items cannot be set, or are those of its copy too, a plain one.
    """
    if type(value) is dict or not isinstance(value, MutableMapping):
        return items
    before = dict(value)
    with suppress(Exception):
        made = copy.copy(value)
        for name, part in getattr(made, "__dict__", {}).items():  # a copy shares what it keeps its items in
            if isinstance(part, MutableMapping):
                vars(made)[name] = copy.copy(part)
        _set_all(made, items)
        if all(value[key] is item for key, item in before.items()):
            return made
        _set_all(value, before)
    return items


def _set_all(mapping: MutableMapping[Any, Any], items: Mapping[Any, Any]) -> None:
    for key, item in items.items():
        mapping[key] = item


def _list_like(value: Any, items: list[Any]) -> Any:
    """A list or tuple of the same type with other items; a plain one where its type is made of something else."""
    with suppress(TypeError):
        return type(value)(items)
    return items if isinstance(value, list) else tuple(items)


def _listed(value: Any) -> bool:
    return isinstance(value, list | tuple)
