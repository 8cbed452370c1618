"""Trains for long and resumes often, and measures what must not grow: `make soak`, or `python -m tests.chaos.soak`.

After each epoch and each resume it reads memory, open descriptors, threads, files of the run and their bytes. A
straight line is laid through the second half of each series, since caches fill in the first. Growth is a slope of
more than three standard errors above 0 and more than `ALLOWED` a step. Bytes may grow by the records alone: a line
of the history and of the outbox an epoch.
"""

import argparse
import gc
import json
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import psutil

from raymm.storage.layout import committed_epochs, epoch_folder
from raymm.training.loop import Backends, train
from raymm.training.run import create_or_open, open_run
from tests.games import StopError, settings, small_dataset, stop_after

__all__ = ["ALLOWED", "Measured", "growth", "main", "soak"]

KEEP = 2
ALLOWED = {"memory": 20_000.0, "descriptors": 0.02, "threads": 0.02, "files": 0.02, "bytes": 8_000.0}
"""Growth a step that counts as none: bytes of memory, numbers, bytes on disk (kept epochs repeat the history)."""


@dataclass(frozen=True)
class Measured:
    """What a process and the folder of its run take up."""

    memory: int
    descriptors: int
    threads: int
    files: int
    bytes: int

    @classmethod
    def now(cls, folder):
        process = psutil.Process()
        gc.collect()
        best = [epoch_folder(folder, epoch) for epoch in committed_epochs(folder)[:-KEEP]]
        assert len(best) <= 1  # kept beside the newest where it is none of them: a step, and no growth
        files = [path for path in folder.rglob("*") if path.is_file() and not set(best) & set(path.parents)]
        size = sum(path.stat().st_size for path in files)
        return cls(process.memory_info().rss, process.num_fds(), process.num_threads(), len(files), size)


def soak(folder, epochs, resumes):
    """Series of `Measured` over the epochs of one run, and over the resumes of another."""
    dataset = small_dataset(folder / "data", 120)
    long, often = [], []

    def config(count):
        return settings(training={"epochs": count, "batch_size": 32, "threads": 1, "keep": KEEP})

    run = create_or_open(folder / "long", config(epochs), dataset)
    train(run, dataset, Backends(report=lambda _: long.append(Measured.now(run.path))))
    resumed = create_or_open(folder / "often", config(resumes + 1), dataset)
    for number in range(1, resumes + 1):
        try:
            train(open_run(resumed.path), dataset, Backends(report=stop_after(number)))
        except StopError:
            often.append(Measured.now(resumed.path))
    return {"epochs": long[1:], "resumes": often}


def growth(series):
    """Slope a step and its standard error for each number, over the second half of a series."""
    found = {}
    half = series[len(series) // 2 :]
    x = np.arange(len(half), dtype=float) - (len(half) - 1) / 2
    for name in ALLOWED:
        y = np.array([getattr(one, name) for one in half], dtype=float)
        slope = float((x * y).sum() / (x * x).sum())
        rest = y - y.mean() - slope * x
        error = float(np.sqrt((rest @ rest) / max(1, len(half) - 2) / (x * x).sum()))
        found[name] = (slope, error)
    return found


def grown(found):
    """Names of what grows."""
    return [name for name, (slope, error) in found.items() if slope > 3 * error and slope > ALLOWED[name]]


def main(arguments=None):
    """Soak, print a table, and end with 1 where something grows."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=200)
    parser.add_argument("--resumes", type=int, default=50)
    parser.add_argument("--json", type=Path, help="also write all that was measured")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        series = soak(Path(folder), given.epochs, given.resumes)
    if given.json:
        given.json.write_text(json.dumps({name: [asdict(one) for one in many] for name, many in series.items()}))
    bad = []
    for kind, many in series.items():
        found = growth(many)
        bad += grown(found)
        for name, (slope, error) in found.items():
            first, last = getattr(many[len(many) // 2], name), getattr(many[-1], name)
            print(f"{len(many)} {kind}: {name} {first} to {last}, {slope:+.3g} ± {error:.2g} a step")
    print(f"grows: {', '.join(bad)}" if bad else "nothing grows")
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
