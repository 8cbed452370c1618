"""Bit masks and packed bits, for numpy arrays and torch tensors alike: the result is of the argument's type.

Bits are little-endian: bit c of a packed row is bit `c % 8` of byte `c // 8`.
"""

from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

__all__ = ["bits_at", "masks_of", "pack_bits", "unpack_bits"]

Array = TypeVar("Array", Tensor, npt.NDArray[Any])


def masks_of(codes: Array, n: int) -> Array:
    """Members of coalitions.

    Parameters
    ----------
    codes
        Bit masks, int64 [s]; bit i stands for player i.

    Returns
    -------
    bool [s, n].

    Examples
    --------
    >>> masks_of(np.array([0, 2, 5]), 3).astype(int)
    array([[0, 0, 0],
           [0, 1, 0],
           [1, 0, 1]])
    """
    if isinstance(codes, Tensor):
        return (codes[:, None] >> torch.arange(n, device=codes.device) & 1).bool()
    members: npt.NDArray[np.bool_] = (codes[:, None] >> np.arange(n) & 1).astype(bool)
    return members


def pack_bits(bits: Array) -> Array:
    """Pack bool [N, count] into uint8 [N, ceil(count / 8)], on the device of `bits`.

    Examples
    --------
    >>> pack_bits(np.array([[True, False, False, True]]))
    array([[9]], dtype=uint8)
    """
    if not isinstance(bits, Tensor):
        return np.packbits(bits, axis=1, bitorder="little")
    if bits.device.type == "cpu":
        return torch.from_numpy(pack_bits(bits.contiguous().numpy()))
    return _packed(bits)


def _packed(bits: Tensor) -> Tensor:
    """`pack_bits` by operations that every device has."""
    padded = torch.nn.functional.pad(bits.to(torch.uint8), (0, -bits.shape[1] % 8)).unflatten(1, (-1, 8))
    powers = 1 << torch.arange(8, dtype=torch.uint8, device=bits.device)
    return (padded * powers).sum(dim=-1, dtype=torch.uint8)


def unpack_bits(packed: Array, count: int) -> Array:
    """The inverse of `pack_bits`: bool [N, count].

    Examples
    --------
    >>> unpack_bits(np.array([[9]], dtype=np.uint8), 4)
    array([[ True, False, False,  True]])
    """
    if not isinstance(packed, Tensor):
        return np.unpackbits(packed, axis=1, count=count, bitorder="little").astype(bool)
    bits = (packed[..., None] >> torch.arange(8, dtype=torch.uint8, device=packed.device)) & 1
    return bits.flatten(1)[:, :count].bool()


def bits_at(packed: Array, places: list[int]) -> Array:
    """Some of the bits, without unpacking the others: bool [N, len(places)].

    Examples
    --------
    >>> bits_at(np.array([[9, 1]], dtype=np.uint8), [3, 4, 8])
    array([[ True, False,  True]])
    """
    if not isinstance(packed, Tensor):
        codes = np.array(places, dtype=np.int64)
        return ((packed[:, codes // 8] >> (codes % 8).astype(np.uint8)) & 1).astype(bool)
    where, shifts = _places(tuple(places), packed.device)
    return (packed.index_select(1, where) >> shifts & 1).bool()


@lru_cache(maxsize=64)
@torch.inference_mode(mode=False)
def _places(places: tuple[int, ...], device: torch.device) -> tuple[Tensor, Tensor]:
    """Byte and position in the byte of some bits, on a device."""
    codes = torch.tensor(places)
    return (codes // 8).to(device), (codes % 8).to(device, torch.uint8)
