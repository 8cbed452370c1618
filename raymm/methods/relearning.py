"""Diagnosing and re-learning: encoders that over-fit are moved back to where they began.

Source: Wei et al., "Diagnosing and Re-learning for Balanced Multimodal Learning", ECCV 2024, sections 3.2 and 3.3.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from pydantic import Field
from scipy.cluster.vq import kmeans2

from raymm.config.base import Settings
from raymm.config.registries import METHODS
from raymm.methods.base import Method
from raymm.seeds import derive

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from raymm.data.batch import Batch
    from raymm.methods.base import MethodContext
    from raymm.methods.epochs import EpochEnd, EpochStart

__all__ = ["Relearning", "RelearningSettings", "purity"]


class RelearningSettings(Settings):
    """Settings of `relearning`."""

    every: int = Field(default=15, ge=1, description="epochs between two diagnoses")
    times: int = Field(default=2, ge=1, description="diagnoses at most")
    strength: float = Field(default=3.0, gt=0, description="lambda, by which a gap of purity is multiplied")
    samples: int = Field(default=2000, ge=1, description="samples of each split that are clustered, at most")


class Relearning(Method):
    """theta_i <- w_i theta_i(start) + (1 - w_i) theta_i, w_i = tanh(lambda |purity_train,i - purity_val,i|).

    After every so many epochs the features of each modality are clustered (k-means, as many clusters as classes); the
    purity of a clustering is the part of the samples whose class is the most frequent one of their cluster. A gap
    between the splits says that encoder i fits what does not generalise. Before the next epoch its parameters move
    towards those that the run began with; what its layers count (running means) and the optimizer's memory stay. In
    between, training is joint. Defined for any number of modalities and any fusion, and labels of one class a sample.
    """

    Settings = RelearningSettings
    reads_encoders = True
    source = "Wei et al., ECCV 2024, sections 3.2 and 3.3 (D&R)"
    cost = "at a diagnosis one encoder pass of `samples` samples of two splits"
    tuned = (("strength", (1.0, 3.0, 10.0)),)

    def __init__(self, settings: Any, context: MethodContext) -> None:
        super().__init__(settings, context)
        self.weight = torch.zeros(len(context.modalities), dtype=torch.float64)

    @classmethod
    def problems(cls, settings: Any, context: MethodContext) -> list[str]:
        """Refuse labels that are not one class, and training that ends before the first diagnosis."""
        found = []
        if not context.utility.task.by_argmax:
            found.append(f"the task {context.task} has no one class a sample, by which clusters are pure or not")
        if settings.every >= context.epochs:
            remedy = f"use {context.epochs - 1} or less, or train longer" if context.epochs > 1 else "train longer"
            found.append(
                f"method.settings.every={settings.every}: training ends with the first diagnosis or before it "
                f"(training.epochs={context.epochs}); {remedy}"
            )
        return found

    def before_epoch(self, start: EpochStart) -> None:
        """Move encoders back, by the diagnosis of the epoch before."""
        if not self.weight.any():
            return
        initial = start.initial_model().encoders
        with torch.no_grad():
            for name, weight in zip(self.context.modalities, self.weight.tolist(), strict=True):
                for own, first in zip(
                    start.model.encoders[name].parameters(), initial[name].parameters(), strict=True
                ):
                    own.lerp_(first.to(own.device), weight)

    def after_evaluation(self, end: EpochEnd) -> None:
        """Diagnose, where that is due; else nothing moves before the next epoch."""
        done = end.epoch + 1
        self.weight = torch.zeros_like(self.weight)
        if done % self.settings.every == 0 and done <= self.settings.every * self.settings.times:
            train, val = (self._purities(end, split) for split in ("train", "val"))
            gap = np.nan_to_num(np.abs(train - val))  # a modality that no sample of a split has is left alone
            self.weight = torch.from_numpy(np.tanh(self.settings.strength * gap))

    def state_dict(self) -> dict[str, Tensor]:
        """How far each encoder moves back before the next epoch, [n]."""
        return {"weight": self.weight}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Take it over."""
        self.weight = state["weight"].cpu()

    def _purities(self, end: EpochEnd, split: Any) -> npt.NDArray[np.float64]:
        """Purity of each modality's features, [n]; NaN where no sample has it."""
        batch: Batch = end.batch(split, self.settings.samples)
        with torch.no_grad():
            features = end.model.encode(batch).double().cpu().numpy()
        labels, mask = batch.labels.cpu().numpy(), batch.mask.cpu().numpy()
        seed = derive(self.context.seed, "clusters", split, end.epoch)
        return np.array(
            [
                purity(features[mask[:, i], i], labels[mask[:, i]], self.context.classes, seed)
                for i in range(len(self.context.modalities))
            ]
        )


def purity(features: npt.NDArray[np.float64], labels: npt.NDArray[np.int64], clusters: int, seed: int) -> float:
    """Part of the rows whose label is the most frequent one of their cluster; NaN without rows.

    >>> two = np.repeat([[0.0, 0.0], [9.0, 9.0]], 4, axis=0)
    >>> purity(two, np.repeat([0, 1], 4), 2, seed=0), purity(two, np.tile([0, 1], 4), 2, seed=0)
    (1.0, 0.5)
    """
    if not len(features):
        return float("nan")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a cluster may become empty, which decides nothing
        _, cluster = kmeans2(features, _first_centres(features, clusters, seed), iter=100, minit="matrix")
    table = np.zeros((clusters, int(labels.max()) + 1), np.int64)
    np.add.at(table, (cluster, labels), 1)
    return float(table.max(axis=1).sum() / len(labels))


def _first_centres(features: npt.NDArray[np.float64], count: int, seed: int) -> npt.NDArray[np.float64]:
    """Where k-means begins, [count, D]: rows far from each other (k-means++, Arthur and Vassilvitskii, SODA 2007)."""
    generator = np.random.default_rng(seed)
    centres = features[generator.integers(len(features))][None]
    distance = np.full(len(features), np.inf)
    while len(centres) < min(count, len(features)):
        distance = np.minimum(distance, ((features - centres[-1]) ** 2).sum(axis=1))
        if not distance.any():  # no other row is left
            break
        chosen = generator.choice(len(features), p=distance / distance.sum())
        centres = np.concatenate([centres, features[chosen][None]])
    return centres


METHODS.register("relearning", Relearning)
