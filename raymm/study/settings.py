"""What a study is asked to do: data sets, arms, seeds, matching and tuning, as options or a study.yaml say it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator

from raymm.config.base import Settings
from raymm.config.mistakes import settings_mistakes
from raymm.config.registries import METHODS
from raymm.config.yaml_text import read_yaml
from raymm.errors import CheckpointError, ConfigError, Problems
from raymm.storage import layout
from raymm.storage.local_path import as_path, local_path

__all__ = [
    "FORMAT",
    "JOINT",
    "JOINT_MATCHED",
    "DataSettings",
    "Match",
    "StudySettings",
    "key_of",
    "parse_study",
    "read_study_file",
]

FORMAT = 1
"""Of the study.yaml of a folder."""

JOINT = "joint"
JOINT_MATCHED = "joint_matched"
"""Joint training at the budget of the other arms, beside `joint` as it is."""

Match = Literal["none", "rows", "encodings", "seconds", "cpu_seconds"]
"""`cpu_seconds`: processor time of the process that trains, which other work on the machine lengthens less."""

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}")
"""Names of arms and data sets, which are names of folders too."""

RESULTS = ("format", "key", "raymm", "resolved")
"""What the study.yaml of a folder holds beside the settings."""


class DataSettings(Settings):
    """A data set of a study: its folder, its digest where it is known, and settings for it alone."""

    path: str
    digest: str | None = None
    settings: dict[str, Any] = Field(default_factory=dict)

    @field_validator("path")
    @classmethod
    def _on_this_machine(cls, path: str) -> str:
        return str(as_path(path))


class StudySettings(Settings):
    """All that decides a study.

    Attributes
    ----------
    title
        For people.
    data
        Data sets by short name; a list of folders is read as well.
    arms
        Settings of each arm by its name, dotted or nested; a list of methods is read as well.
    seeds
        Seeds of the runs of each arm on each data set.
    match
        What every arm gets as much of as the arm `to` uses: rows, encodings or seconds of training.
    to
        None: `sample` where it is an arm, else the first arm that is not `joint`.
    tune
        Trials of every arm on each data set; 0: settings stay as they are.
    settings
        Settings that all runs share, by section.
    """

    title: str = ""
    data: dict[str, DataSettings] = Field(min_length=1)
    arms: dict[str, dict[str, Any]] = Field(min_length=1)
    seeds: tuple[int, ...] = Field(default=(0, 1, 2, 3, 4), min_length=1)
    match: Match = "none"
    to: str | None = None
    tune: int = Field(default=0, ge=0)
    settings: dict[str, Any] = Field(default_factory=dict)

    @field_validator("data", mode="before")
    @classmethod
    def _by_name(cls, given: Any) -> Any:
        if isinstance(given, list | tuple):
            given = _unique([(local_path(str(path)).absolute().name, str(path)) for path in given])
        if not isinstance(given, Mapping):
            return given
        _check_names(given)
        return {name: {"path": value} if isinstance(value, str) else value for name, value in given.items()}

    @field_validator("arms", mode="before")
    @classmethod
    def _with_methods(cls, given: Any) -> Any:
        if isinstance(given, list | tuple):
            pairs = [str(item).partition("=") for item in given]
            given = _unique([(name, method or name) for name, _, method in pairs])
        if not isinstance(given, Mapping):
            return given
        _check_names(given)
        return {name: _arm(name, value) for name, value in given.items()}

    @field_validator("seeds", mode="before")
    @classmethod
    def _numbers(cls, given: Any) -> Any:
        return seeds_of(given) if isinstance(given, str) else (given,) if isinstance(given, int) else given

    @field_validator("seeds")
    @classmethod
    def _differ(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(seeds)) < len(seeds):
            raise ValueError(f"{', '.join(map(str, seeds))} name a seed twice; each is one run of every arm")
        if min(seeds) < 0:
            raise ValueError(f"{min(seeds)} is no seed; they count from 0")
        return seeds


def seeds_of(text: str) -> tuple[int, ...]:
    """Seeds as people write them.

    >>> seeds_of("0-2,7")
    (0, 1, 2, 7)
    """
    seeds: list[int] = []
    for part in text.split(","):
        found = re.fullmatch(r"\s*(\d{1,9})\s*(?:-\s*(\d{1,9})\s*)?", part)
        if found is None or (found[2] and int(found[2]) < int(found[1])):
            raise ValueError(f"'{text}': write seeds as 0-4, or as 0,1,2")
        seeds += range(int(found[1]), int(found[2] or found[1]) + 1)
    return tuple(seeds)


def parse_study(values: Mapping[str, Any], where: str = "study") -> StudySettings:
    """Validate the settings of a study, complete with `to` and with `joint_matched`.

    Raises
    ------
    ConfigError
        With every mistake at once.
    """
    given = {key: value for key, value in values.items() if key not in RESULTS}
    try:
        settings = StudySettings.model_validate(given)
    except ValidationError as cause:
        Problems(where, settings_mistakes(cause, StudySettings)).raise_if_any(ConfigError)
        raise
    complete = settings.model_copy(update={"to": _target(settings), "arms": _with_matched_joint(settings)})
    Problems(where, _problems(complete, settings.to)).raise_if_any(ConfigError)
    return complete


def read_study_file(path: Path) -> dict[str, Any]:
    """The content of a study.yaml; raises `ConfigError` when it is no mapping."""
    values = read_yaml(path)
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: must be a mapping with data, arms and seeds, not {type(values).__name__}")
    return values


def key_of(study: Path, saved: Mapping[str, Any]) -> str:
    """The key in the study.yaml of a folder; raises `CheckpointError` where it has none, or is of a newer format."""
    file, key, number = study / layout.STUDY, saved.get("key"), saved.get("format", 1)
    if not isinstance(key, str) or not isinstance(number, int):
        raise CheckpointError(f"{file}: cannot be read (its key is missing); bring back a good copy")
    if number > FORMAT:
        raise CheckpointError(f"{file}: is of format {number}, this raymm reads {FORMAT}; update raymm")
    return key


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(
                f"'{name}' is named twice; give each a name of its own, as a mapping in a file for --from"
            )
    return dict(pairs)


def _check_names(given: Mapping[Any, Any]) -> None:
    for name in given:
        if not isinstance(name, str) or not NAME.fullmatch(name):
            raise ValueError(
                f"{name!r} cannot be a name; use 1 to 64 letters a-z, digits, _ . + -, as in MINE=package.module:NAME"
            )


def _arm(name: str, given: Any) -> Any:
    """The settings of an arm; one that is named as a method is of that method, unless it says otherwise."""
    if given is None or isinstance(given, str):
        return {"method": given or ("joint" if name == JOINT_MATCHED else name)}
    if not isinstance(given, Mapping) or any(key in given for key in ("method", "method.name")):
        return given
    named = {JOINT_MATCHED: JOINT}.get(name, name)
    return {"method": named, **given} if named in METHODS else given


def _target(settings: StudySettings) -> str | None:
    """The arm whose budget the others get."""
    if settings.match == "none" or settings.to is not None:
        return settings.to
    others = [name for name in settings.arms if name not in {JOINT, JOINT_MATCHED}]
    return "sample" if "sample" in settings.arms else next(iter(others), None)


def _with_matched_joint(settings: StudySettings) -> dict[str, dict[str, Any]]:
    """The arms; where they are matched, `joint` is there twice: as it is, and at the budget of the others."""
    arms = dict(settings.arms)
    if settings.match != "none" and JOINT in arms and JOINT_MATCHED not in arms and settings.to != JOINT:
        arms[JOINT_MATCHED] = dict(arms[JOINT])
    return arms


def _problems(settings: StudySettings, asked: str | None) -> list[str]:
    problems = []
    if settings.match == "none":
        if asked is not None:
            problems.append(
                f"to: '{asked}' gives its budget to no arm; say which by match (rows, encodings, seconds)"
            )
        if JOINT_MATCHED in settings.arms:
            problems.append(f"arms.{JOINT_MATCHED}: is at a budget; say which by match (rows, encodings, seconds)")
    elif settings.to not in settings.arms:
        known = ", ".join(settings.arms)
        problems.append(
            f"to: no arm '{settings.to}'; its budget would be that of all; arms: {known}"
            if settings.to
            else f"match: {settings.match}: which arm's budget? There is only {known}"
        )
    if settings.tune and settings.seeds[0] + 1000 in settings.seeds:
        tuned = settings.seeds[0] + 1000
        problems.append(f"seeds: {tuned} is the seed by which arms are tuned, the first and 1000; leave it out")
    return problems
