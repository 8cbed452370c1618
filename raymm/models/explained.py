"""Methods of somebody's own model: what they raise is said with their inputs and the line."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Any

from torch import Tensor

from raymm.errors import RaymmError, in_one_line
from raymm.valuation.conformance import ModelError

__all__ = ["explained", "in_words"]


def explained(method: Callable[..., Any], name: str, where: str) -> Callable[..., Any]:
    """The method; what it raises comes out as a `ModelError` that says what it was called with."""

    @wraps(method)
    def call(*arguments: Any) -> Any:
        try:
            return method(*arguments)
        except RaymmError:
            raise
        except Exception as cause:
            on = ", ".join(in_words(argument) for argument in arguments)
            raise ModelError(
                f"{where}: in your {name}, called with {on}: {in_one_line(cause)}; --debug shows the whole trace"
            ) from cause

    return call


def in_words(argument: Any) -> str:
    """`float32 [4, 3, 64]` for a tensor, rows and inputs for a batch, and what is in a mapping or sequence."""
    if isinstance(argument, Tensor):
        return f"{str(argument.dtype).removeprefix('torch.')} {list(argument.shape)}"
    if isinstance(argument, Mapping):
        return f"{{{', '.join(f'{name}: {in_words(value)}' for name, value in argument.items())}}}"
    if isinstance(argument, Sequence) and not isinstance(argument, str):
        return f"({', '.join(in_words(value) for value in argument)})"
    inputs = getattr(argument, "inputs", None)
    if not isinstance(inputs, dict):
        return f"a {type(argument).__name__}"
    shapes = [f"{name} {list(values.shape)}" for name, values in inputs.items() if isinstance(values, Tensor)]
    return f"a batch of {len(argument)} rows, inputs {', '.join(shapes)}"
