"""The settings that a call would use, as YAML."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from raymm.config.loading import parse
from raymm.config.yaml_dialect import yaml_text
from raymm.models.export import load_model, model_folder
from raymm.models.valued import with_valuation
from raymm.study.configs import config_of, resolved
from raymm.tasks.defaults import BY_TASK

if TYPE_CHECKING:
    from pathlib import Path

    from raymm.config.sections import Config
    from raymm.study.settings import StudySettings

__all__ = ["config_yaml", "study_yaml", "valuation_config"]


def config_yaml(config: Config) -> str:
    """A configuration as a file for `--config`, which is read back to the same one.

    Every setting is in it, but for those that are not given and that the task of the data decides: writing a default
    would give it.

    >>> from raymm.config.sections import Config
    >>> config_yaml(Config()).splitlines()[0]
    '# by the task of the data: valuation.utility, training.selection'
    """
    values, left = config.model_dump(mode="json"), []
    for key in BY_TASK:
        section, _, name = key.partition(".")
        if name not in getattr(config, section).model_fields_set:
            del values[section][name]
            left.append(key)
    note = f"# by the task of the data: {', '.join(left)}\n" if left else ""
    return note + yaml_text(values)


def study_yaml(settings: StudySettings) -> str:
    """All settings of a study as a file for `--from`, and those of each arm on each data set, not read back.

    Raises
    ------
    ConfigError
        When settings of an arm do not fit.
    """
    configs = {(data, arm): config_of(settings, data, arm) for data in settings.data for arm in settings.arms}
    values = {**settings.model_dump(mode="json"), "resolved": resolved(configs)}
    return yaml_text(values, allow_unicode=True)


def valuation_config(checkpoint: Path | None, valuation: Mapping[str, Any]) -> Config:
    """The settings of a valuation: those of a run, or of a custom model, with others of the section `valuation`.

    Parameters
    ----------
    checkpoint
        Folder of a finished run or of an exported model; None of a custom model.

    Raises
    ------
    CheckpointError, ConfigError
        When there is no model, or settings do not fit.
    """
    if checkpoint is None:
        return parse({"valuation": dict(valuation)}, "valuation")
    return with_valuation(load_model(model_folder(checkpoint)).config, valuation)
