"""How a model uses each modality, read from its valuation table: the numbers that verdicts and tables are made of."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from raymm.reports.chance import chance_by_modality
from raymm.reports.paired_statistics import LEVEL, has_no_spread, p_of_equal
from raymm.reports.statistics import Interval, Proportion, broken_more_p, mean_interval, nan_mean, proportion
from raymm.valuation.marginals import broken_and_repaired

if TYPE_CHECKING:
    from raymm.valuation.table import ValuationTable

__all__ = ["HIGH", "LOW", "Role", "Usage", "not_under_used", "usages"]

LOW, HIGH = 0.25, 0.5
"""Parts of what the others contribute by which a modality must be below them to be under-used, and above them to
dominate: with very many samples, differences that do not matter are shown too."""

Role = Literal["harmful", "under-used", "dominant", "even", "only", "missing", "unread", "untrained"]


@dataclass(frozen=True)
class Usage:
    """What one modality does on the samples of a table.

    Attributes
    ----------
    modality
        Its name.
    phi
        Mean contribution over the samples that have it, with Student's t interval over samples.
    below, negative
        Shares of these samples with phi below the fair share (None where the utility has none), and below 0.
    alone
        Share of these samples that it predicts right by itself; None where the task does not say what is right.
    chance
        Accuracy of the best constant answer on these samples, or None.
    gap
        On samples that have another modality too: phi less the mean phi of the others of the same sample, with a
        95 % interval over samples that holds for all modalities of the table at once (Bonferroni). Its margin is NaN
        where so few samples, all of one gap, show nothing.
    others
        Mean over these samples of the mean phi of the others.
    repairs, breaks
        Shares of these samples on which all others are wrong and all together right, and the other way round; None
        where not all coalitions were evaluated.
    harm
        p of as many breaks among the samples that it changes, if either were as likely (McNemar's exact test,
        one-sided), times the number of modalities; NaN where that is not known.
    read
        Whether the model reads it.
    trained
        Whether a training sample has it.
    """

    modality: str
    phi: Interval
    below: Proportion | None
    negative: Proportion
    alone: Proportion | None
    chance: float | None
    gap: Interval
    others: float
    repairs: float | None
    breaks: float | None
    harm: float
    read: bool = True
    trained: bool = True

    @property
    def role(self) -> Role:
        """Untrained where no training sample has it, harmful where it is shown to break more answers than it repairs;
        else under-used or dominant where it differs from the others by more than chance, and by `LOW` or `HIGH` of
        them.
        """
        if not self.read:
            return "unread"
        if not self.phi.count or not self.trained:
            return "untrained" if self.phi.count else "missing"
        if not self.gap.count:
            return "only"
        if self.harm <= LEVEL:
            return "harmful"
        part = (LOW if self.gap.mean < 0 else HIGH) * abs(self.others)
        if not abs(self.gap.mean) > self.gap.margin or abs(self.gap.mean) < part:
            return "even"
        return "under-used" if self.gap.mean < 0 else "dominant"

    @property
    def not_low(self) -> bool:
        """Whether it is shown not to be under-used: the whole interval is above what that would be, less `LOW`."""
        return self.gap.mean - self.gap.margin >= -LOW * abs(self.others)

    @property
    def alike(self) -> bool:
        """Whether it is shown to be used about as much as the others: the interval is within `LOW` and `HIGH`."""
        return self.not_low and self.gap.mean + self.gap.margin <= HIGH * abs(self.others)

    @property
    def above_chance(self) -> bool | None:
        """Whether it is shown to be above chance by itself: its interval is; None where that is not known."""
        return None if self.alone is None or self.chance is None else self.alone.low > self.chance


def usages(
    table: ValuationTable, read: Collection[str] | None = None, untrained: Collection[str] = ()
) -> list[Usage]:
    """The usage of every modality of a table, in its order.

    Parameters
    ----------
    read
        Names of the modalities that the model reads; the others are as if no sample had them. Default: all.
    untrained
        Names of the modalities that no training sample has: no other is compared with them.
    """
    names = table.info.modalities
    reads = np.array([read is None or name in read for name in names])
    phi = np.where(reads, table.phi, np.nan)
    present = ~np.isnan(phi)
    chance = chance_by_modality(table.task, table.label, present, names) if table.shows_right else {}
    shares = broken_and_repaired(table, reads)
    accompanied = (present & (present.sum(axis=1) > 1)[:, None]).sum(axis=0)
    trained = np.array([name not in untrained for name in names])
    gaps, others = _against_others(np.where(trained, phi, np.nan), present & trained)
    return [
        Usage(
            modality=name,
            phi=mean_interval(phi[:, at]),
            below=_share(phi[:, at], table.info.fair_share),
            negative=_share(phi[:, at], 0.0) or proportion(0, 0),
            alone=_alone(table, present, at),
            chance=chance.get(name),
            gap=_gap(gaps[:, at], max(1, int(reads.sum()))),
            others=nan_mean(others[:, at]),
            repairs=None if shares is None else _known(shares[1, at]),
            breaks=None if shares is None else _known(shares[0, at]),
            harm=float("nan") if shares is None else _harm(shares[:, at], int(accompanied[at]), int(reads.sum())),
            read=bool(reads[at]),
            trained=bool(trained[at]),
        )
        for at, name in enumerate(names)
    ]


def not_under_used(found: Sequence[Usage]) -> str:
    """What can be said where no modality is under-used: "under-used", or only "shown to be under-used", follows "no".

    That none is, needs the whole interval of each modality that is used with others.
    """
    compared = [usage for usage in found if usage.role in ("even", "dominant")]
    return "under-used" if all(usage.not_low for usage in compared) else "shown to be under-used"


def _against_others(
    phi: npt.NDArray[np.float64], present: npt.NDArray[np.bool_]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """phi less the mean of the others of the sample, and that mean, [N, n]; NaN where there is no other."""
    others = present.sum(axis=1, keepdims=True) - 1
    sums = np.nansum(phi, axis=1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        mean = np.where(present & (others > 0), (sums - phi) / others, np.nan)
    return phi - mean, mean


def _gap(gaps: npt.NDArray[np.float64], tests: int) -> Interval:
    """The interval of one of so many gaps, without a margin where samples of one gap are too few to show anything."""
    level = LEVEL / tests
    found = mean_interval(gaps, 1 - level)
    shows_nothing = has_no_spread(found) and p_of_equal(found.count) > level
    return replace(found, margin=float("nan")) if shows_nothing else found


def _share(phi: npt.NDArray[np.float64], bound: float | None) -> Proportion | None:
    if bound is None:
        return None
    known = phi[~np.isnan(phi)]
    return proportion(int((known < bound).sum()), len(known))


def _alone(table: ValuationTable, present: npt.NDArray[np.bool_], at: int) -> Proportion | None:
    if not table.shows_right:
        return None
    right = table.unimodal_correct[present[:, at], at]
    return proportion(int(right.sum()), len(right))


def _harm(shares: npt.NDArray[np.float64], samples: int, tests: int) -> float:
    """p of McNemar's test of the shares (breaks, repairs) of some samples, by Bonferroni over the modalities."""
    if not samples:
        return float("nan")
    broken, repaired = (round(float(share) * samples) for share in shares)
    return min(1.0, float(broken_more_p(broken, repaired)) * tests)


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
