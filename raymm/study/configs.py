"""The configurations of a study's runs: settings of all, of the data set, of the arm, and what was chosen for it."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from raymm.config.base import flatten
from raymm.config.legacy import modern_key, put
from raymm.config.loading import parse
from raymm.config.sections import Config
from raymm.data.reader import BatchReader
from raymm.data.schema import SPLITS
from raymm.errors import ConfigError, Problems, messages_of
from raymm.models.trial import trial_mistakes
from raymm.reports.pages.words import listed
from raymm.tasks.defaults import defaults_of
from raymm.training.run import problems_of

if TYPE_CHECKING:
    from raymm.data.dataset import Dataset
    from raymm.study.settings import StudySettings

__all__ = ["check_configs", "config_of", "laid_over", "resolved", "try_models", "with_task_defaults"]

OF_A_STUDY = {
    "training.seed": "every arm is trained with the same seeds; give them to the study (--seeds)",
    "cluster.mirror": "a study has no mirror; copy its folder when it is finished",
}
"""Settings that runs of a study get from the study."""

OF_ALL = "runs train in the same lanes; give it to all of them"


def laid_over(base: Mapping[str, Any], *layers: Mapping[str, Any]) -> dict[str, Any]:
    """Nested settings with the settings of each layer, dotted or nested, put over them in turn.

    >>> laid_over({"training": {"epochs": 3}}, {"training.epochs": 5}, {"method": "sample", "method.warmup": 1})
    {'training': {'epochs': 5}, 'method': {'name': 'sample', 'warmup': 1}}
    """
    values: dict[str, Any] = copy.deepcopy(dict(base))
    for layer in layers:
        for key, value in flatten(layer).items():
            path = modern_key(key).split(".")
            try:
                put(values, path, value)
            except TypeError as cause:
                raise ConfigError(f"{key}: {cause}") from cause
    return values


def config_of(study: StudySettings, data: str, arm: str, chosen: Mapping[str, Any] | None = None) -> Config:
    """The configuration of an arm on a data set, with the first of the seeds.

    Parameters
    ----------
    chosen
        Dotted settings that matching and tuning chose.

    Raises
    ------
    ConfigError
        With every mistake, and for settings of the arm that its parts do not read.
    """
    where = f"arms.{arm} on {data}"
    base = laid_over({"cluster": {"workers": 1}}, study.settings)
    values = laid_over(base, study.data[data].settings, study.arms[arm], chosen or {})
    own = {modern_key(key) for key in flatten(study.arms[arm])}
    problems = Problems(where, [f"{key}: {why}" for key, why in OF_A_STUDY.items() if key in flatten(values)])
    parts = own | {modern_key(key) for key in flatten(study.data[data].settings)}
    problems.extend(f"{key}: {OF_ALL}" for key in sorted(parts) if key.startswith("cluster."))
    put(values, ["training", "seed"], study.seeds[0])
    unread: list[str] = []
    config = parse(values, where, drop=unread.append)
    problems.extend(sentence for sentence in unread if _is_of(sentence.partition(":")[0], own))
    if study.match != "none" and config.training.patience is not None:
        problems.add(
            f"training.patience: arms are given the epochs of one budget (match: {study.match}), and it would end "
            "their runs before; leave out one of both"
        )
    problems.raise_if_any(ConfigError)
    return config


def with_task_defaults(study: StudySettings, datasets: Mapping[str, Dataset]) -> StudySettings:
    """The study in which each data set says what `with_defaults` gives its task, where nothing else says it."""
    data = dict(study.data)
    for name, dataset in datasets.items():
        wanted = defaults_of(dataset.schema.task)
        given = {modern_key(key) for own in (study.settings, data[name].settings) for key in flatten(own)}
        of_task = {key: value for key, value in wanted.items() if key not in given and _is_other(key, value)}
        if of_task:
            data[name] = data[name].model_copy(update={"settings": laid_over(of_task, data[name].settings)})
    return study.model_copy(update={"data": data})


def check_configs(study: StudySettings, datasets: Mapping[str, Dataset]) -> dict[tuple[str, str], str]:
    """Check every arm on every data set, before anything is trained.

    Returns
    -------
    Why an arm cannot be used on a data set, by both, where it can be on another one: these runs fail.

    Raises
    ------
    ConfigError
        With every mistake at once, among them arms that can be used on no data set.
    """
    problems, refused = Problems("study"), dict[tuple[str, str], str]()
    selections: dict[str, str] = {}
    for name, dataset in datasets.items():
        tried: dict[str, list[str]] = {}
        for arm in study.arms:
            try:
                config = config_of(study, name, arm)
            except ConfigError as cause:
                problems.extend(messages_of(cause))
                continue
            selections[f"arms.{arm} on {name}"] = config.training.selection
            refused[name, arm] = "; ".join(problems_of(config, dataset.schema, tried))
    unfit = {pair: cause for pair, cause in refused.items() if cause}
    useless = [arm for arm in study.arms if all((name, arm) in unfit for name in datasets)]
    problems.extend(f"arms.{arm} on {name}: {cause}" for (name, arm), cause in unfit.items() if arm in useless)
    problems.extend(_mistakes_in_selection(selections))
    problems.raise_if_any(ConfigError)
    return unfit


def try_models(study: StudySettings, datasets: Mapping[str, Dataset]) -> None:
    """Try every model of the study on a few samples, each once.

    Raises
    ------
    ConfigError
        With everything that is wrong with one of them, and all arms that have it.
    DataError
        When a data set has no samples of a split.
    """
    problems = Problems("study")
    for name, dataset in datasets.items():
        for split in SPLITS:
            dataset.rows(split)
        configs = {arm: config_of(study, name, arm) for arm in study.arms}
        sharing: dict[str, list[str]] = {}
        for arm, config in configs.items():
            sharing.setdefault(config.model.model_dump_json(), []).append(arm)
        for arms in sharing.values():
            config = configs[arms[-1]]
            which = listed([f"arms.{arm}" for arm in arms])
            reader = BatchReader.of(dataset, config)
            problems.extend(f"{which} on {name}: {wrong}" for wrong in trial_mistakes(reader, config.model))
    problems.raise_if_any(ConfigError)


def resolved(configs: Mapping[tuple[str, str], Config]) -> dict[str, dict[str, Any]]:
    """All settings that decide the runs: those that every arm has alike, then what differs by data set and arm."""
    flat = {f"{data}/{arm}": flatten(config.deciding()) for (data, arm), config in configs.items()}
    first = next(iter(flat.values()))
    common = {key: value for key, value in first.items() if all(_has(own, key, value) for own in flat.values())}
    return {
        "common": common,
        **{name: {key: value for key, value in own.items() if key not in common} for name, own in flat.items()},
    }


def _is_other(key: str, value: str) -> bool:
    """Whether a value is another one than the default."""
    return bool(flatten(Config())[key] != value)


def _has(settings: Mapping[str, Any], key: str, value: Any) -> bool:
    return key in settings and settings[key] == value and type(settings[key]) is type(value)


def _is_of(key: str, own: set[str]) -> bool:
    """Whether a setting is one of these, or lies in one of their sections, or holds one of them."""
    return any(key == other or key.startswith(f"{other}.") or other.startswith(f"{key}.") for other in own)


def _mistakes_in_selection(selections: Mapping[str, str]) -> list[str]:
    if len(set(selections.values())) < 2:
        return []
    said = ", ".join(f"{name} by {selection}" for name, selection in selections.items())
    return [f"training.selection: arms are compared by one metric; these are picked by several: {said}"]
