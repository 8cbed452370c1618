"""Multimodal games whose true contributions are known by construction.

Every modality shows one of K prototypes (random unit vectors) in Gaussian noise, or noise alone. Two rules say
what an ideal observer needs to read the label:

    any   each carrier of a sample shows the label; one of them is enough (redundancy; one carrier: dictator)
    all   the carriers show digits whose sum modulo K is the label; all of them are needed (synergy)

`right` tells which coalitions suffice, so that true contributions are the Shapley values of that table.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from raymm.data.format import Sample, write_dataset
from raymm.data.kinds.vector import VectorSpec
from raymm.data.schema import SPLITS, Schema
from raymm.errors import ConfigError
from raymm.seeds import derive
from raymm.valuation.bits import masks_of

__all__ = ["Game", "planted_game"]

Rule = Literal["any", "all"]


@dataclass(frozen=True)
class Game:
    """Samples and the truth about them.

    Attributes
    ----------
    schema
        Vector modalities m0, m1, ...
    features
        float32 [N, n, size].
    label, split
        int64 [N]; index into ("train", "val", "test"), int64 [N].
    right
        bool [N, 2**n]: whether each coalition shows the label.
    """

    schema: Schema
    features: npt.NDArray[np.float32]
    label: npt.NDArray[np.int64]
    split: npt.NDArray[np.int64]
    right: npt.NDArray[np.bool_]

    def write(self, out: Path) -> Path:
        """Write the samples as a data set."""
        return write_dataset(out, (self._sample(row) for row in range(len(self.label))), self.schema)

    def _sample(self, row: int) -> Sample:
        values = {spec.name: self.features[row, i] for i, spec in enumerate(self.schema.modalities)}
        return Sample(f"sample-{row:06d}", SPLITS[self.split[row]], int(self.label[row]), values)


def planted_game(
    carriers: npt.NDArray[np.bool_],
    rule: Rule = "any",
    *,
    classes: int = 4,
    size: int = 16,
    noise: float | npt.NDArray[np.float64] = 0.1,
    seed: int = 0,
    parts: tuple[float, float] = (0.6, 0.2),
) -> Game:
    """Make samples in which only the carriers show something.

    Parameters
    ----------
    carriers
        bool [N, n]: the modalities of each sample that carry evidence; at least one a sample.
    rule
        Whether any carrier is enough, or all are needed.
    classes, size
        K, and the length of a modality's vector.
    noise
        Standard deviation of each number, one for all modalities or one each [n]; prototypes have length 1.
    parts
        Shares of the training and validation splits.

    Raises
    ------
    ConfigError
        When a sample has no carrier.
    """
    if not carriers.any(axis=1).all():
        raise ConfigError("carriers: every sample needs one modality that carries evidence")
    generator = np.random.default_rng(derive(seed, "game"))
    count, n = carriers.shape
    prototypes = generator.normal(size=(n, classes, size))
    prototypes /= np.linalg.norm(prototypes, axis=-1, keepdims=True)
    label: npt.NDArray[np.int64] = generator.integers(classes, size=(count,))
    shown = np.repeat(label[:, None], n, axis=1) if rule == "any" else _digits(carriers, label, classes, generator)
    evidence = prototypes[np.arange(n), shown] * carriers[..., None]
    spread = np.broadcast_to(np.asarray(noise, np.float64), (n,))[:, None]
    features = evidence + spread * generator.normal(size=evidence.shape)
    names = tuple(VectorSpec(name=f"m{i}", size=size) for i in range(n))
    return Game(
        schema=Schema(modalities=names, classes=tuple(f"class-{c}" for c in range(classes))),
        features=features.astype(np.float32),
        label=label,
        split=_splits(label, parts, generator),
        right=_right(carriers, rule),
    )


def _digits(
    carriers: npt.NDArray[np.bool_],
    label: npt.NDArray[np.int64],
    classes: int,
    generator: np.random.Generator,
) -> npt.NDArray[np.int64]:
    """Digits [N, n] whose sum over the carriers of a sample is its label modulo K."""
    digits = generator.integers(classes, size=carriers.shape)
    first = carriers.argmax(axis=1)
    rows = np.arange(len(label))
    total = (digits * carriers).sum(axis=1) - digits[rows, first]
    digits[rows, first] = (label - total) % classes
    return digits


def _right(carriers: npt.NDArray[np.bool_], rule: Rule) -> npt.NDArray[np.bool_]:
    n = carriers.shape[1]
    members = masks_of(np.arange(2**n), n)
    seen = (carriers[:, None] & members[None]).sum(axis=-1)
    needed = 1 if rule == "any" else carriers.sum(axis=1, keepdims=True)
    return np.asarray(seen >= needed)


def _splits(
    label: npt.NDArray[np.int64], parts: tuple[float, float], generator: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Splits by share, the same in every class (up to rounding)."""
    split = np.empty(len(label), np.int64)
    for c in np.unique(label):
        rows = generator.permutation(np.flatnonzero(label == c))
        edges = np.round(np.cumsum(parts) * len(rows)).astype(int)
        for number, chunk in enumerate(np.split(rows, edges)):
            split[chunk] = number
    return split
