"""How often a modality turns the answer of all others right, and how often it turns a right answer wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from raymm.valuation.bits import bits_at

if TYPE_CHECKING:
    from raymm.valuation.table import ValuationTable

__all__ = ["broken_and_repaired"]


def broken_and_repaired(
    table: ValuationTable, read: npt.NDArray[np.bool_] | None = None
) -> npt.NDArray[np.float64] | None:
    """Shares of samples, [2, n], that adding a modality to all others turns from right to wrong, and wrong to right.

    Of the samples that have the modality and another one; NaN where there are none. None where not all coalitions
    were evaluated, or the task does not say what is right.

    Parameters
    ----------
    read
        Modalities that the model reads, bool [n]; the others are as if no sample had them. Default: all.
    """
    n = table.phi.shape[1]
    if not table.shows_outcomes:
        return None
    present = ~np.isnan(table.phi) if read is None else ~np.isnan(table.phi) & read
    full = 2**n - 1
    right = bits_at(table.outcomes, [full, *(full & ~(1 << position) for position in range(n))])
    shares = np.full((2, n), np.nan)
    for position in range(n):
        rows = present[:, position] & (present.sum(axis=1) > 1)
        if rows.any():
            together, without = right[rows, 0], right[rows, 1 + position]
            shares[:, position] = (without & ~together).mean(), (together & ~without).mean()
    return shares
