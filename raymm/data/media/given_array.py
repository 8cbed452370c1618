"""Numbers that are given as an array, a tensor or nested lists, as an array of numpy."""

import sys
from typing import Any

import numpy as np
import numpy.typing as npt

from raymm.data.media.problem import MediaError
from raymm.deferred import torch

__all__ = ["MASKED", "given_array"]

MASKED = "holds masked numbers; fill them, or give None where the whole value is missing"
"""What is said of an array of which a part is hidden, and would be shown by what reads it."""


def given_array(value: Any) -> npt.NDArray[Any]:
    """The array that a value is, of its own type; objects become float32 numbers, bfloat16 float32.

    Raises
    ------
    MediaError
        When it is no array, or one of which a part would be lost: numbers that are masked, or complex.

    Examples
    --------
    >>> given_array([1, 2]).tolist()
    [1, 2]
    >>> given_array([1 + 2j])
    Traceback (most recent call last):
    raymm.data.media.problem.MediaError: holds complex numbers; give real and imaginary parts as numbers of their own
    """
    if np.ma.is_masked(value):
        raise MediaError(MASKED)
    try:
        array = _array(value)
    except (TypeError, ValueError, RuntimeError) as cause:
        raise MediaError(f"is no array of numbers ({' '.join(str(cause).split())})") from cause
    if array.dtype.kind == "c":
        raise MediaError("holds complex numbers; give real and imaginary parts as numbers of their own")
    return array


def _array(value: Any) -> npt.NDArray[Any]:
    if "torch" in sys.modules and isinstance(value, torch.Tensor):
        value = value.detach().cpu()
        value = (value.float() if value.dtype == torch.bfloat16 else value).numpy()
    with np.errstate(over="ignore"):  # what is too large becomes infinite, which no data set stores
        array = np.asarray(value)
        return array if array.dtype != object else np.asarray(value, np.float32)
