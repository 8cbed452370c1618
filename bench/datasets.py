"""Data sets of arrays from `.npz` files, as raymm's own format.

python -m bench.datasets --shared ../shared/data --name imu_digits --validation 10 --out DATA

mfeat: six feature views of handwritten digits, split at random (1,200 / 400 / 400). imu_digits: seven sensor streams,
split by time: of each class the last 15 drawings are the test split, and some before them validation.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from raymm.data import Dataset, Sample, Schema, SequenceSpec, VectorSpec, open_dataset, write_dataset

__all__ = ["CLASSES", "NAMES", "write"]

CLASSES = tuple("0123456789")
NAMES = ("mfeat", "imu_digits")
TEST = 15
VALIDATION = 5


def write(shared: Path, name: str, out: Path, validation: int = VALIDATION) -> Dataset:
    """Write one of `NAMES` to a folder and open it; `validation` drawings of each class where it is split by time."""
    with np.load(shared / f"{name}.npz") as arrays:
        columns = {key: arrays[key] for key in arrays.files}
    split = _at_random(columns) if name == "mfeat" else _by_time(columns, validation)
    inputs = {key: values for key, values in columns.items() if key not in {"y", "stamp", "order"}}
    schema = Schema(modalities=tuple(_spec(key, values) for key, values in inputs.items()), classes=CLASSES)
    return open_dataset(write_dataset(out, _samples(inputs, columns["y"], split), schema))


def _spec(key: str, values: np.ndarray) -> VectorSpec | SequenceSpec:
    if values.ndim == 2:
        return VectorSpec(name=key, size=values.shape[1])
    return SequenceSpec(name=key, channels=values.shape[1], length=values.shape[2])


def _samples(inputs: dict[str, np.ndarray], label: np.ndarray, split: np.ndarray) -> Iterator[Sample]:
    for row in range(len(label)):
        values = {key: column[row] for key, column in inputs.items()}
        yield Sample(f"sample-{row:04d}", str(split[row]), int(label[row]), values)


def _at_random(columns: dict[str, np.ndarray]) -> np.ndarray:
    order = np.random.default_rng(0).permutation(len(columns["y"]))
    split = np.full(len(order), "train", dtype="<U5")
    split[order[1200:1600]], split[order[1600:]] = "val", "test"
    return split


def _by_time(columns: dict[str, np.ndarray], validation: int) -> np.ndarray:
    split = np.full(len(columns["y"]), "train", dtype="<U5")
    for label in range(len(CLASSES)):
        rows = np.nonzero(columns["y"] == label)[0]
        rows = rows[np.argsort(columns["order"][rows], kind="stable")]
        split[rows[-TEST - validation : -TEST]], split[rows[-TEST:]] = "val", "test"
    return split


def main() -> None:
    """Write one data set."""
    parser = argparse.ArgumentParser(prog="python -m bench.datasets")
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--name", choices=NAMES, required=True)
    parser.add_argument("--validation", type=int, default=VALIDATION)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    print(f"{len(write(given.shared, given.name, given.out, given.validation))} samples in {given.out}")


if __name__ == "__main__":
    main()
