"""(o) Memory of training on a million rows of three vectors over that on a hundred thousand, in a process each.

Counted is the largest memory that is no mapped file: shards are mapped, and the system takes their pages back. Two
trainings: `joint`, and `sample`, which values every training sample and keeps their table until it is committed.

python -m bench.training_memory METHOD FOLDER      what one process does
"""

import json
import sys
import tempfile
from pathlib import Path

from bench.many_rows import Watch, write_rows
from bench.timing import Bar, Measured, said_by_process
from raymm.config import load
from raymm.data import Schema, VectorSpec, open_dataset
from raymm.training.loop import Backends, train
from raymm.training.run import create_or_open

SIZES = (100_000, 1_000_000)
BAR = 1.2
SHARD_ROWS = 4_096
SCHEMA = Schema(modalities=tuple(VectorSpec(name=name, size=8) for name in ("a", "b", "c")), classes=("x", "y"))
SETTINGS = (
    "method.warmup=1",
    "training.epochs=2",
    "training.batch_size=4096",
    "training.threads=1",
    "model.feature_size=16",
    "model.encoder.width=8",
    "valuation.batch_size=4096",
)
METHODS = ("joint", "sample")


def run(data: Path) -> Measured:
    """Train both methods on both sizes."""
    del data
    peaks: dict[str, list[float]] = {method: [] for method in METHODS}
    with tempfile.TemporaryDirectory() as folder:
        for rows in SIZES:
            write_rows(Path(folder) / f"{rows}", rows, SCHEMA, SHARD_ROWS)
            for method in METHODS:
                peaks[method].append(said_by_process("bench.training_memory", method, str(Path(folder) / f"{rows}")))
    ratios = {method: large / small for method, (small, large) in peaks.items()}
    details = {"rows": SIZES, "memory_mib": peaks}
    bars = {"memory with valuations of all rows, 10^6 / 10^5": Bar(ratios["sample"], "<=", BAR)}
    return Measured("memory of training, 10^6 / 10^5 rows", ratios["joint"], "<=", BAR, details, bars)


def _train(method: str, folder: Path) -> None:
    with tempfile.TemporaryDirectory() as runs, Watch(every=0.02) as watch:
        dataset = open_dataset(folder)
        train(
            create_or_open(Path(runs) / "run", load(None, (f"method.name={method}", *SETTINGS)), dataset),
            dataset,
            Backends(),
        )
    print(json.dumps(watch.memory_mib))


if __name__ == "__main__":
    _train(sys.argv[1], Path(sys.argv[2]))
