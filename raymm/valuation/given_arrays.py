"""Arrays, lists and columns of a caller as tensors, in every form in which they are one."""

from typing import Any, TypeGuard

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

__all__ = ["as_array", "as_tensor", "is_integer"]


def as_tensor(found: Any) -> Tensor:
    """As `torch.as_tensor`, also of what that refuses or warns of.

    These are columns of pandas, lists of arrays or tensors, and arrays that are read-only, reversed or of another
    byte order.

    Raises
    ------
    TypeError, ValueError, RuntimeError
        When it is no array of numbers, or has entries that are masked out.

    Examples
    --------
    >>> as_tensor(np.arange(3, dtype=">i4")[::-1])
    tensor([2, 1, 0], dtype=torch.int32)
    """
    _refuse_masked(found)
    items = found if isinstance(found, list | tuple) else ()
    if items and all(isinstance(one, Tensor) for one in items):
        return torch.stack(list(items))
    of_arrays = any(isinstance(one, np.ndarray | np.generic) for one in items)
    if isinstance(found, Tensor) or not (of_arrays or hasattr(found, "__array__")):
        return torch.as_tensor(found)
    array = np.asarray(found)
    return torch.as_tensor(np.require(array, array.dtype.newbyteorder("="), ["C", "W"]))


def as_array(found: Any) -> npt.NDArray[Any]:
    """A tensor, array or list as an array; errors as `as_tensor`.

    >>> as_array(torch.ones(2, requires_grad=True))
    array([1., 1.], dtype=float32)
    """
    _refuse_masked(found)
    return found.detach().cpu().numpy() if isinstance(found, Tensor) else np.asarray(found)


def is_integer(number: object) -> TypeGuard[int]:
    """Whether something is a whole number of Python or NumPy, which True is not.

    >>> [is_integer(one) for one in (3, np.uint8(3), 3.0, True, "3")]
    [True, True, False, False, False]
    """
    return isinstance(number, int | np.integer) and not isinstance(number, bool)


def _refuse_masked(found: Any) -> None:
    items = found if isinstance(found, list | tuple) else (found,)
    if any(isinstance(one, np.ma.MaskedArray) and np.ma.is_masked(one) for one in items):
        raise TypeError("some of its entries are masked out; fill them, or leave these samples out")
