"""Whether arguments are of the types that a signature says, and in words which these are."""

from __future__ import annotations

import collections.abc
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from inspect import Parameter, signature
from numbers import Integral, Real
from os import PathLike
from pathlib import Path
from types import SimpleNamespace, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from raymm.errors import ConfigError, Problems, briefly
from raymm.storage.local_path import as_path

__all__ = ["check_least", "check_types", "refuse_folder", "types_of", "with_paths"]

WORDS: Mapping[str, tuple[str, str]] = {
    "str": ("a text", "texts"),
    "Path": ("a path", "paths"),
    "int": ("a whole number", "whole numbers"),
    "float": ("a number", "numbers"),
    "bool": ("True or False", "True or False"),
    "NoneType": ("None", "None"),
    "Config": ("a raymm.Config", "configurations"),
    "Progress": ("a raymm.Progress", "raymm.Progress"),
    "Placed": ("a result of raymm", "results of raymm"),
}
"""By the name of a type, what is said of one and of several."""

ACCEPTED: Mapping[Any, Any] = {int: Integral, float: Real, bool: bool | Integral}
"""What is taken where a type is asked for: numbers of NumPy are of these classes."""


@cache
def types_of(taker: Callable[..., Any]) -> dict[str, Any]:
    """The types of the arguments of a function, or of the fields of a class, by name; of `*others` that of all."""
    kinds = {one.name: one.kind for one in signature(taker).parameters.values()}
    holder: Any = SimpleNamespace(
        __annotations__={name: hint for name, hint in taker.__annotations__.items() if name in kinds}
    )
    found = get_type_hints(holder, vars(sys.modules[taker.__module__]))
    several = Parameter.VAR_POSITIONAL
    gathered = {name: Sequence[hint] for name, hint in found.items() if kinds[name] is several}  # type: ignore[valid-type]
    return {**found, **gathered}


def check_types(where: str, given: Mapping[str, Any], types: Mapping[str, Any]) -> None:
    """Refuse arguments of other types.

    Raises
    ------
    ConfigError
        With each argument, what it is, and what it must be.

    Examples
    --------
    >>> check_types("train", {"seed": "x", "out": None}, {"seed": int | None, "out": str | Path})
    Traceback (most recent call last):
    raymm.errors.ConfigError: train: 2 problems
      - seed='x': give a whole number or None
      - out=None: give a path
    """
    unfit = [name for name, value in given.items() if name in types and not _fits(value, types[name])]
    problems = Problems(where)
    problems.extend(f"{name}={briefly(given[name])}: give {_either(types[name])}" for name in unfit)
    problems.raise_if_any(ConfigError)


def with_paths(given: Mapping[str, Any], types: Mapping[str, Any], but: Collection[str] = ()) -> dict[str, Any]:
    """The arguments, with those that may be paths as `as_path` has them; `but` those that may be addresses.

    >>> with_paths({"out": "file:///runs", "name": "a://b"}, {"out": str | Path, "name": str})
    {'out': PosixPath('/runs'), 'name': 'a://b'}
    """
    return {
        name: _with_paths(value, types[name]) if name in types and name not in but else value
        for name, value in given.items()
    }


def check_least(where: str, least: float, **given: float | None) -> None:
    """Refuse numbers below the least that an argument may be; None, where one was not given, is passed over.

    >>> check_least("value", 1, actors=0)
    Traceback (most recent call last):
    raymm.errors.ConfigError: value: actors=0: give 1 or more
    """
    wrong = [name for name, value in given.items() if value is not None and not value >= least]
    Problems(where, [f"{name}={given[name]}: give {least} or more" for name in wrong]).raise_if_any(ConfigError)


def refuse_folder(where: str, path: Path, name: str) -> None:
    """Raise `ConfigError` where the path of a file that is to be written is a folder; `name` is one in it."""
    if path.is_dir():
        raise ConfigError(f"{where}: {path} is a folder; name a file in it, such as {path / name}")


def _with_paths(value: Any, hint: Any) -> Any:
    """A value whose type has paths in it, as `as_path` has them."""
    kind, inner = get_origin(hint), get_args(hint)
    if hint is Path:
        return as_path(value)
    if kind in {Union, UnionType}:
        for one in inner:
            value = _with_paths(value, one)
    elif kind is collections.abc.Sequence and isinstance(value, list | tuple):
        return type(value)(_with_paths(item, inner[0]) for item in value)
    elif kind is collections.abc.Mapping and type(value) is dict:
        return {name: _with_paths(one, inner[1]) for name, one in value.items()}
    return value


def _fits(value: Any, hint: Any) -> bool:
    """Whether a value is of a type; of what is counted through only once, the items are not looked at."""
    kind, inner = get_origin(hint), get_args(hint)
    if kind in {Union, UnionType}:
        return any(_fits(value, one) for one in _ways(inner))
    if kind is collections.abc.Mapping:
        return isinstance(value, Mapping) and all(
            _fits(name, inner[0]) and _fits(one, inner[1]) for name, one in value.items()
        )
    if kind is collections.abc.Sequence:
        items = value if isinstance(value, list | tuple) else ()
        return _is_listed(value, inner[0]) and all(_fits(item, inner[0]) for item in items)
    if kind is Literal:
        return isinstance(value, str) and value in inner
    return callable(value) if kind is collections.abc.Callable else _is_a(value, hint)


def _is_a(value: Any, hint: Any) -> bool:
    """Whether a value is of a class, or is taken for it."""
    if hint is Path:
        return isinstance(value, str | PathLike) and "\0" not in str(value)
    if hint is bool and type(value).__name__ in {"bool", "bool_"}:  # NumPy's too
        return True
    return hint is Any or isinstance(value, ACCEPTED.get(hint, hint))


def _is_listed(value: object, item: Any) -> bool:
    """Whether a value is something to go through, as lists, arrays and columns are; a text alone where texts are."""
    if isinstance(value, str):  # elsewhere its letters would be taken
        return item is str
    if isinstance(value, Mapping | bytes | set | frozenset):  # a set has no order
        return False
    return isinstance(value, collections.abc.Iterable) or hasattr(value, "__getitem__")


def _ways(inner: Sequence[Any]) -> list[Any]:
    """The types of a union; a text beside a path is one."""
    return [one for one in inner if not (one is str and Path in inner)]


def _either(hint: Any) -> str:
    """What is to be given, in words."""
    *most, last = _words(hint, 0)
    return f"{', '.join(most)} or {last}" if most else last


def _words(hint: Any, several: int) -> list[str]:
    """Each way in which an argument can be given; of `several` (1 or 0)."""
    kind, inner = get_origin(hint), get_args(hint)
    if kind in {Union, UnionType}:
        return list(dict.fromkeys(word for one in _ways(inner) for word in _words(one, several)))
    if kind is Literal:
        return [repr(one) for one in inner]
    if kind is collections.abc.Callable:
        return [("a function", "functions")[several]]
    if kind is collections.abc.Mapping:
        of = "" if inner[1] is Any else f" from names to {' or '.join(_words(inner[1], 1))}"
        return [("a mapping", "mappings")[several] + of]
    if kind is collections.abc.Sequence:
        of = "" if inner[0] is Any else f" of {' or '.join(_words(inner[0], 1))}"
        return [("a list", "lists")[several] + of]
    return [WORDS.get(hint.__name__, (hint.__name__, hint.__name__))[several]]
