"""Packages that are called as the public function of their name: `raymm.sweep(...)` beside `raymm.sweep.store`."""

import inspect
import sys
from importlib import import_module
from types import ModuleType
from typing import Any

__all__ = ["callable_package"]


class _Verb(ModuleType):
    """A package; a call of it is a call of the function of its name in `raymm.api`."""

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        """Call the public function."""
        return _function(self.__name__)(*arguments, **named)

    @property
    def __signature__(self) -> inspect.Signature:
        return inspect.signature(_function(self.__name__))


def callable_package(name: str) -> None:
    """Make the package `raymm.NAME`, which is being imported, callable."""
    sys.modules[name].__class__ = _Verb


def _function(name: str) -> Any:
    verb = name.rpartition(".")[2]
    return getattr(import_module(f"raymm.api.{verb}"), verb)
