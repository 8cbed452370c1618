"""(g) Wall time of a sweep with a shared warm-up and ASHA over that of the same trials run in full, each on its own.

The same twelve configurations are drawn from `tune_spaces/fs_only.py`, on clips whose sound is buried in noise, with
the default model on one CPU thread. A full run has 60 epochs, 5 of them warm-up, like those of the method's published
code. The cluster is a local Ray on the machine's cores, started before either sweep; both run as many trials at once
as it has cores. Whether the shorter way loses anything is said by the best score on validation, against its standard
error as a share of so many clips.
"""

import tempfile
import time
from pathlib import Path
from typing import Any

from bench.timing import Measured
from raymm.cluster.connect import connect
from raymm.config import Config, load
from raymm.data import Dataset, open_dataset
from raymm.sweep.driver import run_sweep
from raymm.sweep.runs import trial_rows
from raymm.sweep.search import propose_all
from raymm.sweep.space import load_space
from raymm.sweep.store import SweepConfig, commit_sweep, new_sweep
from raymm.sweep.tracking import SweepCallback
from raymm.sweep.trial import TRAINABLES

TRIALS = 12
SPACE = str(Path(__file__).parents[1] / "tune_spaces" / "fs_only.py")
SETTINGS = (
    "view.noise_db.audio=-10",
    "training.epochs=60",
    "method.warmup=5",
    "training.threads=1",
    "cluster.workers=1",
    "cluster.actors=0",
)


def run(data: Path) -> Measured:
    """Measure both sweeps, one after the other, on one Ray."""
    dataset, config = open_dataset(data), load(None, SETTINGS)
    with tempfile.TemporaryDirectory() as folder, connect(config.cluster):
        full = _sweep(Path(folder) / "full", dataset, config, share_warmup=False)
        short = _sweep(Path(folder) / "short", dataset, config, share_warmup=True, scheduler="asha")
    best = full["best"]
    error = (best * (1 - best) / len(dataset.rows("val"))) ** 0.5
    details = {"full": full, "short": short, "standard_error": error, "within": abs(best - short["best"]) <= error}
    return Measured(
        "12 trials, shared warm-up and ASHA / in full", short["seconds"] / full["seconds"], "<=", 0.5, details
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
    return {"seconds": seconds, "best": best, "epochs": sum(row.epochs for row in rows), **statuses}


class _Silent(SweepCallback):
    """A callback that does nothing."""
