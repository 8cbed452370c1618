"""A sweep on disk: its settings, every trial that was proposed, and the outcome of each.

    SWEEP/sweep.json                      settings and data; a folder without it is no sweep
    SWEEP/trials/003-1f0c9a2e/trial.json  drawn values and the whole configuration
    SWEEP/trials/003-1f0c9a2e/runs/       a run for each seed
    SWEEP/trials/003-1f0c9a2e/ended.json  the outcome; a trial without it is pending
    SWEEP/warmups/                        runs of the epochs that trials share
    SWEEP/summary/                        table, plots and page

Nothing else decides what a resumed sweep does: it finishes exactly the pending trials.
"""

import os
import shutil
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from raymm import __version__
from raymm.config import plugins
from raymm.config.legacy import modern_key
from raymm.config.loading import parse
from raymm.config.sections import Config
from raymm.data.dataset import Dataset, open_dataset
from raymm.data.identity import same_data, short_digest
from raymm.errors import CheckpointError, DataError, Problems
from raymm.storage import layout
from raymm.storage.atomic import write_json
from raymm.storage.remote import join_uri
from raymm.sweep.rows import Status
from raymm.sweep.saved import SavedOutcome, SavedSweep, SavedTrial
from raymm.tasks.defaults import with_defaults
from raymm.tracking.metrics import split_metric
from raymm.training.run import open_unchanged

__all__ = [
    "Sweep",
    "SweepConfig",
    "Trial",
    "TrialOutcome",
    "commit_sweep",
    "has_ended",
    "key_of",
    "move_data",
    "new_sweep",
    "open_sweep",
    "open_trial",
    "pending",
    "read_outcome",
    "read_trials",
    "reset_failed",
    "write_outcome",
    "write_trial",
]


RENAMED = {"reduction": "reduction_factor", "grace": "grace_period", "concurrent": "max_concurrent_trials"}
"""Settings of version 0.1.0, and what they are called now."""


class SweepConfig(BaseModel):
    """How a sweep searches: the settings of `raymm sweep`, under the names that Ray Tune has for them.

    Attributes
    ----------
    space
        Search space, "FILE.py" or "FILE.py:function".
    trials
        Draws of the space, of each point of its grid.
    seeds
        Seeds that every trial is trained with; its score is the mean over them.
    search, scheduler
        How values are chosen, and which trials end early or continue from better ones.
    reduction_factor
        Of `halving` and `asha`: one trial in so many continues.
    grace_period
        Epochs that every trial gets; None: one more than the warm-up, of `halving` as many as
        `raymm.sweep.halving.first_level` says.
    max_concurrent_trials
        Trials at the same time; None: as many as fit on the cluster.
    share_warmup
        Whether trials with equal warm-ups train it once.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    space: str
    trials: int = Field(default=20, ge=1)
    seeds: tuple[int, ...] = Field(default=(0,), min_length=1)
    search: Literal["random", "optuna"] = "random"
    scheduler: Literal["none", "halving", "asha", "median", "pbt"] = "none"
    reduction_factor: int = Field(default=3, ge=2)
    grace_period: int | None = Field(default=None, ge=1)
    max_concurrent_trials: int | None = Field(default=None, ge=1)
    share_warmup: bool = True

    @model_validator(mode="before")
    @classmethod
    def _read_0_1_0(cls, values: Any) -> Any:
        """Accept the names that version 0.1.0 wrote into sweep.json."""
        return (
            {RENAMED.get(name, name): value for name, value in values.items()} if isinstance(values, dict) else values
        )


@dataclass(frozen=True)
class Sweep:
    """A sweep.

    Attributes
    ----------
    path
        Its folder.
    key
        Identifies it in the tracking store and at a mirror, whatever its folder is called.
    config
        Settings that all trials share.
    data, digest
        Its data set, and the digest of the data set when the sweep was made.
    settings
        How it searches.
    mirror
        URI of its copy on another file system, see `raymm.mirror.sweeps`; None for none.
    """

    path: Path
    key: str
    config: Config
    data: Path
    digest: str
    settings: SweepConfig
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
    """A trial: settings that were proposed, and the folder of their runs.

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
class TrialOutcome:
    """How a trial ended: its status, the epochs of every seed until then, and the cause of a failure."""

    status: Status
    epochs: int
    cause: str = ""


def key_of(config: Config) -> str:
    """The key that identifies a trial within its sweep; `config` is canonical and has the first of the seeds."""
    return config.fingerprint()


def new_sweep(path: Path, settings: SweepConfig, config: Config, dataset: Dataset) -> Sweep:
    """A sweep that has no sweep.json yet; `commit_sweep` writes it, once the first trials are written.

    Raises
    ------
    CheckpointError
        When the folder holds a sweep or anything else.
    """
    path = path.absolute()
    if (path / layout.SWEEP).exists():
        raise CheckpointError(f"{path} holds a sweep; go on with it by --resume {path}, or choose another --out")
    there = {entry.name for entry in path.iterdir()} if path.exists() else set()
    if there - {layout.TRIALS, layout.LOCK, plugins.FOLDER}:
        raise CheckpointError(f"{path}: not empty, and no sweep of raymm; choose another folder for --out")
    shutil.rmtree(path / layout.TRIALS, ignore_errors=True)  # of a sweep that was never committed
    mirror = config.cluster.mirror and join_uri(config.cluster.mirror, path.name)
    known = with_defaults(config, dataset.schema.task)
    own = known.model_copy(update={"plugins": plugins.copy_plugins(config.plugins, path)})
    return Sweep(path, uuid.uuid4().hex, own, dataset.path, dataset.digest, settings, mirror)


def commit_sweep(sweep: Sweep) -> None:
    """Write sweep.json, after which the sweep exists."""
    about = {
        "key": sweep.key,
        "data": str(sweep.data),
        "digest": sweep.digest,
        "mirror": sweep.mirror,
        "raymm": __version__,
        "plan": sweep.settings.model_dump(mode="json"),
        "config": sweep.config.model_dump(mode="json"),
        "plugins": [asdict(plugin) for plugin in plugins.describe_plugins(sweep.config.plugins)],
    }
    write_json(sweep.path / layout.SWEEP, about)


def open_sweep(path: Path) -> Sweep:
    """Open the folder of a sweep, and import its plug-ins.

    Raises
    ------
    CheckpointError
        When there is none, it cannot be read, or a plug-in is other code here than the sweep was made with.
    ConfigError
        When a plug-in cannot be imported here.
    """
    path = path.absolute()
    if not (path / layout.SWEEP).exists():
        raise CheckpointError(f"{path}: no sweep there ({layout.SWEEP} is missing); give the --out of `raymm sweep`")
    about = SavedSweep.read(path / layout.SWEEP)
    try:
        settings = SweepConfig.model_validate(about.plan)
    except ValidationError as cause:
        raise CheckpointError(f"{path}/{layout.SWEEP}: cannot be read ({cause})") from cause
    own = plugins.copied_plugins(about.named_plugins, path)
    changed = plugins.check_plugins(own, about.recorded_plugins, "sweep")
    Problems(f"{path}", changed).raise_if_any(CheckpointError)
    config = parse(about.config, f"{path}/{layout.SWEEP}", folder=path)
    return Sweep(path, about.key, config, Path(about.data), about.digest, settings, about.mirror)


def move_data(sweep: Sweep, data: Path) -> Sweep:
    """Let a sweep use a copy of its data set in another folder.

    Raises
    ------
    DataError
        When the data set is another one than the sweep was made with.
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
    """Write the trial.json of a proposal; nothing is run before that."""
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
    about = SavedTrial.read(path / layout.TRIAL)
    config = parse(about.config, f"{path}/{layout.TRIAL}", folder=path.parents[1])
    return Trial(about.number, about.key, about.sampled, config, path)


def write_outcome(trial: Trial, outcome: TrialOutcome) -> None:
    """Write the outcome of a trial."""
    write_json(trial.path / layout.ENDED, vars(outcome))


def read_outcome(trial: Trial) -> TrialOutcome | None:
    """The outcome of a trial, or None while it is pending; raises `CheckpointError` when its file is damaged."""
    file = trial.path / layout.ENDED
    if not os.path.lexists(file):
        return None
    ended = SavedOutcome.read(file)
    return TrialOutcome(ended.status, ended.epochs, ended.cause)


def pending(trials: Sequence[Trial]) -> list[Trial]:
    """The trials without an outcome."""
    return [trial for trial in trials if read_outcome(trial) is None]


def has_ended(sweep: Sweep) -> bool:
    """Whether no trial is pending, and none is left for an optimiser to propose."""
    trials = read_trials(sweep)
    proposed = sweep.settings.search != "optuna" or len(trials) >= sweep.settings.trials
    return proposed and not pending(trials)


def _names(sampled: Mapping[str, Any], above: str = "") -> Iterator[str]:
    for name, value in sampled.items():
        if isinstance(value, Mapping):
            yield from _names(value, f"{above}{name}.")
        else:
            yield modern_key(f"{above}{name}")


def reset_failed(sweep: Sweep) -> None:
    """Delete the outcome of failed trials, which makes them pending."""
    for trial in read_trials(sweep):
        ended = read_outcome(trial)
        if ended is not None and ended.status == "failed":
            (trial.path / layout.ENDED).unlink()
            (trial.path / layout.RECORDED).unlink(missing_ok=True)
