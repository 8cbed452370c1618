"""Valuation reports of two data sets of arrays: prepare, train on all modalities together, value the test split.

python -m bench.reports --shared ../shared/data --out docs/results
"""

import argparse
import tempfile
from pathlib import Path

from bench.datasets import CLASSES, NAMES, write
from raymm.config import load
from raymm.reports.valuation_report import write_valuation_report
from raymm.storage.layout import result_folder
from raymm.training.loop import Backends, train
from raymm.training.run import create_or_open
from raymm.valuation import read_table

COMMAND = "python -m bench.reports --shared ../shared/data --out docs/results"
SETTINGS = ("method.name=joint", "training.epochs=30", "optimizer.lr=0.002", "model.feature_size=64")


def main() -> None:
    """Write OUT/mfeat and OUT/imu_digits."""
    parser = argparse.ArgumentParser(prog="python -m bench.reports")
    parser.add_argument("--shared", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    for name in NAMES:
        _report(arguments.shared, name, arguments.out / name)


def _report(shared: Path, name: str, out: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        dataset = write(shared, name, Path(folder) / "data")
        run = create_or_open(Path(folder) / "run", load(None, SETTINGS), dataset)
        result = train(run, dataset, Backends())
        table = read_table(result_folder(run.path) / "valuation-test.parquet")
        write_valuation_report(out, table, CLASSES, f"What each modality contributes: {name}", COMMAND)
        print(name, result.metrics["test/accuracy"])


if __name__ == "__main__":
    main()
