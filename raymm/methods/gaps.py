"""How far a modality lags behind the others: the normalised gap d of the modality level."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from raymm.valuation.utilities import Utility

__all__ = ["gaps"]

ROUNDING = 1e-12
"""Part of the largest mean by which means may be apart by rounding alone."""


def gaps(mean_phi: npt.NDArray[np.float64], utility: Utility) -> npt.NDArray[np.float64]:
    """d_i = max(0, mean over j != i of (mean phi_j - mean phi_i)), normalised to [0, 1], row by row.

    The divisor is the largest gap that the utility allows (`Utility.largest_gap`: n / 2 for `count`, where one
    modality is always right alone and the other breaks it; 1 for `correct` and `probability`). Utilities without a
    bound are divided by the spread of the means. Modalities that were never seen (NaN) get 0.

    Parameters
    ----------
    mean_phi
        float64 [rows, n].

    Examples
    --------
    >>> from raymm.valuation import get_utility
    >>> gaps(np.array([[1.5, 0.5]]), get_utility("count")).tolist()
    [[0.0, 1.0]]
    """
    n = mean_phi.shape[1]
    if n == 1:
        return np.zeros_like(mean_phi)
    seen = ~np.isnan(mean_phi)
    known = np.where(seen, mean_phi, 0.0)
    others = np.maximum(seen.sum(axis=1, keepdims=True) - 1, 1)
    gap = (known.sum(axis=1, keepdims=True) - known) / others - known
    bound = utility.largest_gap(n) if utility.largest_gap is not None else None
    return np.where(seen, np.clip(gap / (_spread(mean_phi) if bound is None else bound), 0.0, 1.0), 0.0)


def _spread(mean_phi: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Largest minus smallest mean of each row, [rows, 1]; infinite where rounding alone sets them apart."""
    high, low = np.nanmax(mean_phi, axis=1, keepdims=True), np.nanmin(mean_phi, axis=1, keepdims=True)
    rounding = ROUNDING * np.maximum(np.abs(high), np.abs(low))
    return np.where(high - low > rounding, high - low, np.inf)
