"""(j) Memory of a data set with more shards than a process may have mappings: opened, trained for an epoch, valued.

python -m bench.many_rows ROWS      of 2 vectors each, 64 in a shard: 5,000,000 rows are 78,125 shards

What they take on the disk is told for each of them: data set, run, table. TMPDIR says where they lie.

Each step runs in a process of its own. What counts is the memory that is not a mapped file, a row: ids, splits,
labels, plan and table grow with the rows, nothing else may. The mappings must stay below half of the usual limit.
"""

import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

import numpy as np
import pyarrow as pa

from bench.timing import Bar, Measured, said_by_process
from raymm.config import load
from raymm.data import Schema, VectorSpec, open_dataset
from raymm.data.format import finish_dataset
from raymm.data.schema import arrow_schema
from raymm.models.valued import load_for
from raymm.storage import data_layout
from raymm.training.loop import Backends, train
from raymm.training.run import create_or_open
from raymm.valuation.engine import stream_rows
from raymm.valuation.jobs import value_to_file

ROWS = 500_000
SHARD_ROWS = 64
SIZE = 8
BYTES = 600
"""Of memory a row."""

LIMIT = 65_530
"""Mappings that a process may have, on most systems."""

SETTINGS = (
    "method.name=joint",
    "training.epochs=1",
    "training.batch_size=4096",
    "training.threads=1",
    "model.feature_size=16",
    "model.encoder.width=8",
    "valuation.batch_size=4096",
)
STEPS = ("open", "train", "value")
SCHEMA = Schema(modalities=tuple(VectorSpec(name=name, size=SIZE) for name in ("a", "b")), classes=("x", "y"))


def run(data: Path, rows: int = ROWS) -> Measured:
    """Write the data set, and take each step in a process of its own."""
    del data
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        write_rows(Path(folder) / "data", rows)
        details: dict[str, Any] = {"rows": rows, "shards": -(-rows // SHARD_ROWS)}
        details["write_s"] = time.perf_counter() - started
        small = Path(folder) / "small"
        write_rows(small / "data", SHARD_ROWS * 100)
        before = {step: said_by_process("bench.many_rows", step, str(small)) for step in STEPS}
        after = {step: said_by_process("bench.many_rows", step, folder) for step in STEPS}
        details["disk_mib"] = {path.name: disk_mib(path) for path in sorted(Path(folder).iterdir())}
    return _measured(details, before, after)


def _measured(details: dict[str, Any], before: dict[str, Any], after: dict[str, Any]) -> Measured:
    """What a data set of few rows needs is subtracted."""
    rows = details["rows"]
    details |= {"few_rows": before, "many_rows": after}
    grown = max(after[step]["memory_mib"] - before[step]["memory_mib"] for step in STEPS) * 2**20 / rows
    mappings = max(after[step]["mappings"] for step in STEPS)
    bars = {"mappings": Bar(mappings, "<=", LIMIT / 2)}
    return Measured("bytes of memory a row, opened, trained and valued", grown, "<=", BYTES, details, bars)


def disk_mib(path: Path) -> float:
    """What a file, or a folder with all that is in it, takes on the disk."""
    files = [path, *path.rglob("*")]
    return sum(file.stat().st_blocks * 512 for file in files) / 2**20


def write_rows(
    path: Path,
    rows: int,
    of: Schema = SCHEMA,
    shard_rows: int = SHARD_ROWS,
    parts: tuple[int, int, int] = (8, 9, 10),
) -> None:
    """A data set of random vectors of `SIZE`, in whole shards.

    Of every `parts[2]` rows the first `parts[0]` are for training, those up to `parts[1]` for validation, and the
    others for test: 80 %, 10 % and 10 % by default.
    """
    generator = np.random.default_rng(0)
    schema = arrow_schema(of)
    data_layout.shard_file(path, 0).parent.mkdir(parents=True)
    for number, start in enumerate(range(0, rows, shard_rows)):
        count = min(shard_rows, rows - start)
        label = generator.integers(0, 2, count)
        split = np.array(["train", "val", "test"])[
            np.searchsorted(parts[:2], np.arange(start, start + count) % parts[2], "right")
        ]
        values = generator.standard_normal((len(of.names), count, SIZE), np.float32) + label[:, None].astype(
            np.float32
        )
        columns = [
            pa.array([f"row-{row:08d}" for row in range(start, start + count)]),
            pa.array(split, pa.string()),
            pa.array(label),
            pa.array([""] * count),
            *(pa.FixedSizeListArray.from_arrays(pa.array(one.reshape(-1)), SIZE) for one in values),
        ]
        columns = [column.cast(field.type) for column, field in zip(columns, schema, strict=True)]
        with (
            pa.OSFile(str(data_layout.shard_file(path, number)), "wb") as sink,
            pa.ipc.new_file(sink, schema) as writer,
        ):
            writer.write_batch(pa.record_batch(columns, schema=schema))
    finish_dataset(path, of)


def _open(folder: Path) -> None:
    dataset = open_dataset(folder / "data")
    rows = np.random.default_rng(0).integers(0, len(dataset), 1000)
    dataset.shards.read("a", rows)


def _train(folder: Path) -> None:
    dataset = open_dataset(folder / "data")
    train(create_or_open(folder / "run", load(None, SETTINGS), dataset), dataset, Backends())


def _value(folder: Path) -> None:
    """The training split; validation and test were valued by the training."""
    job = load_for(folder / "run", open_dataset(folder / "data"), "train")
    value_to_file(job, stream_rows, folder / "table.parquet", lambda blocks, _: blocks)


class Watch:
    """The largest memory that is no mapped file, and the most mappings, of this process."""

    def __init__(self, every: float = 0.5) -> None:
        self.memory_mib = self.mappings = 0.0
        self._every = every
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._done.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._done.wait(self._every):
            status = Path("/proc/self/status").read_text()
            self.memory_mib = max(self.memory_mib, int(status.partition("RssAnon:")[2].split()[0]) / 1024)
            self.mappings = max(self.mappings, Path("/proc/self/maps").read_bytes().count(b"\n"))


def _step(work: Callable[[Path], None], folder: Path) -> dict[str, float]:
    started = time.perf_counter()
    with Watch() as watch:
        work(folder)
        time.sleep(1)
    seconds = time.perf_counter() - started - 1
    return {"seconds": seconds, "memory_mib": watch.memory_mib, "mappings": watch.mappings}


def _main(words: list[str]) -> None:
    if len(words) == 2:
        print(json.dumps(_step({"open": _open, "train": _train, "value": _value}[words[0]], Path(words[1]))))
        return
    measured = run(Path(), int(words[0]))
    print(measured.line())
    result = Path(__file__).parent / "results" / "many_rows.json"
    result.write_text(json.dumps(measured.record(), indent=2) + "\n")


if __name__ == "__main__":
    _main(sys.argv[1:])
