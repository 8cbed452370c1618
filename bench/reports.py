"""Valuation reports of two data sets of arrays: prepare, train on all modalities together, value the test split.

python -m bench.reports --shared ../shared/data --out docs/results

mfeat: six feature views of handwritten digits, split at random (1,200 / 400 / 400). imu_digits: seven sensor streams,
split by time: of each class the last 15 drawings are the test split, the 5 before them validation.
"""

import argparse
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from raymm.config import load
from raymm.data import Sample, Schema, SequenceSpec, VectorSpec, open_dataset, write_dataset
from raymm.studies.valuation_report import write_valuation_report
from raymm.training.loop import Ports, train
from raymm.training.result import result_folder
from raymm.training.run import create_or_open
from raymm.valuation import read_table

CLASSES = tuple("0123456789")
COMMAND = "python -m bench.reports --shared ../shared/data --out docs/results"
SETTINGS = ("resampling.strategy=joint", "training.epochs=30", "optimizer.lr=0.002", "model.feature_size=64")


def main() -> None:
    """Write OUT/mfeat and OUT/imu_digits."""
    parser = argparse.ArgumentParser(prog="python -m bench.reports")
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    for name in ("mfeat", "imu_digits"):
        with np.load(arguments.shared / f"{name}.npz") as arrays:
            columns = {key: arrays[key] for key in arrays.files}
        split = _at_random(columns) if name == "mfeat" else _by_time(columns)
        _report(name, columns, split, arguments.out / name)


def _report(name: str, columns: dict[str, np.ndarray], split: np.ndarray, out: Path) -> None:
    inputs = {key: values for key, values in columns.items() if key not in {"y", "stamp", "order"}}
    schema = Schema(modalities=tuple(_spec(key, values) for key, values in inputs.items()), classes=CLASSES)
    with tempfile.TemporaryDirectory() as folder:
        dataset = open_dataset(write_dataset(Path(folder) / "data", _samples(inputs, columns["y"], split), schema))
        run = create_or_open(Path(folder) / "run", load(None, SETTINGS), dataset)
        result = train(run, dataset, Ports())
        table = read_table(result_folder(run.path) / "valuation-test.parquet")
        write_valuation_report(out, table, CLASSES, f"What each modality contributes: {name}", COMMAND)
        print(name, result.metrics["test/accuracy"])


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


def _by_time(columns: dict[str, np.ndarray]) -> np.ndarray:
    split = np.full(len(columns["y"]), "train", dtype="<U5")
    for label in range(len(CLASSES)):
        rows = np.nonzero(columns["y"] == label)[0]
        rows = rows[np.argsort(columns["order"][rows], kind="stable")]
        split[rows[-20:-15]], split[rows[-15:]] = "val", "test"
    return split


if __name__ == "__main__":
    main()
