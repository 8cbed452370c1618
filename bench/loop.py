"""(l) Rows a second of raymm's loop over a plain torch loop, and over published code for masked rows; two processes.

Both loops have the same rows, model, optimizer and augmentation, on two ranks (gloo) with one thread each; the
first compares joint training, the second the rows of a plan of `sample` after its warm-up, where published code
encodes all modalities and sets features to 0 row by row. The loops are run in turn by the same two processes, and
what is compared is the processor time of both together, which other work on the machine does not lengthen. A rank
has 64 rows of a batch, as in the published code.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.distributed as dist

from bench.epoch import warmed_up
from bench.plain_loop import PlainLoop
from bench.timing import Bar, Measured, processor_seconds_of
from bench.trainer import trainer_of
from raymm.config import Config, load
from raymm.data import BatchReader, Dataset, open_dataset
from raymm.data.loading import BatchLoader
from raymm.methods import Plan, base_plan
from raymm.training.communicator import TorchDistributed
from raymm.training.epoch import train_epoch

PLAIN_BAR, MASKED_BAR = 0.97, 1.5
ROUNDS = 5
WORLD = 2
SETTINGS = (f"training.batch_size={64 * WORLD}", "method=joint", "training.threads=1")
NAMES = ("joint", "plain", "sample", "masked")


def run(data: Path) -> Measured:
    """Measure in two processes, which run the four loops in turn."""
    torch.set_num_threads(1)
    dataset = open_dataset(data)
    whole = base_plan(dataset.rows("train"), len(dataset.schema.names))
    _, plan = warmed_up(dataset, whole)
    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder) / "plan.npz", index=plan.index, keep=plan.keep)
        ranks = _in_processes(data, Path(folder))
    rounds = [{name: sum(rank[number][name] for rank in ranks) for name in NAMES} for number in range(ROUNDS)]
    return _measured(rounds, {"joint": len(whole), "sample": len(plan)})


def _measured(rounds: list[dict[str, float]], rows: dict[str, int]) -> Measured:
    def ratio(plain: str, ours: str) -> float:
        return statistics.median(one[plain] / one[ours] for one in rounds)

    bars = {"rows/s of raymm / encoding masked rows too": Bar(ratio("masked", "sample"), ">=", MASKED_BAR)}
    details = {"ranks": WORLD, "rows": rows, "processor_seconds": rounds}
    return Measured("rows/s of raymm / plain torch loop", ratio("plain", "joint"), ">=", PLAIN_BAR, details, bars)


def _in_processes(data: Path, folder: Path) -> list[list[dict[str, float]]]:
    """Processor seconds of each loop, by rank and round."""
    started = []
    for rank in range(WORLD):
        command = [sys.executable, "-m", "bench.loop", str(data), str(folder), str(rank)]
        started.append(subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"}))
    codes = [process.wait() for process in started]
    if any(codes):
        raise RuntimeError("a rank failed; see above")
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(WORLD)]


def rank_seconds(data: Path, folder: Path, rank: int) -> list[dict[str, float]]:
    """The loops of one rank in turn, after one epoch of each."""
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", f"file://{folder / 'store'}", timeout=timedelta(minutes=5), rank=rank, world_size=WORLD
    )
    with np.load(folder / "plan.npz") as saved:
        works = _works(open_dataset(data), Plan(saved["index"], saved["keep"]))
    rounds = [{name: _together(work, number) for name, work in works.items()} for number in range(ROUNDS + 1)]
    dist.destroy_process_group()
    return rounds[1:]


def _together(work: Callable[[int], object], epoch: int) -> float:
    """Processor time of this rank for an epoch that all ranks begin at the same time."""
    dist.barrier()
    return processor_seconds_of(lambda: work(epoch))


def _works(dataset: Dataset, plan: Plan) -> dict[str, Callable[[int], object]]:
    config = load(None, SETTINGS)
    whole = base_plan(dataset.rows("train"), len(dataset.schema.names))
    return {
        "joint": _ours(dataset, config, whole),
        "plain": PlainLoop(dataset, config, whole, masked=False).epoch,
        "sample": _ours(dataset, config, plan),
        "masked": PlainLoop(dataset, config, plan, masked=True).epoch,
    }


def _ours(dataset: Dataset, config: Config, plan: Plan) -> Callable[[int], Any]:
    trainer = trainer_of(dataset, config, communicator=TorchDistributed())
    loader = BatchLoader(BatchReader(dataset, config.view))
    return lambda epoch: train_epoch(trainer, loader, plan, epoch)


if __name__ == "__main__":
    measured = rank_seconds(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]))
    (Path(sys.argv[2]) / f"{sys.argv[3]}.json").write_text(json.dumps(measured))
