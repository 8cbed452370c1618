"""What public functions have alike: arguments are checked by name and type, and what the system refuses is worded."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from inspect import signature
from typing import ParamSpec, TypeVar

from raymm.api.argument_types import check_types, types_of, with_paths
from raymm.config.arguments import named_arguments
from raymm.errors import DataError, is_of_own_code
from raymm.storage.os_errors import explain_os_error

__all__ = ["public", "with_worded_refusals"]

P = ParamSpec("P")
T = TypeVar("T")

REMOTE = ("resume",)
"""Arguments that may be addresses of an object store."""


def public(function: Callable[P, T]) -> Callable[P, T]:
    """A function or method that raises `RaymmError` for mistakes in its arguments, and for files that are in the way.

    Arguments must be of the types that the signature says, keywords of its names; what is a path there is no address,
    see `raymm.storage.local_path`. A file or folder that the system refuses is a `DataError`; the errors of
    somebody's own code stay as they are.

    Examples
    --------
    >>> @public
    ... def train(data: str, *, epochs: int = 1) -> int:
    ...     return epochs
    >>> train("data", epochs="x")
    Traceback (most recent call last):
    raymm.errors.ConfigError: train: epochs='x': give a whole number
    """
    form, worded = signature(function), with_worded_refusals(function)

    @wraps(function)
    def call(*arguments: P.args, **named: P.kwargs) -> T:
        try:
            bound = form.bind(*arguments, **named)
        except TypeError:  # too many, or too few: the call itself says which
            return function(*arguments, **named)
        check_types(function.__name__, bound.arguments, types_of(function))
        bound.arguments.update(with_paths(bound.arguments, types_of(function), REMOTE))
        return worded(*bound.args, **bound.kwargs)

    return named_arguments(call)


def with_worded_refusals(function: Callable[P, T]) -> Callable[P, T]:
    """A function that raises `DataError` where the system refuses a file or folder; errors of own code stay."""

    @wraps(function)
    def call(*arguments: P.args, **named: P.kwargs) -> T:
        try:
            return function(*arguments, **named)
        except OSError as cause:
            if not cause.filename or is_of_own_code(cause):
                raise
            raise DataError(explain_os_error(cause)) from cause

    return call
