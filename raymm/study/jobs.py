"""The runs of a study: one for each data set, arm and seed; where they lie and how far they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raymm.storage import layout
from raymm.storage.layout import committed_epochs, lock_of_folder
from raymm.storage.lock import PATIENCE, writing
from raymm.study.configs import config_of
from raymm.study.lanes import Task
from raymm.training.result import finished
from raymm.training.run import create_or_open
from raymm.training.warmups import with_seed

if TYPE_CHECKING:
    from raymm.config.sections import Config
    from raymm.data.dataset import Dataset
    from raymm.study.store import Study
    from raymm.training.run import BranchPoint

__all__ = ["Chosen", "Job", "job_folder", "jobs_of", "made", "remove"]

Chosen = Mapping[tuple[str, str], Mapping[str, Any]]
"""Dotted settings that matching and tuning chose, by data set and arm."""


@dataclass(frozen=True)
class Job:
    """A run of a study that is to be trained, or has been.

    Attributes
    ----------
    until
        Epochs after which it is left, unfinished; None trains it to the end.
    kind
        "run", or what else it is for: "pilot", "trial" or "warm-up".
    """

    data: str
    arm: str
    seed: int
    config: Config
    path: Path
    until: int | None = None
    kind: str = "run"

    @property
    def label(self) -> str:
        """What it is called in lines for people."""
        return f"{self.data}  {self.arm}  " + (f"seed {self.seed}" if self.kind == "run" else self.kind)

    @property
    def done(self) -> bool:
        """Whether it has a result, or all epochs that are wanted."""
        if finished(self.path):
            return True
        return self.until is not None and max(committed_epochs(self.path), default=0) >= self.until


def job_folder(study: Study, data: str, arm: str, seed: int) -> Path:
    """The folder of a run."""
    return study.path / layout.RUNS / data / arm / f"seed-{seed}"


def jobs_of(study: Study, chosen: Chosen, pairs: Sequence[tuple[str, str]] | None = None) -> list[Job]:
    """The runs of some data sets and arms (default: all that can be used), seed by seed, so that all arms get on."""
    settings = study.settings
    every = [(data, arm) for data in settings.data for arm in settings.arms if (data, arm) not in study.unfit]
    configs = {pair: config_of(settings, *pair, chosen.get(pair)) for pair in (every if pairs is None else pairs)}
    return [
        Job(*pair, seed, with_seed(config, seed), job_folder(study, *pair, seed))
        for seed in settings.seeds
        for pair, config in configs.items()
    ]


def made(job: Job, dataset: Dataset, start: BranchPoint | None = None) -> Task:
    """Make the folder of a run, or open the one that is there; returns what a lane is told."""
    run = create_or_open(job.path, job.config, dataset, start, check=False)
    return Task(run.path, job.until, job.config.cluster.max_failures)


def remove(job: Job) -> None:
    """Remove what was trained of a run, once nobody trains it."""
    if job.path.exists():
        with writing(lock_of_folder(job.path), f"the run {job.path}", patience=PATIENCE):
            layout.remove_beside_lock(job.path)
