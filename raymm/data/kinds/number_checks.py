"""Which numbers can be stored as a type: finite ones that it has room for, and whole ones where it has no others."""

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["number_troubles"]


def number_troubles(array: npt.NDArray[Any], dtype: np.dtype[Any]) -> list[str]:
    """What keeps the numbers of an array from being stored as a type, in words; empty when nothing does.

    Examples
    --------
    >>> number_troubles(np.array([0.0, 1.0]), np.dtype(np.uint8))
    []
    >>> number_troubles(np.array([3, 256]), np.dtype(np.uint8))
    ['holds 1 values that uint8 has no room for, such as 256; scale them']
    """
    if array.dtype.kind not in "fiu":
        return [f"has type {array.dtype}, not numbers"]
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        return [f"holds {int((~np.isfinite(array)).sum())} values that are NaN or infinite"]
    if array.dtype == dtype:
        return []
    beyond = _beyond(array, dtype)
    if beyond.any():
        first = f"{array[beyond][0]:g}"
        return [f"holds {int(beyond.sum())} values that {dtype} has no room for, such as {first}; scale them"]
    if dtype.kind in "iu" and array.dtype.kind == "f" and (cut := array != np.floor(array)).any():
        first = f"{array[cut][0]:g}"
        return [f"holds {int(cut.sum())} fractions, such as {first}; {dtype} is whole numbers only: scale them"]
    return []


def _beyond(array: npt.NDArray[Any], dtype: np.dtype[Any]) -> npt.NDArray[np.bool_]:
    """Which finite numbers are out of the range of a type: stored as it, they are infinite, or other numbers."""
    if dtype.kind == "f":
        with np.errstate(over="ignore"):
            return ~np.isfinite(array.astype(dtype))
    if dtype.kind in "iu":
        limits = np.iinfo(dtype)
        return (array < limits.min) | (array > limits.max)
    return np.zeros(array.shape, bool)
