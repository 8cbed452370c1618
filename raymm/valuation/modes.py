"""Evaluation mode of all modules that a model consists of, whatever holds them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from types import BuiltinFunctionType, CellType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
from torch import Tensor, nn

__all__ = ["evaluating", "modules_in", "to_evaluation"]

DEEPEST = 5
"""Steps from an object to a module that it holds: a method, its object, a list of it, an object of the list, ..."""

MOST = 1000
"""Entries of a container that is looked through; one of more holds data."""

DATA = (Tensor, np.ndarray, type, ModuleType, str, bytes, int, float, type(None))
"""What holds no modules."""


@contextmanager
def evaluating(model: object) -> Iterator[None]:
    """Evaluation mode of `modules_in` inside (no dropout, nothing drawn); outside, each part has its former mode."""
    found = modules_in(model)
    modes = [(part, part.training) for module in found for part in module.modules()]
    to_evaluation(*found)
    try:
        yield
    finally:
        for part, mode in modes:
            part.training = mode


def to_evaluation(*modules: nn.Module) -> None:
    """Put modules into evaluation mode, but for graphs that were exported, which have the mode of their export."""
    for module in modules:
        with suppress(NotImplementedError):
            module.eval()


def modules_in(model: object) -> list[nn.Module]:
    """A module; of another object those that it reaches without a global name.

    These are attributes, entries of containers, the object of a bound method, the arguments of a `partial`, and what
    a function keeps in its closure.

    >>> net = nn.Linear(1, 1)
    >>> modules_in(partial(net.forward, mask=None)) == modules_in({"audio": net}) == [net]
    True
    """
    found: list[nn.Module] = []
    seen: set[int] = set()
    left: list[tuple[object, int]] = [(model, 0)]
    for value, steps in left:  # it grows meanwhile
        if id(value) in seen or steps > DEEPEST or isinstance(value, DATA):
            continue
        seen.add(id(value))
        if isinstance(value, nn.Module):
            found.append(value)
        else:
            left.extend((part, steps + 1) for part in _parts(value))
    return found


def _parts(value: Any) -> list[object]:
    """What an object that is no module consists of."""
    if isinstance(value, partial):
        return [value.func, *value.args, *value.keywords.values()]
    if isinstance(value, MethodType | BuiltinFunctionType):
        return [value.__self__, getattr(value, "__func__", None)]
    if isinstance(value, FunctionType):
        return [*map(_content, value.__closure__ or ()), *vars(value).values()]
    if isinstance(value, dict | list | tuple | set | frozenset):
        entries = value.values() if isinstance(value, dict) else value
        return list(entries) if len(value) <= MOST else []
    return list(getattr(value, "__dict__", {}).values())


def _content(cell: CellType) -> object:
    try:
        return cell.cell_contents
    except ValueError:  # a name that is not bound yet
        return None
