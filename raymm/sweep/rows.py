"""The results of a sweep: one row a trial."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from raymm.reports.means import exact_mean
from raymm.tracking.metrics import higher_is_better

if TYPE_CHECKING:
    from raymm.config.canonical import Parameter

__all__ = ["Status", "TrialRow", "best_first", "best_of", "deviation_of", "measured"]

Status = Literal["finished", "stopped", "failed"]
ORDER = {"finished": 0, "stopped": 1, "failed": 2}


@dataclass(frozen=True)
class TrialRow:
    """One trial: its settings and its results over the seeds.

    Attributes
    ----------
    key
        Fingerprint of the canonical configuration.
    number
        Order in which it was proposed, from 0.
    params
        Searched settings that apply to it, dotted.
    scores
        Best validation score of each seed that ended, in order of the seeds; higher is better. None at all where one
        of them never had a finite score.
    metrics
        Means over those seeds of the metrics of the results; those of the test split, by which no trial may be
        selected, are left out.
    epochs, rows, seconds
        Totals over seeds, as if no other trial had shared their warm-up.
    cause
        Of a failure, one line.
    """

    key: str
    number: int
    params: dict[str, Parameter]
    status: Status
    scores: tuple[float, ...]
    metrics: dict[str, float]
    epochs: int
    rows: float
    seconds: float
    cause: str = ""

    @property
    def score(self) -> float | None:
        """Mean over the seeds that ended, None where none did."""
        return exact_mean(self.scores) if self.scores else None

    @property
    def deviation(self) -> float | None:
        """Standard deviation over the seeds that ended, see `deviation_of`."""
        return deviation_of(self.scores)


def deviation_of(scores: Sequence[float]) -> float | None:
    """Standard deviation of the scores of seeds (divided by their number less 1), None below two.

    >>> deviation_of([0.7, 0.7, 0.7]), deviation_of([0.7])
    (0.0, None)
    """
    return float(np.std(np.subtract(scores, scores[0]), ddof=1)) if len(scores) > 1 else None  # of equals 0, exactly


def best_first(rows: Sequence[TrialRow]) -> list[TrialRow]:
    """The finished, then the stopped, then the failed, each by score, those without one last.

    Of scores that are equal, up to the rounding of a mean over seeds, the one that was proposed first.
    """
    return sorted(rows, key=lambda row: (ORDER[row.status], -_rank(row.score), row.number))


def best_of(rows: Sequence[TrialRow]) -> TrialRow | None:
    """The finished trial with the highest score, as `best_first` orders them; None where none has a score."""
    return next(iter(best_first([row for row in rows if row.status == "finished" and row.score is not None])), None)


def _rank(score: float | None) -> float:
    return -np.inf if score is None else float(f"{score:.12g}")


def measured(score: float, metric: str) -> float:
    """A score as its metric is measured: the score of a metric of which less is better is negated.

    >>> measured(0.8, "val/accuracy"), measured(-0.2, "val/r2"), measured(-0.5, "val/loss")
    (0.8, -0.2, 0.5)
    """
    return score if higher_is_better(metric) else -score
