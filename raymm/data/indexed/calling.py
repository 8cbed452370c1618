"""Somebody's own function, found by its name or given itself, and called with arguments that are checked before."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from raymm.config.plugins import describe_plugins
from raymm.errors import ConfigError, Problems, RaymmError, did_you_mean, in_one_line

__all__ = ["called", "code_of", "is_spec"]


def is_spec(where: str) -> bool:
    """Whether a text has the form "package.module:NAME" or "FILE.py:NAME".

    >>> is_spec("mine.data:clips"), is_spec("data/mine.py:clips"), is_spec("C:/clips"), is_spec("clips.csv")
    (True, True, False, False)
    """
    module, colon, name = where.rpartition(":")
    return bool(colon) and name.isidentifier() and (module.endswith(".py") or _is_module(module))


def code_of(spec: str) -> str:
    """The SHA-256 of the module, or of the file, that an object is in."""
    module = spec.rpartition(":")[0]
    return describe_plugins([module])[0].sha256


def called(function: Callable[..., Any], arguments: Mapping[str, Any], where: str) -> Any:
    """What a function returns, or a class makes.

    Raises
    ------
    ConfigError
        When it does not take these arguments, with the nearest name, or lacks one; or it raises something.
    """
    _check_arguments(function, arguments, where)
    try:
        return function(**arguments)
    except RaymmError:
        raise
    except Exception as cause:
        raise ConfigError(f"{where}: called with {_in_words(arguments)} it raises {in_one_line(cause)}") from cause


def _check_arguments(function: Callable[..., Any], arguments: Mapping[str, Any], where: str) -> None:
    try:
        known = inspect.signature(function).parameters
    except (TypeError, ValueError):  # of a function that is not written in Python
        return
    problems = Problems(where)
    free = any(parameter.kind is parameter.VAR_KEYWORD for parameter in known.values())
    names = [name for name, parameter in known.items() if parameter.kind not in NOT_BY_NAME]
    for name in arguments:
        if name not in names and not free:
            problems.add(f"takes no argument '{name}'; {did_you_mean(name, names)}")
    for name in names:
        if known[name].default is inspect.Parameter.empty and name not in arguments:
            problems.add(f"needs the argument '{name}': give it as args.{name}=VALUE")
    problems.raise_if_any(ConfigError)


NOT_BY_NAME = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.POSITIONAL_ONLY)


def _in_words(arguments: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={value!r}" for name, value in arguments.items()) or "nothing"


def _is_module(name: str) -> bool:
    return all(part.isidentifier() for part in name.split("."))
