"""Mean Banzhaf values and interactions of a valuation table, from its outcomes a piece at a time.

A table has 2**n outcomes a row, a bit each, of which numbers are 64 times as large: those of a piece are in memory.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from raymm.valuation.bits import unpack_bits
from raymm.valuation.coalitions import banzhaf_rows, interaction_rows

if TYPE_CHECKING:
    from raymm.valuation.table import ValuationTable

__all__ = ["mean_banzhaf", "mean_interactions"]

MOST_COALITIONS = 2**12
"""In a piece, a multiple of 8."""
MOST_OUTCOMES = 2**21


def mean_banzhaf(table: ValuationTable) -> npt.NDArray[np.float64]:
    """Mean Banzhaf values [n] of the outcomes, over the samples that have the modality; NaN where none has."""
    return _means(table, ~np.isnan(table.phi), banzhaf_rows)


def mean_interactions(table: ValuationTable) -> npt.NDArray[np.float64]:
    """Mean interactions [n, n] of all pairs, on u, over the samples that have both; NaN where none has."""
    present = ~np.isnan(table.phi)
    first, second = np.triu_indices(present.shape[1], 1)
    means = np.zeros((present.shape[1], present.shape[1]))
    means[first, second] = _means(table, present[:, first] & present[:, second], interaction_rows)
    return means + means.T


def _means(
    table: ValuationTable, counted: npt.NDArray[np.bool_], weights: Callable[[Tensor, int], tuple[Tensor, int]]
) -> npt.NDArray[np.float64]:
    """Means [m] of outcomes @ matrix / divisor over the counted samples, bool [N, m]; `weights` gives both."""
    n = len(table.info.modalities)
    coalitions = min(2**n, MOST_COALITIONS)
    rows = max(1, MOST_OUTCOMES // coalitions)
    total = torch.zeros(counted.shape[1], dtype=torch.float64)
    for code in range(0, 2**n, coalitions):
        matrix, divisor = weights(torch.arange(code, code + coalitions), n)
        packed = table.outcomes[:, code // 8 : -(-(code + coalitions) // 8)]
        for start in range(0, len(table), rows):
            correct = torch.from_numpy(unpack_bits(packed[start : start + rows], coalitions)).double()
            total += (correct @ matrix).mul_(torch.from_numpy(counted[start : start + rows])).sum(dim=0)
    with np.errstate(invalid="ignore"):
        return total.numpy() / divisor / counted.sum(axis=0)
