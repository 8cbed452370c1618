"""Mean and standard deviation of numbers that come in blocks, without loss of digits.

Sums of squares lose all digits where the mean is large. Here the first value of each column is subtracted first,
which makes a constant column exactly 0, and blocks are joined by the formula of Chan, Golub and LeVeque (Algorithms
for Computing the Sample Variance, The American Statistician 37, 1983), in float64.
"""

import numpy as np
import numpy.typing as npt

__all__ = ["Moments"]

SMALLEST = float(np.finfo(np.float32).tiny)
"""Deviations up to here are those of a constant; dividing by a smaller one overflows float32."""


class Moments:
    """Count, mean and sum of squared deviations of each of `size` columns.

    Examples
    --------
    >>> moments = Moments(2)
    >>> moments.add(np.array([[1e6, 5.0], [1e6 + 1, 5.0]]))
    >>> moments.add(np.array([[1e6 + 2, 5.0]]))
    >>> moments.statistics()
    {'mean': [1000001.0, 5.0], 'std': [0.816496580927726, 1.0]}
    """

    def __init__(self, size: int) -> None:
        self._count = 0
        self._pivot = np.zeros(size)
        self._mean = np.zeros(size)  # of what is left when the pivot is subtracted
        self._squares = np.zeros(size)

    def add(self, values: npt.NDArray[np.floating]) -> None:
        """Take in a block [rows, size]; of float64, it is overwritten."""
        rows = len(values)
        if not rows:
            return
        block = values.astype(np.float64, copy=False)
        if not self._count:
            self._pivot = block[0].copy()
        block -= self._pivot
        mean = block.mean(axis=0)
        block -= mean
        joined = self._count + rows
        step = mean - self._mean
        self._squares += np.einsum("ij,ij->j", block, block) + step**2 * (self._count * rows / joined)
        self._mean += step * (rows / joined)
        self._count = joined

    def statistics(self) -> dict[str, list[float]]:
        """`mean` and `std`, [size] each; the deviation of a constant, and of no values, is given as 1."""
        std = np.sqrt(self._squares / max(self._count, 1))
        return {
            "mean": (self._pivot + self._mean).tolist(),
            "std": np.where(std > SMALLEST, std, 1.0).tolist(),
        }
