"""Mean contributions over all samples, by class, or by any grouping, with confidence intervals."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

from raymm.valuation import ValuationTable

__all__ = ["Mean", "mean_of", "means_by"]


@dataclass(frozen=True)
class Mean:
    """Contributions of one modality in one group.

    Attributes
    ----------
    group, modality
        Whose.
    count
        Samples that have the modality.
    mean, half_width
        Mean phi, and what is on each side of it in its 95 % interval (Student's t); NaN below two samples.
    low, negative
        Shares with phi below 1 and below 0.
    """

    group: str
    modality: str
    count: int
    mean: float
    half_width: float
    low: float
    negative: float


def mean_of(phi: npt.NDArray[np.float64], group: str, modality: str) -> Mean:
    """The mean of contributions [N]; NaN (a missing modality) is left out."""
    known = phi[~np.isnan(phi)]
    count = len(known)
    if count == 0:
        return Mean(group, modality, 0, *[float("nan")] * 4)
    half = float("nan")
    if count > 1:
        half = float(stats.t.ppf(0.975, count - 1) * known.std(ddof=1) / np.sqrt(count))
    return Mean(
        group, modality, count, float(known.mean()), half, float((known < 1).mean()), float((known < 0).mean())
    )


def means_by(table: ValuationTable, group: npt.NDArray[np.int64], names: Sequence[str]) -> list[Mean]:
    """Means of every modality in every group.

    Parameters
    ----------
    group
        Number of each sample's group, int64 [N]; `table.label` for classes.
    names
        Names of the groups.
    """
    return [
        mean_of(table.phi[group == number, position], name, modality)
        for number, name in enumerate(names)
        for position, modality in enumerate(table.info.modalities)
    ]
