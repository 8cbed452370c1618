"""The folder of a run: made once, opened again only by the same configuration on the same data."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raymm import __version__
from raymm.config.base import flatten
from raymm.config.legacy import UNSAID
from raymm.config.loading import parse
from raymm.config.plugins import FOLDER, check_plugins, copied_plugins, copy_plugins, describe_plugins
from raymm.data.dataset import open_dataset
from raymm.data.identity import is_legacy, same_data, short_digest
from raymm.data.reader import BatchReader, check_noise
from raymm.data.schema import SPLITS
from raymm.errors import CheckpointError, ConfigError, DataError, Problems, mistakes_in
from raymm.methods.registry import build_method, check_accumulation
from raymm.models.encoders.registry import unread_settings
from raymm.models.model import check_probabilities, model_mistakes, traits_of_settings, unnamed
from raymm.models.trial import trial_mistakes
from raymm.storage import layout
from raymm.storage.atomic import is_unfinished, write_json
from raymm.storage.owner import SavedKey
from raymm.storage.places_below import instead_of
from raymm.storage.records import read_json
from raymm.tasks.defaults import with_defaults
from raymm.training.mixing import check_mixup
from raymm.training.online import check_online
from raymm.training.optim import check_optimizer
from raymm.training.parameter_groups import check_groups
from raymm.training.saved_state import SavedRun, SavedStart
from raymm.training.weights_files import Looks, hashes_of_weights, say_changed_weights
from raymm.valuation.sampling.designs import refuse_impossible

if TYPE_CHECKING:
    from raymm.config.sections import Config
    from raymm.data.dataset import Dataset
    from raymm.data.schema import Schema

__all__ = [
    "BranchPoint",
    "Run",
    "check_folder",
    "create_or_open",
    "differences",
    "key_in",
    "move_start",
    "open_run",
    "open_unchanged",
    "problems_of",
    "validate_run",
]


log = logging.getLogger(__name__)


@dataclass(frozen=True)
class BranchPoint:
    """A committed epoch of another run, from which this one goes on instead of training its own."""

    run: Path
    epoch: int


@dataclass(frozen=True)
class Run:
    """A run on disk: where it is, what it is called, what it was asked to do, and what it started from."""

    path: Path
    key: str
    config: Config
    data: Path
    digest: str
    start: BranchPoint | None = None

    @property
    def name(self) -> str:
        """A short name for people: that of the folder."""
        return self.path.name

    def dataset(self) -> Dataset:
        """Open the data set that the run was made with.

        Raises
        ------
        DataError
            When the data set has changed since.
        """
        return open_unchanged(self.data, self.digest, "run", self.path)


def create_or_open(
    path: Path, config: Config, dataset: Dataset, start: BranchPoint | None = None, *, check: bool = True
) -> Run:
    """Make the folder of a run, or open the one that is there to go on with it.

    Parameters
    ----------
    path, config, dataset
        Where it lies, what it is asked to do, and on what.
    start
        Where a new run begins; one that is there keeps the start that it was made with.
    check
        Whether a new run is validated (`validate_run`); False where that was done before.

    Raises
    ------
    CheckpointError
        When the folder holds a run with other settings or other data, naming each difference; or when it is not empty
        and holds none, or one whose run.json cannot be read.
    ConfigError, DataError
        When a new run could not be run on this data set, and nothing is then made; or when a plug-in of one that is
        there cannot be imported.
    """
    path, config = path.absolute(), with_defaults(config, dataset.schema.task)
    if not (path / layout.RUN).exists():
        if check:
            validate_run(config, dataset)
        _refuse_others(path)
        weights = hashes_of_weights(config)
        plugins = copy_plugins(config.plugins, path)
        own = config.model_copy(update={"plugins": plugins})
        run = Run(path, uuid.uuid4().hex, own, dataset.path, dataset.digest, start)
        write_json(path / layout.RUN, _to_json(run, *weights))
        return run
    run, now = _reopened(path, config, dataset)
    saved = _read(path)
    looks = say_changed_weights(path, saved.weights, saved.weights_looks)
    if now != run or looks != saved.weights_looks:
        write_json(path / layout.RUN, _to_json(now, saved.weights, looks))
    return now


def check_folder(path: Path, config: Config, dataset: Dataset) -> None:
    """Refuse a folder in which this run could neither begin nor go on, as `create_or_open` does; nothing is written.

    Raises
    ------
    CheckpointError, ConfigError
        As `create_or_open`.
    """
    path, config = path.absolute(), with_defaults(config, dataset.schema.task)
    if (path / layout.RUN).exists():
        _reopened(path, config, dataset)
    else:
        _refuse_others(path)


def differences(path: Path, config: Config, digest: str) -> list[str]:
    """How the run of a folder differs from one of these settings on data of this digest; empty where it is one.

    Raises
    ------
    CheckpointError, ConfigError
        As `open_run`.
    """
    run = open_run(path)
    found = _differences(run.config, _as_begun(config, run.config))
    if is_legacy(run.digest) == is_legacy(digest) and run.digest != digest:
        found.insert(0, ("data", f"{run.data} ({short_digest(run.digest)})", short_digest(digest)))
    return [f"{key}: {there}, not {wanted}" for key, there, wanted in found]


def _refuse_others(path: Path) -> None:
    """Refuse a folder with more than what a run leaves that ended before its run.json was written."""
    if path.exists() and not path.is_dir():
        raise CheckpointError(f"{path}: is a file where the folder of a run is needed; move it, or choose another")
    there = layout.beside_lock(path) if path.exists() else []
    if any(entry.name != FOLDER and not is_unfinished(entry) for entry in there):
        raise CheckpointError(f"{path}: not empty, and no run of raymm; choose another folder for --out")


CHANGED = " (files of its folder were changed since the run began; bring back what they held)"
"""What a hash among the settings says that differs: encoders fill it in (`hf:FOLDER`)."""


def _reopened(path: Path, config: Config, dataset: Dataset) -> tuple[Run, Run]:
    """The run of a folder as it was written, and as it goes on now; another run is refused."""
    changed = check_plugins(config.plugins, _read(path).recorded_plugins)
    Problems(f"{path}", changed).raise_if_any(CheckpointError)
    run = open_run(path)
    config = _as_begun(config, run.config)
    problems = Problems(f"{path} holds another run; choose another folder for --out, or the same settings")
    if not same_data(run.digest, dataset):
        problems.add(f"data: {run.data} then, {dataset.path} now")
    for key, then, now in _differences(run.config, config):
        problems.add(f"{key}: {then} then, {now} now{CHANGED if key.endswith('.sha256') else ''}")
    problems.raise_if_any(CheckpointError)
    own = config.model_copy(update={"plugins": copied_plugins(config.plugins, path)})
    return run, Run(path, run.key, own, dataset.path, run.digest, run.start)


def open_run(path: Path) -> Run:
    """Open the folder of a run, and import its plug-ins.

    Raises
    ------
    CheckpointError
        When there is none, or a plug-in is other code here than the run was made with.
    ConfigError
        When a plug-in cannot be imported here.
    """
    path = path.absolute()
    saved = _read(path)
    own = copied_plugins(saved.named_plugins, path)
    Problems(f"{path}", check_plugins(own, saved.recorded_plugins)).raise_if_any(CheckpointError)
    config = parse(saved.config, f"{path}/{layout.RUN}", folder=path)
    start = None if saved.start is None else BranchPoint(Path(saved.start.run), saved.start.epoch)
    return Run(path, saved.key, config, Path(saved.data), saved.digest, start)


def open_unchanged(data: Path, digest: str, what: str, path: Path) -> Dataset:
    """Open the data set that a "run" or "sweep", `what`, at `path` was made with.

    Raises
    ------
    DataError
        When its digest is another one now.
    """
    dataset = open_dataset(data)
    if not same_data(digest, dataset):
        raise DataError(f"{data}: changed since the {what} {path} was made; start a new {what}")
    return dataset


def key_in(content: bytes | None, where: object) -> str:
    """The key in the content of a run.json or sweep.json, here or at a mirror.

    Raises
    ------
    CheckpointError
        When there is none; `where` says where the file lies.
    """
    return SavedKey.parse(content or b"", where).key


def move_start(path: Path, moved: Callable[[Path], Path]) -> None:
    """Record where the run that a run started from lies now; nothing is done for a run that began by itself.

    Parameters
    ----------
    path
        Folder of the run; it may hold none.
    moved
        From where the other run lay to where it lies.
    """
    file = path / layout.RUN
    if not file.exists():
        return
    values = read_json(file, CheckpointError)
    if (start := SavedStart.of(values, file).start) is not None:
        write_json(file, {**values, "start": {**values["start"], "run": str(moved(Path(start.run)))}})


def validate_run(config: Config, dataset: Dataset) -> None:
    """Refuse what could not be run, so that a mistake ends a run before its folder exists.

    A setting of `model.encoder` that no encoder has is said in a line, and left out; a modality that no training
    sample has is said too.

    Raises
    ------
    ConfigError
        With every problem of the settings, see `problems_of`, and of a model that is tried on a few samples.
    DataError
        When a split has no samples.
    """
    config = with_defaults(config, dataset.schema.task)
    _refuse(problems_of(config, dataset.schema))
    for split in SPLITS:
        dataset.rows(split)
    reader = BatchReader.of(dataset, config)
    _refuse(trial_mistakes(reader, config.model))
    for message in unread_settings(config.model.encoder, unnamed(dataset.schema, config.model)):
        log.warning("%s, so it is left out", message)
    for name in dataset.untrained:
        if config.model.modalities is None or name in config.model.modalities:
            log.warning("no training sample has %s, so that its encoder is not trained", name)


def _refuse(mistakes: list[str]) -> None:
    """Raise `ConfigError` when there are mistakes, each of which names its setting."""
    if len(mistakes) == 1:
        raise ConfigError(mistakes[0])
    Problems("configuration", mistakes).raise_if_any(ConfigError)


def problems_of(config: Config, schema: Schema, tried: dict[str, list[str]] | None = None) -> list[str]:
    """Everything that keeps valid settings from being run on data of a schema, such as modalities that it lacks.

    `tried` keeps what was wrong with a model, by its settings, so that many configurations of few models take the
    time of these models; it is added to.
    """
    config = with_defaults(config, schema.task)
    tried, model = {} if tried is None else tried, config.model.model_dump_json()
    if model not in tried:
        tried[model] = model_mistakes(schema, config.model)
    checks: list[Callable[[], object]] = [
        lambda: build_method(config, schema, traits_of_settings(schema, config.model)),
        lambda: check_online(config, schema, traits_of_settings(schema, config.model)),
        lambda: check_mixup(config, schema),
        lambda: check_optimizer(config.optimizer),
        lambda: check_accumulation(config),
        *([lambda: check_groups(config, schema)] if not tried[model] else []),
        lambda: schema.task.check_selection(config.training.selection),
        lambda: schema.task.check_loss(config.training.loss, schema.classes),
        lambda: check_noise(schema, config.view),
        lambda: refuse_impossible(config.valuation.budget),
        lambda: check_probabilities(schema.task, config.model),
    ]
    found = [mistake for check in checks for mistake in mistakes_in(check)]
    return list(dict.fromkeys([*found, *tried[model]]))


def _as_begun(config: Config, begun: Config) -> Config:
    """Settings with those of the run where it may have begun before there was the setting, and nothing is said."""
    for key in UNSAID:
        section, _, name = key.partition(".")
        if name not in getattr(config, section).model_fields_set:
            own = getattr(config, section).model_copy(update={name: getattr(getattr(begun, section), name)})
            config = config.model_copy(update={section: own})
    return config


def _differences(then: Config, now: Config) -> list[tuple[str, Any, Any]]:
    """Settings that decide the numbers and differ."""
    if then.fingerprint() == now.fingerprint():
        return []
    old, new = flatten(then.deciding()), flatten(now.deciding())
    return [(key, old.get(key), new.get(key)) for key in {**old, **new} if old.get(key) != new.get(key)]


def _read(path: Path) -> SavedRun:
    """What the run.json of a run says; raises `CheckpointError` when there is none, or it cannot be read."""
    if not (path / layout.RUN).exists():
        instead = instead_of(path) or "; give the --out of `raymm train`"
        raise CheckpointError(f"{path}: no run there ({layout.RUN} is missing){instead}")
    return SavedRun.read(path / layout.RUN)


def _to_json(run: Run, weights: Mapping[str, str], looks: Looks) -> dict[str, Any]:
    return {
        "format": SavedRun.newest,
        "key": run.key,
        "data": str(run.data),
        "digest": run.digest,
        "raymm": __version__,
        "start": run.start and {"run": str(run.start.run), "epoch": run.start.epoch},
        "config": run.config.model_dump(mode="json"),
        "plugins": [asdict(plugin) for plugin in describe_plugins(run.config.plugins)],
        **({"weights": dict(weights)} if weights else {}),
        **({"weights_looks": looks} if looks else {}),
    }
