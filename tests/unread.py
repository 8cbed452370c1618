"""Data of some modalities, and the same data without the last: what a model is given that reads all but one."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from raymm.data import Dataset, Schema, VectorSpec, open_dataset
from raymm.data.format import Sample, write_dataset
from raymm.tasks import get_task

__all__ = ["LONE", "with_and_without", "written"]

LONE = 7
"""Of each so many samples, one has the last modality alone, where that is asked for."""

LABELS = {
    "classification": (("a", "b", "c"), lambda kind: kind),
    "multilabel": (("x", "y"), lambda kind: (kind == 0, kind > 0)),
    "regression": (("size",), lambda kind: (float(kind),)),
}


def with_and_without(
    folder: Path, splits: tuple[str, ...], n: int = 3, task: str = "classification"
) -> tuple[Dataset, Dataset]:
    """A data set of n modalities, and one of the same samples that all lack the last of them."""
    return written(folder / "whole", splits, n, task), written(folder / "some", splits, n, task, last=False)


def written(
    path: Path,
    splits: tuple[str, ...],
    n: int = 3,
    task: str = "classification",
    *,
    last: bool = True,
    lone: bool = False,
) -> Dataset:
    """Vectors that show one of three kinds, of which some samples lack one; see `LONE` for `lone`."""
    generator = np.random.default_rng(n)
    names, (classes, label) = [f"m{i}" for i in range(n)], LABELS[task]
    schema = Schema(
        modalities=[VectorSpec(name=name, size=6) for name in names], classes=classes, task=get_task(task)
    )

    def samples() -> Iterator[Sample]:
        for row, split in enumerate(splits):
            kind = row // 2 % 3
            values = {
                name: (np.eye(6)[kind] + (0.4 + 0.2 * i) * generator.normal(size=6)).astype(np.float32)
                for i, name in enumerate(names)
            }
            if n > 2 and row % 4 == 1:
                del values[names[row // 4 % (n - 1)]]
            if not last or row % 5 == 2:
                del values[names[-1]]
            elif lone and row % LONE == 3:
                values = {names[-1]: values[names[-1]]}
            yield Sample(f"s{row:02d}", split, label(kind), values)

    write_dataset(path, samples(), schema)
    return open_dataset(path)
