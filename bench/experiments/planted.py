"""Samples whose modalities are noisy prototypes of a class, so that what each of them tells is known."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from raymm.data import Dataset, Sample, Schema, VectorSpec, open_dataset, write_dataset

__all__ = ["prototypes", "show", "splits_of", "write_vectors"]

Labels = npt.NDArray[np.int64]


def prototypes(n: int, classes: int, size: int, generator: np.random.Generator) -> npt.NDArray[np.float64]:
    """Random unit vectors [n, classes, size], one for each modality and class."""
    drawn = generator.normal(size=(n, classes, size))
    return np.asarray(drawn / np.linalg.norm(drawn, axis=-1, keepdims=True))


def show(
    centres: npt.NDArray[np.float64],
    shown: Labels,
    noise: npt.NDArray[np.float64],
    generator: np.random.Generator,
) -> npt.NDArray[np.float32]:
    """Vectors [N, n, size]: prototypes in normal noise.

    Parameters
    ----------
    centres
        Prototypes [n, classes, size].
    shown
        The class that each modality of each sample shows [N, n]; -1 for noise alone.
    noise
        Standard deviation of each number, of each modality [n] or of each modality of each sample [N, n].
    """
    evidence = centres[np.arange(len(centres)), shown] * (shown >= 0)[..., None]
    spread = np.broadcast_to(noise, shown.shape)[..., None]
    return np.asarray(evidence + spread * generator.normal(size=evidence.shape), np.float32)


def splits_of(count: int) -> list[str]:
    """Half of the samples train; a quarter each is for validation and test, the same in every class of a cycle."""
    return ["train" if 2 * row < count else "val" if 4 * row < 3 * count else "test" for row in range(count)]


def write_vectors(out: Path, values: npt.NDArray[np.float32], label: Labels, names: Sequence[str]) -> Dataset:
    """Write samples of vectors [N, n, size] and open the data set."""
    schema = Schema(
        modalities=tuple(VectorSpec(name=name, size=values.shape[2]) for name in names),
        classes=tuple(f"class-{c}" for c in range(int(label.max()) + 1)),
    )
    return open_dataset(write_dataset(out, _samples(values, label, names), schema))


def _samples(values: npt.NDArray[np.float32], label: Labels, names: Sequence[str]) -> Iterator[Sample]:
    splits = splits_of(len(label))
    for row, of_row in enumerate(values):
        yield Sample(f"sample-{row:06d}", splits[row], int(label[row]), dict(zip(names, of_row, strict=True)))
