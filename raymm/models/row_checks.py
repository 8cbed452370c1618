"""A check of a part of a model on a few rows: its shape, finite numbers, and rows that do not see each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from raymm.errors import ConfigError, Problems, RaymmError, in_one_line
from raymm.valuation.likeness import close

__all__ = ["apart_in_words", "check_rows"]


def check_rows(where: str, part: Callable[..., Any], shape: tuple[int, int], words: str, *inputs: Tensor) -> None:
    """Refuse a part whose output has another shape, is not finite, or has rows that depend on the others.

    The first and the last row are computed by themselves.

    Raises
    ------
    ConfigError
        With everything that is wrong; `words` are the letters of the expected shape.
    """
    if not shape[0]:
        return
    try:
        whole = part(*inputs)
        first, last = (part(*(values[row] for values in inputs)) for row in (slice(1), slice(-1, None)))
    except RaymmError as cause:
        raise ConfigError(str(cause)) from cause
    except Exception as cause:
        raise ConfigError(f"{where}: raises {in_one_line(cause)}") from cause
    problems = Problems(where)
    if not isinstance(whole, Tensor) or whole.shape != shape:
        got = list(whole.shape) if isinstance(whole, Tensor) else f"a {type(whole).__name__}"
        problems.add(f"returns {got} for {shape[0]} rows; expected {words} = {list(shape)}")
    elif not torch.isfinite(whole).all() and all(bool(torch.isfinite(values).all()) for values in inputs):
        problems.add(
            "returns NaN or infinite numbers for finite inputs, before anything is trained; look at its weights"
        )
    elif not (close(first, whole[:1]) and close(last, whole[-1:])):
        problems.add(apart_in_words("a row's output depends", whole, lambda: part(*inputs)))
    problems.raise_if_any(ConfigError)


def apart_in_words(depends: str, whole: Tensor, again: Callable[[], Any]) -> str:
    """Why rows come out otherwise by themselves: they depend on others, or come out otherwise every time."""
    found = again()
    if isinstance(found, Tensor) and close(found, whole):
        return f"{depends} on the other rows of its batch; each row must be computed by itself"
    return (
        "gives something else when it is called again with the same rows: it draws at random in evaluation mode, or "
        "changes its inputs in place"
    )
