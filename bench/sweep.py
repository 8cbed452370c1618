"""(g) Wall time of a sweep with a shared warm-up and successive halving over that of the same trials, each in full.

The same twelve configurations are drawn from `tune_spaces/fs_only.py`, on clips whose sound is buried in noise, with
the default model on one CPU thread. A full run has 60 epochs, 5 of them warm-up, like those of the method's published
code. The cluster is a local Ray on the machine's cores, started before either sweep; both run as many trials at once
as it has cores. Whether the shorter way loses anything is said by the best score on validation, against its standard
error as a share of so many clips.
"""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.timing import Measured
from raymm.cluster.connect import connect
from raymm.config import Config, load
from raymm.data import Dataset, open_dataset
from raymm.sweep.driver import run_sweep
from raymm.sweep.halving import Halving, Job, first_level, levels_of
from raymm.sweep.runs import read_histories, score_at, trial_rows
from raymm.sweep.search import propose_all
from raymm.sweep.space import load_space
from raymm.sweep.store import Sweep, SweepConfig, Trial, commit_sweep, new_sweep, read_trials
from raymm.sweep.tracking import SweepCallback
from raymm.sweep.trial import TRAINABLES

TRIALS, LONGEST, WARMUP, FACTOR = 12, 60, 5, 3
ORDERS = 1000
SPACE = str(Path(__file__).parents[1] / "tune_spaces" / "fs_only.py")
SETTINGS = (
    "view.noise_db.audio=-10",
    f"training.epochs={LONGEST}",
    f"method.warmup={WARMUP}",
    "training.threads=1",
    "cluster.workers=1",
    "cluster.actors=0",
)


def run(data: Path) -> Measured:
    """Measure both sweeps, one after the other, on one Ray."""
    dataset, config = open_dataset(data), load(None, SETTINGS)
    with tempfile.TemporaryDirectory() as folder, connect(config.cluster):
        full = _sweep(Path(folder) / "full", dataset, config, share_warmup=False)
        short = _sweep(
            Path(folder) / "short", dataset, config, share_warmup=True, scheduler="halving", reduction_factor=FACTOR
        )
    best = full["best"]
    error = (best * (1 - best) / len(dataset.rows("val"))) ** 0.5
    details = {"full": full, "short": short, "standard_error": error, "within": abs(best - short["best"]) <= error}
    details["epochs_in_any_order"] = _in_any_order(full.pop("curves"), lanes=2)
    short.pop("curves")
    return Measured(
        "12 trials, shared warm-up and halving / in full", short["seconds"] / full["seconds"], "<=", 0.35, details
    )


def _sweep(path: Path, dataset: Dataset, config: Config, **how: Any) -> dict[str, Any]:
    sweep = new_sweep(path, SweepConfig(space=SPACE, trials=TRIALS, **how), config, dataset)
    space = load_space(SPACE)
    propose_all(sweep, space)
    commit_sweep(sweep)
    started = time.perf_counter()
    run_sweep(sweep, space, _Silent(), TRAINABLES)
    seconds = time.perf_counter() - started
    rows = trial_rows(sweep)
    assert len(rows) == TRIALS, f"{len(rows)} of {TRIALS} trials ended"
    assert all(row.status != "failed" for row in rows), [row.cause for row in rows]
    best = max(row.score or 0.0 for row in rows)
    statuses = {status: sum(row.status == status for row in rows) for status in ("finished", "stopped")}
    curves = [_curve(sweep, trial) for trial in read_trials(sweep)]
    return {"seconds": seconds, "best": best, "epochs": sum(row.epochs for row in rows), **statuses, "curves": curves}


def _curve(sweep: Sweep, trial: Trial) -> list[float]:
    """What levels see of a trial: its score after every epoch."""
    histories = read_histories(sweep, trial)
    return [
        score_at(histories, epochs, sweep.config.training.selection) for epochs in range(1, len(histories[0]) + 1)
    ]


def _in_any_order(curves: Sequence[Sequence[float]], lanes: int) -> dict[str, float]:
    """Mean, 5th and 95th percentile over drawn orders of the share of the epochs that halving trains."""
    generator = np.random.default_rng(0)
    orders = (generator.permutation(len(curves)) for _ in range(ORDERS))
    shares = [share_of_epochs([curves[i] for i in order], lanes) for order in orders]
    low, high = np.percentile(shares, [5, 95])
    return {"mean": float(np.mean(shares)), "low": float(low), "high": float(high)}


def share_of_epochs(curves: Sequence[Sequence[float]], lanes: int, warmup: int = WARMUP) -> float:
    """Epochs that trials train under successive halving, their warm-up shared, over those of all of them in full.

    Parameters
    ----------
    curves
        Scores of each trial by epoch, in the order in which they begin.
    lanes
        Trials at once, which train an epoch of each in turn.
    """
    longest = len(curves[0])
    levels = levels_of(first_level(len(curves), warmup, longest, FACTOR), warmup, longest, FACTOR)
    halving = Halving([str(number) for number in range(len(curves))], len(levels), FACTOR)
    reached, running, trained = [warmup] * len(curves), list[Job](), warmup
    while not halving.over:
        while len(running) < lanes and (job := halving.take()) is not None:
            running.append(job)
        for job in list(running):
            number, level = int(job.name), levels[job.level]
            reached[number] += 1
            trained += 1
            if reached[number] == level:
                running.remove(job)
                halving.done(job.name, curves[number][level - 1])
    return trained / sum(map(len, curves))


class _Silent(SweepCallback):
    """A callback that does nothing."""
