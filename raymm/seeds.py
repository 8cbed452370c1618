"""Everything random is a function of (seed, what it is for): no global generator is ever relied on.

`derive` gives the seed of a torch generator for a purpose ("epoch", 3, ...). `uniform` and `normal` give
numbers keyed by row and position, computed for a whole batch at once (SplitMix64, Steele et al., OOPSLA
2014), so that a sample's noise does not depend on its batch, its rank or the number of workers.
"""

import hashlib

import numpy as np
import numpy.typing as npt

__all__ = ["derive", "keys_of", "normal", "uniform"]

LARGEST = np.float32(1 - 2.0**-24)
"""The largest float32 below 1."""

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


def derive(seed: int, *purpose: str | int) -> int:
    """A 63-bit seed for one purpose; different purposes give unrelated seeds."""
    text = "/".join([str(seed), *map(str, purpose)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little") >> 1


def keys_of(seed: int, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.uint64]:
    """One 64-bit key a row, from a derived seed and row numbers of any shape."""
    return _mix(rows.astype(np.uint64) * _GAMMA + np.uint64(seed))


def uniform(keys: npt.NDArray[np.uint64], count: int) -> npt.NDArray[np.float32]:
    """Uniform numbers in (0, 1), shape `[*keys.shape, count]`."""
    steps = np.arange(1, count + 1, dtype=np.uint64) * _GAMMA
    bits = _mix(keys[..., None] + steps) >> np.uint64(40)
    drawn = (bits.astype(np.float32) + np.float32(0.5)) * np.float32(2.0**-24)
    return np.minimum(drawn, LARGEST).astype(np.float32)  # the last of 2**24 numbers would be rounded to 1


def normal(keys: npt.NDArray[np.uint64], count: int) -> npt.NDArray[np.float32]:
    """Standard normal numbers, shape `[*keys.shape, count]` (Box and Muller, 1958)."""
    half = (count + 1) // 2
    u = uniform(keys, 2 * half)
    radius = np.sqrt(-2.0 * np.log(u[..., :half]))
    angle = np.float32(2.0 * np.pi) * u[..., half:]
    both = np.concatenate([radius * np.cos(angle), radius * np.sin(angle)], axis=-1)
    return both[..., :count].astype(np.float32)


def _mix(z: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    z = (z ^ (z >> np.uint64(30))) * _MIX_1
    z = (z ^ (z >> np.uint64(27))) * _MIX_2
    return z ^ (z >> np.uint64(31))
