"""What the signatures read: facts of a run that no epoch changes, and its history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from raymm.reports.diagnostics.bounds import SIGNATURE_LEVEL, WINDOW

__all__ = ["Evidence", "Facts", "Series"]

Series = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Facts:
    """What is known of a run beside its metrics.

    Attributes
    ----------
    modalities
        Names of those that the model reads and some training sample has, in schema order.
    validation, accompanied
        Validation samples that have each modality, and those that have it and another that is read, by name.
    samples
        Validation samples.
    chance
        Accuracy of the best constant answer on the validation samples that have each modality, by name; none where
        the task does not say what is right.
    epochs
        Epochs that the run is to train.
    reference
        Epochs before what the run is about began: its warm-up, or the epoch of the run that it started from; 0 where
        nothing of the kind is there.
    resamples
        Whether a plan re-samples after the reference.
    in_place
        Whether its rows stand in the place of the samples, so that there are no copies beside them and no row budget.
    method
        Name of the run's method.
    training
        Training samples.
    labels
        How many training and how many validation samples have each class or label, by name; none where labels are
        numbers.
    """

    modalities: tuple[str, ...]
    validation: Mapping[str, int]
    accompanied: Mapping[str, int]
    samples: int
    chance: Mapping[str, float]
    epochs: int
    reference: int = 0
    resamples: bool = False
    in_place: bool = False
    method: str = ""
    training: int = 0
    labels: Mapping[str, tuple[int, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Evidence:
    """A run after some epochs.

    Attributes
    ----------
    facts
        Of the run.
    history
        One entry an epoch: `{"epoch": 0, "metrics": {...}}`.
    """

    facts: Facts
    history: Sequence[Mapping[str, Any]]

    @property
    def done(self) -> int:
        """Epochs that were trained."""
        return len(self.history)

    @property
    def settled(self) -> int:
        """Epochs that are not judged: the reference, at least a third, in which a model has not learned yet."""
        return max(self.facts.reference, self.facts.epochs // 3)

    @property
    def judged(self) -> bool:
        """Whether enough epochs were trained for signatures of the history to be looked for."""
        return self.done >= self.settled + WINDOW

    def level(self, tests: int = 1) -> float:
        """Level of one test, so that all of a signature in all epochs raise a false alarm at `SIGNATURE_LEVEL`."""
        looks = max(self.facts.epochs - self.settled - WINDOW + 1, 1)
        return SIGNATURE_LEVEL / (max(tests, 1) * looks)

    def recent(self, metric: str) -> Series | None:
        """The last `WINDOW` values; None while fewer were judged, or where one of them is not there."""
        if not self.judged:
            return None
        return self.values(metric, self.done - WINDOW, self.done)

    def earlier(self, metric: str, until: int) -> Series | None:
        """The last `WINDOW` values, or as many as there are, before epoch `until`; None where one is missing."""
        if not 0 < until <= self.done:
            return None
        return self.values(metric, max(0, until - WINDOW), until)

    def values(self, metric: str, begin: int, end: int) -> Series | None:
        """Values of epochs `begin` to `end - 1`; None where one is missing."""
        found = [entry["metrics"].get(metric) for entry in self.history[begin:end]]
        return None if not found or None in found else np.array(found, dtype=np.float64)
