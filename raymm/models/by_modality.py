"""Modules by the names of modalities, which may be any: also names that `nn.ModuleDict` has for something else."""

from copy import copy
from typing import Any, TypeVar

from torch import nn

__all__ = ["ByModality", "found_by_attribute"]

Model = TypeVar("Model", bound=nn.Module)


class ByModality(nn.ModuleDict):
    """An `nn.ModuleDict` whose keys may be `keys`, `values`, `type`, `training`: a module is found by `[name]` alone.

    Weights are named as those of an `nn.ModuleDict`.

    Examples
    --------
    >>> found = ByModality({"values": nn.Linear(1, 1), "training": nn.Linear(1, 1, bias=False)}).eval()
    >>> list(found.state_dict())
    ['values.weight', 'values.bias', 'training.weight']
    >>> found.training, found["training"].training
    (False, False)
    """

    def add_module(self, name: str, module: nn.Module | None) -> None:
        """Add a module under any name."""
        if name in self._modules or not hasattr(self, name):
            super().add_module(name, module)
        else:
            self.__dict__["_modules"][name] = module

    def __setattr__(self, name: str, value: Any) -> None:
        """Set an attribute, which a module of its name is none of."""
        if name in self.__dict__ and name in self.__dict__.get("_modules", ()):
            self.__dict__[name] = value
        else:
            super().__setattr__(name, value)


class _InCapitals(nn.ModuleDict):
    """Modules by name, under the name in capitals, which no attribute of a module has."""

    def __init__(self, modules: ByModality) -> None:
        super().__init__({name.upper(): module for name, module in modules.items()})

    def __getitem__(self, name: str) -> nn.Module:
        return super().__getitem__(name.upper())


def found_by_attribute(model: Model) -> Model:
    """The model, as a copy of the same weights where a module of its `encoders` is not found by `encoders.NAME`."""
    encoders = model._modules.get("encoders")  # noqa: SLF001  (which may be a property)
    if not isinstance(encoders, ByModality) or all(getattr(encoders, name) is one for name, one in encoders.items()):
        return model
    made = copy(model)
    made._modules = {**model._modules, "encoders": _InCapitals(encoders)}  # noqa: SLF001
    return made
