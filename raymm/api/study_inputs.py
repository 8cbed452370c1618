"""What the arguments of `raymm.study` ask for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from raymm.api.settings import Given, given_settings, options_of
from raymm.api.shown import Placed
from raymm.api.study_data import places_by_name
from raymm.config.loading import Overrides
from raymm.data.opening import Data
from raymm.errors import ConfigError
from raymm.study.settings import StudySettings, parse_study, read_study_file

__all__ = ["study_settings"]


def study_settings(
    data: Data | Placed | Sequence[Data | Placed],
    arms: str | Sequence[str] | Mapping[str, Mapping[str, Any] | None],
    *,
    file: str | Path | None,
    config: Given,
    settings: Overrides,
    plugins: Sequence[str],
    noise: Mapping[str, float] | None,
    workers: int | None,
    **asked: Any,
) -> StudySettings:
    """The settings that the arguments of `study` make.

    Raises
    ------
    ConfigError
        For arguments that do not fit.
    """
    asked = {"data": places_by_name(data), "arms": _arms(arms), **asked}
    shared = {"config": config, "settings": settings, "plugins": plugins, "noise": noise, "workers": workers}
    if file is None:
        options = options_of(workers=workers, plugins=plugins, noise=noise)
        return _asked(asked, given_settings(config, settings, options))
    return _from_file(Path(file), [name for name, value in {**asked, **shared}.items() if value])


def _asked(asked: Mapping[str, Any], settings: Mapping[str, Any]) -> StudySettings:
    if not asked["data"] or not asked["arms"]:
        raise ConfigError("give data and arms, or file")
    given = {name: value for name, value in asked.items() if value is not None}
    seeds = given.get("seeds")
    if seeds is not None and not isinstance(seeds, str):
        given["seeds"] = list(seeds)
    return parse_study({**given, "settings": dict(settings)}, "study")


def _from_file(file: Path, given: Sequence[str]) -> StudySettings:
    if given:
        raise ConfigError(f"the file {file} has all settings of the study; leave out {', '.join(given)}")
    return parse_study(read_study_file(file), str(file))


def _arms(arms: str | Sequence[str] | Mapping[str, Mapping[str, Any] | None]) -> Any:
    if isinstance(arms, Mapping):
        return dict(arms)
    return [name.strip() for name in arms.split(",") if name.strip()] if isinstance(arms, str) else list(arms)
