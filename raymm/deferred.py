"""What is imported when something of it is first used: torch, and names of packages.

The import of torch takes seconds and hundreds of MiB, and what prepares and describes data rarely needs it. Modules
that use torch in the bodies of functions, and `Tensor` in annotations, import them from here.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import torch
    from torch import Tensor

__all__ = ["Tensor", "importing", "torch", "torch_type"]


class _Deferred:
    """A module that is imported when the first of its names is asked for."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, attribute: str) -> Any:
        found = self.__dict__[attribute] = getattr(import_module(self._name), attribute)  # read directly from then on
        return found


class _InstancesOfTensor(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, import_module("torch").Tensor)


class _TorchType:
    """The attribute of a class that is a type of torch, looked up when it is read."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __get__(self, instance: object, owner: type) -> Any:
        return getattr(import_module("torch"), self._name)


def importing(package: str, names: Mapping[str, tuple[str, str]]) -> Callable[[str], Any]:
    """The `__getattr__` of a package that imports some of its names when they are first used.

    Parameters
    ----------
    names
        Of each, the module and what it is called there.
    """

    def found(name: str) -> Any:
        if name not in names:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module, attribute = names[name]
        value = getattr(import_module(module), attribute)
        setattr(sys.modules[package], name, value)
        return value

    return found


def torch_type(name: str) -> torch.dtype:
    """What a class attribute is set to that reads as `torch.NAME`.

    >>> class Counts:
    ...     dtype = torch_type("int64")
    >>> Counts.dtype, Counts().dtype
    (torch.int64, torch.int64)
    """
    return cast("torch.dtype", _TorchType(name))


if not TYPE_CHECKING:
    torch = _Deferred("torch")

    class Tensor(metaclass=_InstancesOfTensor):
        """What stands for `torch.Tensor` in annotations; its instances are those of `torch.Tensor`."""
