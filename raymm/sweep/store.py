"""A sweep on disk: what was asked for, every trial that was proposed, and how each one ended.

    SWEEP/sweep.json                      what the sweep is; without it there is none
    SWEEP/trials/003-1f0c9a2e/trial.json  a proposal: drawn values and the whole configuration
    SWEEP/trials/003-1f0c9a2e/runs/       a run for each seed
    SWEEP/trials/003-1f0c9a2e/ended.json  how it ended; a trial without it is missing
    SWEEP/warmups/                        the epochs that trials share
    SWEEP/summary/                        table, plots and page

Nothing else decides what a resumed sweep does, so it finishes exactly the trials that are missing.
"""

import json
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from raymm import __version__
from raymm.config import Config, parse, plugins
from raymm.config.legacy import modern_key
from raymm.data import Dataset, open_dataset
from raymm.data.identity import same_data, short_digest
from raymm.errors import CheckpointError, DataError
from raymm.storage import layout, write_json
from raymm.storage.remote import below
from raymm.sweep.rows import Status
from raymm.tracking.metrics import split_metric
from raymm.training.run import open_unchanged

__all__ = [
    "Ended",
    "Plan",
    "Sweep",
    "Trial",
    "commit_sweep",
    "forget_failed",
    "key_of",
    "missing",
    "move_data",
    "new_sweep",
    "open_sweep",
    "open_trial",
    "read_ended",
    "read_trials",
    "write_ended",
    "write_trial",
]


class Plan(BaseModel):
    """How a sweep searches.

    `space` is "FILE.py" or "FILE.py:function"; `trials` draws of it are made (of each point of a grid), each trained
    with every one of `seeds`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    space: str
    trials: int = Field(default=20, ge=1)
    seeds: tuple[int, ...] = Field(default=(0,), min_length=1)
    search: Literal["random", "optuna"] = "random"
    scheduler: Literal["none", "asha", "median", "pbt"] = "none"
    reduction: int = Field(default=3, ge=2)
    grace: int | None = Field(default=None, ge=1)
    concurrent: int | None = Field(default=None, ge=1)
    share_warmup: bool = True


@dataclass(frozen=True)
class Sweep:
    """A sweep: where it is, its key for ever, the settings that all trials share, its data, and how it searches.

    `mirror` is its own place on another file system, see `raymm.mirror.sweeps`.
    """

    path: Path
    key: str
    config: Config
    data: Path
    digest: str
    plan: Plan
    mirror: str | None = None

    @property
    def name(self) -> str:
        """A short name for people: that of the folder."""
        return self.path.name

    @property
    def metric(self) -> str:
        """The validation metric that scores a trial, such as "val/accuracy"."""
        return split_metric("val", self.config.training.selection)

    def dataset(self) -> Dataset:
        """Open the data set; raises `DataError` when it has changed since the sweep was made."""
        return open_unchanged(self.data, self.digest, "sweep", self.path)


@dataclass(frozen=True)
class Trial:
    """A proposal.

    Attributes
    ----------
    number
        Order in which it was proposed, from 0.
    key
        Fingerprint of its configuration, see `key_of`.
    sampled
        What the search drew, by dotted setting or section.
    config
        Canonical configuration, with the first of the seeds.
    path
        Its folder.
    """

    number: int
    key: str
    sampled: Mapping[str, Any]
    config: Config
    path: Path

    @property
    def name(self) -> str:
        """A short name for people: that of the folder."""
        return self.path.name

    @property
    def searched(self) -> set[str]:
        """Dotted names of the settings that were drawn."""
        return set(_names(self.sampled))


@dataclass(frozen=True)
class Ended:
    """How a trial ended: after how many epochs of every seed, and of what, where it failed."""

    status: Status
    epochs: int
    cause: str = ""


def key_of(config: Config) -> str:
    """What tells a trial from others of its sweep; `config` is canonical and has the first of the seeds."""
    return config.fingerprint()


def new_sweep(path: Path, plan: Plan, config: Config, dataset: Dataset) -> Sweep:
    """A sweep that is not there yet; `commit_sweep` makes it exist, once its first trials are written down.

    Raises
    ------
    CheckpointError
        When something lies there already.
    """
    path = path.absolute()
    if (path / layout.SWEEP).exists():
        raise CheckpointError(f"{path} holds a sweep; go on with it by --resume {path}, or choose another --out")
    there = {entry.name for entry in path.iterdir()} if path.exists() else set()
    if there - {layout.TRIALS, plugins.FOLDER}:
        raise CheckpointError(f"{path}: not empty, and no sweep of raymm; choose another folder for --out")
    shutil.rmtree(path / layout.TRIALS, ignore_errors=True)  # of a sweep that was never committed
    mirror = config.cluster.mirror and below(config.cluster.mirror, path.name)
    own = config.model_copy(update={"plugins": plugins.copy_plugins(config.plugins, path)})
    return Sweep(path, uuid.uuid4().hex, own, dataset.path, dataset.digest, plan, mirror)


def commit_sweep(sweep: Sweep) -> None:
    """Write sweep.json, with which the sweep exists."""
    about = {
        "key": sweep.key,
        "data": str(sweep.data),
        "digest": sweep.digest,
        "mirror": sweep.mirror,
        "raymm": __version__,
        "plan": sweep.plan.model_dump(mode="json"),
        "config": sweep.config.model_dump(mode="json"),
    }
    write_json(sweep.path / layout.SWEEP, about)


def open_sweep(path: Path) -> Sweep:
    """Open the folder of a sweep; raises `CheckpointError` when there is none, or it cannot be read."""
    path = path.absolute()
    try:
        about = json.loads((path / layout.SWEEP).read_text())
        plan = Plan.model_validate(about["plan"])
        config = parse(about["config"], f"{path}/{layout.SWEEP}", folder=path)
        return Sweep(path, about["key"], config, Path(about["data"]), about["digest"], plan, about.get("mirror"))
    except FileNotFoundError:
        raise CheckpointError(
            f"{path}: no sweep there ({layout.SWEEP} is missing); give the --out of `raymm sweep`"
        ) from None
    except (KeyError, TypeError, ValueError, ValidationError) as cause:
        raise CheckpointError(f"{path}/{layout.SWEEP}: cannot be read ({cause})") from cause


def move_data(sweep: Sweep, data: Path) -> Sweep:
    """Go on with a data set that lies elsewhere now.

    Raises
    ------
    DataError
        When it is not the one that the sweep was made with.
    """
    dataset = open_dataset(data, check=True)
    if not same_data(sweep.digest, dataset):
        raise DataError(
            f"{data}: not the data set of the sweep {sweep.path} (digest {short_digest(dataset.digest)}, was "
            f"{short_digest(sweep.digest)}); give a copy of {sweep.data}"
        )
    moved = replace(sweep, data=dataset.path)
    commit_sweep(moved)
    return moved


def write_trial(sweep: Sweep, number: int, sampled: Mapping[str, Any], config: Config) -> Trial:
    """Write a proposal down before anything is done with it."""
    key = key_of(config)
    trial = Trial(number, key, sampled, config, sweep.path / layout.TRIALS / f"{number:03d}-{key[:8]}")
    about = {"number": number, "key": key, "sampled": dict(sampled), "config": config.model_dump(mode="json")}
    write_json(trial.path / layout.TRIAL, about)
    return trial


def read_trials(sweep: Sweep) -> list[Trial]:
    """Every trial that was proposed, in order."""
    return sorted(
        (open_trial(file.parent) for file in sweep.path.glob(f"{layout.TRIALS}/*/{layout.TRIAL}")),
        key=lambda t: t.number,
    )


def open_trial(path: Path) -> Trial:
    """Read one trial; raises `CheckpointError` when its file is damaged."""
    try:
        about = json.loads((path / layout.TRIAL).read_text())
        config = parse(about["config"], f"{path}/{layout.TRIAL}", folder=path.parents[1])
        return Trial(about["number"], about["key"], about["sampled"], config, path)
    except (OSError, KeyError, TypeError, ValueError) as cause:
        raise CheckpointError(f"{path}/{layout.TRIAL}: cannot be read ({cause})") from cause


def write_ended(trial: Trial, ended: Ended) -> None:
    """Say, once, how a trial ended."""
    write_json(trial.path / layout.ENDED, vars(ended))


def read_ended(trial: Trial) -> Ended | None:
    """How a trial ended, or None while it is missing; raises `CheckpointError` when its file is damaged."""
    try:
        return Ended(**json.loads((trial.path / layout.ENDED).read_text()))
    except FileNotFoundError:
        return None
    except (TypeError, ValueError) as cause:
        raise CheckpointError(f"{trial.path}/{layout.ENDED}: cannot be read ({cause})") from cause


def missing(trials: Sequence[Trial]) -> list[Trial]:
    """The trials that have not ended."""
    return [trial for trial in trials if read_ended(trial) is None]


def _names(sampled: Mapping[str, Any], above: str = "") -> Iterator[str]:
    for name, value in sampled.items():
        if isinstance(value, Mapping):
            yield from _names(value, f"{above}{name}.")
        else:
            yield modern_key(f"{above}{name}")


def forget_failed(sweep: Sweep) -> None:
    """Make trials that failed missing again."""
    for trial in read_trials(sweep):
        ended = read_ended(trial)
        if ended is not None and ended.status == "failed":
            (trial.path / layout.ENDED).unlink()
            (trial.path / layout.RECORDED).unlink(missing_ok=True)
