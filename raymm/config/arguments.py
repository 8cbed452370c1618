"""Names of arguments that a public function does not have: the nearest one is said."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from inspect import Parameter, signature
from typing import ParamSpec, TypeVar

from raymm.errors import did_you_mean

__all__ = ["named_arguments"]

P = ParamSpec("P")
T = TypeVar("T")


def named_arguments(function: Callable[P, T]) -> Callable[P, T]:
    """The function; for keywords that it lacks, its `TypeError` names the nearest of those that it has.

    Examples
    --------
    >>> @named_arguments
    ... def train(data, *, epochs=1):
    ...     return epochs
    >>> train("data", epoch=3)
    Traceback (most recent call last):
    TypeError: train() got an unexpected keyword argument 'epoch'; did you mean 'epochs'?
    """
    parameters = signature(function).parameters.values()
    known = [one.name for one in parameters if one.kind is not Parameter.VAR_KEYWORD]
    is_open = len(known) < len(parameters)

    @wraps(function)
    def call(*arguments: P.args, **named: P.kwargs) -> T:
        if not is_open:
            _refuse_unknown(function.__qualname__.removesuffix(".__init__"), named, known)
        return function(*arguments, **named)

    return call


def _refuse_unknown(name: str, given: Iterable[str], known: list[str]) -> None:
    unknown = [word for word in given if word not in known]
    if unknown:
        raise TypeError(
            f"{name}() got an unexpected keyword argument '{unknown[0]}'; {did_you_mean(unknown[0], known)}"
        )
