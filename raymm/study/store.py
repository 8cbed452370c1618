"""A study on disk: made once, opened again only by the same settings on the same data.

    STUDY/study.yaml                 settings of the study, digests of its data, and every setting of every arm
    STUDY/runs/DATA/ARM/seed-0/      a run; finished when it has a result

The other files are in `raymm.storage.layout`. Nothing else decides what a study that goes on does: it trains exactly
the runs that have no result, each from its newest committed epoch.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raymm import __version__
from raymm.config.base import flatten
from raymm.config.legacy import UNSAID
from raymm.config.sections import Config
from raymm.config.yaml_dialect import yaml_text
from raymm.data.dataset import open_dataset
from raymm.data.identity import same_data, short_digest
from raymm.errors import CheckpointError, DataError, Problems, RaymmError, messages_of
from raymm.storage import layout
from raymm.storage.atomic import write_bytes
from raymm.study.configs import check_configs, config_of, resolved, try_models, with_task_defaults
from raymm.study.settings import FORMAT, StudySettings, key_of, parse_study, read_study_file

if TYPE_CHECKING:
    from raymm.data.dataset import Dataset

__all__ = ["Study", "create_or_open", "open_study"]

ABSENT = "not there"


@dataclass(frozen=True)
class Study:
    """A study.

    Attributes
    ----------
    path
        Its folder.
    key
        Identifies it in a tracking store.
    settings
        What it was asked to do; paths of data are absolute and digests known.
    unfit
        Why an arm cannot be used on a data set, by both names: its runs there fail.
    """

    path: Path
    key: str
    settings: StudySettings
    unfit: Mapping[tuple[str, str], str]

    @property
    def title(self) -> str:
        """A name for people."""
        return self.settings.title or self.path.name

    @property
    def config(self) -> Config:
        """The configuration of the first arm on the first data set: what all have alike can be read from it."""
        return config_of(self.settings, next(iter(self.settings.data)), next(iter(self.settings.arms)))

    def datasets(self) -> dict[str, Dataset]:
        """The data sets by name; raises `DataError` with every one that is missing or has changed."""
        return _open_datasets(self.settings)


def create_or_open(path: Path, settings: StudySettings) -> Study:
    """Make the folder of a study, or open the one that is there to go on with it.

    Raises
    ------
    CheckpointError
        When the folder holds a study of other settings or data, naming each difference; or when it is not empty and
        holds none.
    ConfigError
        With everything that is wrong with the settings, see `raymm.study.configs.check_configs`.
    DataError
        When a data set cannot be opened, or is another one than its digest says.
    """
    path = path.absolute()
    datasets = _open_datasets(settings)
    settings = with_task_defaults(_with_digests(settings, datasets), datasets)
    unfit = check_configs(settings, datasets)
    if (path / layout.STUDY).exists():
        saved = read_study_file(path / layout.STUDY)
        problems = Problems(f"{path} holds another study; choose another folder for --out, or the same settings")
        problems.extend(_differences(saved, _to_yaml("", settings)))
        problems.raise_if_any(CheckpointError)
        study = Study(path, key_of(path, saved), settings, unfit)
        write_bytes(path / layout.STUDY, _text(_to_yaml(study.key, settings)))
        return study
    if path.exists() and layout.beside_lock(path):
        raise CheckpointError(f"{path}: not empty, and no study of raymm; choose another folder for --out")
    try_models(settings, datasets)
    study = Study(path, uuid.uuid4().hex, settings, unfit)
    write_bytes(path / layout.STUDY, _text(_to_yaml(study.key, settings)))
    return study


def open_study(path: Path) -> Study:
    """Open the folder of a study to read it.

    Raises
    ------
    CheckpointError
        When there is none, or its study.yaml contradicts itself: arms and what they were resolved to differ.
    ConfigError, DataError
        When its settings or data cannot be used here.
    """
    path = path.absolute()
    if not (path / layout.STUDY).exists():
        raise CheckpointError(f"{path}: no study there ({layout.STUDY} is missing); give the --out of `raymm study`")
    saved = read_study_file(path / layout.STUDY)
    key, settings = key_of(path, saved), parse_study(saved, str(path / layout.STUDY))
    datasets = _open_datasets(settings)
    settings = with_task_defaults(settings, datasets)
    study = Study(path, key, settings, check_configs(settings, datasets))
    problems = Problems(
        f"{path / layout.STUDY}: what `resolved` lists (then) is not what its data and arms say (now)"
    )
    problems.extend(_differences(saved, _to_yaml("", settings)))
    problems.raise_if_any(CheckpointError, note="bring back a good copy of the file")
    return study


def _open_datasets(settings: StudySettings) -> dict[str, Dataset]:
    problems, datasets = Problems("study"), {}
    for name, data in settings.data.items():
        try:
            found = open_dataset(Path(data.path))
        except RaymmError as cause:
            problems.extend(f"data {name}: {message}" for message in messages_of(cause))
            continue
        if data.digest is not None and not same_data(data.digest, found):
            problems.add(
                f"data {name}: {data.path} is another data set (digest {short_digest(found.digest)}) than that of "
                f"the study ({short_digest(data.digest)}); bring back that one, or remove its digest for a new study"
            )
        datasets[name] = found
    problems.raise_if_any(DataError)
    return datasets


def _with_digests(settings: StudySettings, datasets: Mapping[str, Dataset]) -> StudySettings:
    data = {
        name: about.model_copy(update={"path": str(datasets[name].path.absolute()), "digest": datasets[name].digest})
        for name, about in settings.data.items()
    }
    return settings.model_copy(update={"data": data})


def _to_yaml(key: str, settings: StudySettings) -> dict[str, Any]:
    configs = {(data, arm): config_of(settings, data, arm) for data in settings.data for arm in settings.arms}
    about = {"format": FORMAT, "key": key, "raymm": __version__}
    return {**about, **settings.model_dump(mode="json"), "resolved": resolved(configs)}


def _text(values: dict[str, Any]) -> bytes:
    return yaml_text(values, allow_unicode=True).encode()


def _differences(saved: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """What decides the study and differs, in words; where data lie, and the title, decide nothing.

    A setting that came after the study was made had its default, or what was done before there was one.
    """
    then, here = _deciding(saved), _deciding(now)
    known = {**flatten(Config()), **UNSAID}
    begun = {name for name, _ in then} - {""}
    new = {name for name, _ in here} ^ {name for name, _ in then}
    then = {(name, key): known[key] for name, key in here if name in begun and key in known} | then
    found: dict[str, list[str]] = {}
    for name, key in {**then, **here}:
        before, after = then.get((name, key), ABSENT), here.get((name, key), ABSENT)
        if name in new and key != "method.name":
            continue  # of an arm that is not there, its method says enough
        if before != after or type(before) is not type(after):
            found.setdefault(f"{key}: {before} then, {after} now", []).append(name)
    return [words + (f" ({', '.join(filter(None, names))})" if any(names) else "") for words, names in found.items()]


def _deciding(values: Mapping[str, Any]) -> dict[tuple[str, str], Any]:
    """By data set and arm ("" for what is of all) and key."""
    flat: dict[tuple[str, str], Any] = {("", name): values.get(name) for name in ("match", "to", "tune")}
    flat["", "seeds"] = list(values.get("seeds") or ())
    data, settings = values.get("data"), values.get("resolved")
    for name, about in (data if isinstance(data, Mapping) else {}).items():
        flat["", f"data {name}"] = about.get("digest") if isinstance(about, Mapping) else about
    sections = settings if isinstance(settings, Mapping) else {}
    common = sections.get("common") or {}
    for name, own in sections.items():
        if name != "common":
            flat |= {(name, key): value for key, value in {**common, **own}.items()}
    return flat
