"""A check of a part of a model on a few rows: its shape, finite numbers, and rows that do not see each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from raymm.errors import ConfigError, Problems, RaymmError, in_one_line

__all__ = ["check_rows", "differ"]

TOLERANCE = 1e-4
"""Largest difference of one row alone and in a batch, in parts of the largest number."""


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
    elif not first.shape == last.shape == (1, shape[1]) or differ(whole[:1], first) or differ(whole[-1:], last):
        problems.add("a row's output depends on the other rows of its batch; each row must be computed by itself")
    problems.raise_if_any(ConfigError)


def differ(one: Tensor, other: Tensor) -> bool:
    """Whether two outputs differ by more than rounding; what is not finite in both is left to training to name."""
    return not torch.allclose(one, other, rtol=0, atol=TOLERANCE * max(1.0, _largest(one)), equal_nan=True)


def _largest(values: Tensor) -> float:
    return float(values.abs().nan_to_num(nan=0.0, posinf=0.0).max()) if values.numel() else 0.0
