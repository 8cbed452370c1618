"""Small sweeps for tests: their trials are trained in this process, as far as a test wants."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from raymm.config.legacy import modern_key
from raymm.data import Dataset
from raymm.sweep.runs import open_runs
from raymm.sweep.space import resolve
from raymm.sweep.store import (
    Sweep,
    SweepConfig,
    Trial,
    TrialOutcome,
    commit_sweep,
    new_sweep,
    write_outcome,
    write_trial,
)
from raymm.sweep.tracking import SweepTracker
from raymm.tracking import MemoryTracker, Tracker
from raymm.training.loop import Backends, iter_epochs
from raymm.training.run import Run
from tests.games import settings

__all__ = ["Store", "finish", "follow", "propose", "session", "stop", "sweep_of", "train_until"]

EPOCHS = 3


def sweep_of(path: Path, dataset: Dataset, sections: dict[str, Any] | None = None, **plan: Any) -> Sweep:
    """A committed sweep of three epochs a trial."""
    config = settings(**{"training": {"epochs": EPOCHS, "batch_size": 32, "threads": 1}, **(sections or {})})
    sweep = new_sweep(path, SweepConfig(**{"space": "space.py", **plan}), config, dataset)
    commit_sweep(sweep)
    return sweep


def propose(sweep: Sweep, number: int, **sampled: Any) -> Trial:
    """Write down a trial; `fs__scale` stands for method.settings.fs.scale."""
    names = {name: modern_key(f"resampling.{name.replace('__', '.')}") for name in sampled if "." not in name}
    drawn = {names.get(name, name): value for name, value in sampled.items()}
    return write_trial(sweep, number, drawn, resolve(sweep.config, drawn))


def train_until(runs: list[Run], dataset: Dataset, epochs: int) -> None:
    """Train runs as far as some epoch, and leave them there."""
    for run in runs:
        reached: Iterator[Any] = iter_epochs(run, dataset, Backends())
        for state in reached:
            if state.epoch >= epochs:
                break


def finish(sweep: Sweep, trial: Trial, dataset: Dataset) -> TrialOutcome:
    """Train a trial to its end and write it down."""
    for run in open_runs(sweep, trial, dataset):
        list(iter_epochs(run, dataset, Backends()))
    ended = TrialOutcome("finished", sweep.config.training.epochs)
    write_outcome(trial, ended)
    return ended


def stop(sweep: Sweep, trial: Trial, dataset: Dataset, epochs: int, trained: int) -> TrialOutcome:
    """Stop a trial after some epochs; its workers may have committed more by then."""
    train_until(open_runs(sweep, trial, dataset), dataset, trained)
    ended = TrialOutcome("stopped", epochs)
    write_outcome(trial, ended)
    return ended


class Store:
    """A tracker for each folder, kept over sessions as a tracking store would."""

    def __init__(self) -> None:
        self.trackers: dict[Path, MemoryTracker] = {}

    def __call__(self, folder: Path) -> MemoryTracker:
        (folder / "outbox").mkdir(exist_ok=True)
        return self.trackers.setdefault(folder, MemoryTracker())

    def of(self, trial: Trial) -> MemoryTracker:
        return self.trackers[trial.path]


def session(sweep: Sweep, dataset: Dataset, store: Callable[[Path], Tracker]) -> SweepTracker:
    """The callback of one session."""
    record = SweepTracker(sweep, dataset, store, "games")
    record.begin()
    return record


def follow(record: SweepTracker, trial: Trial, ended: TrialOutcome) -> None:
    """Hear of a trial as the driver does, its epochs twice."""
    record.on_trial_start(trial)
    for epochs in (*range(1, ended.epochs + 1), ended.epochs):
        record.on_epoch(trial, epochs)
    record.on_trial_end(trial, ended)
