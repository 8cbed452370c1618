"""Whether a valuation reproduces: the sides of the fair share on which samples lie in two valuations, compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from raymm.valuation.table import ValuationTable

__all__ = ["agreement", "cohens_kappa", "low_shares"]


def low_shares(table: ValuationTable) -> npt.NDArray[np.float64]:
    """Share of samples whose contribution is below the fair share, [n], of the samples that have the modality.

    NaN where the utility has no fair share, or no sample has the modality.
    """
    low = np.full(table.phi.shape[1], np.nan)
    if table.info.fair_share is None:
        return low
    for position, phi in enumerate(table.phi.T):
        known = phi[~np.isnan(phi)]
        if len(known):
            low[position] = (known < table.info.fair_share).mean()
    return low


def agreement(table: ValuationTable, before: ValuationTable) -> npt.NDArray[np.float64]:
    """Cohen's kappa, of each modality [n], between the samples with a low contribution in two valuations.

    Low is a contribution below the fair share, or below the median of its table where the utility has none. Kappa is
    1 where the same samples are low, 0 where they are those that chance would give, NaN where it is not defined.

    Parameters
    ----------
    table, before
        Valuations of the same samples in the same order.
    """
    found = np.full(table.phi.shape[1], np.nan)
    if not np.array_equal(table.sample_id, before.sample_id):
        return found
    for position in range(len(found)):
        now, then = table.phi[:, position], before.phi[:, position]
        known = ~np.isnan(now) & ~np.isnan(then)
        if known.any():
            found[position] = cohens_kappa(_low(now[known], table), _low(then[known], before))
    return found


def cohens_kappa(first: npt.NDArray[np.bool_], second: npt.NDArray[np.bool_]) -> float:
    """Agreement of two judgements [N] beyond what their frequencies alone would give (Cohen, 1960).

    Examples
    --------
    >>> yes, no = True, False
    >>> cohens_kappa(np.array([yes, yes, no, no]), np.array([yes, no, no, no]))
    0.5
    """
    observed = float((first == second).mean())
    p, q = float(first.mean()), float(second.mean())
    by_chance = p * q + (1 - p) * (1 - q)
    return (observed - by_chance) / (1 - by_chance) if by_chance < 1 else float("nan")


def _low(phi: npt.NDArray[np.float64], table: ValuationTable) -> npt.NDArray[np.bool_]:
    side = np.median(phi) if table.info.fair_share is None else table.info.fair_share
    low: npt.NDArray[np.bool_] = phi < side
    return low
