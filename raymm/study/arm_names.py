"""Names of the arms of runs that were not made as a study: the method, and the settings in which its runs differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

from raymm.config.base import flatten
from raymm.config.canonical import parameters
from raymm.sweep.labels import brief, short_names

if TYPE_CHECKING:
    from raymm.config.canonical import Parameter
    from raymm.config.sections import Config

__all__ = ["ArmName", "arm_names"]

METHOD = "method.name"
SEED = "training.seed"
Settings = Mapping[str, "Parameter"]


@dataclass(frozen=True)
class ArmName:
    """The arm of a run.

    Attributes
    ----------
    name
        Such as "sample" or "sample fs.scale=2".
    note
        Settings in which runs of this method agree and differ from others, such as "lr=0.01"; may be empty.
    """

    name: str
    note: str


def arm_names(configs: Sequence[Config], data: Sequence[str]) -> list[ArmName]:
    """The arm of each run.

    A run is named by its method. Settings in which runs of one method differ on the same data set follow in the name;
    those in which only runs of different methods do are said beside it. The seed, and what decides no number, do not
    count; a setting that one run does not read is no difference.

    Parameters
    ----------
    configs, data
        Settings and data set of each run.
    """
    settings = [_deciding(config) for config in configs]
    made = _named(settings, data)
    cells = zip((arm.name for arm in made), data, map(repr, settings), strict=True)
    different = set(cells)
    alike = len({(arm, name) for arm, name, _ in different}) < len(different)
    return _named(settings, data, with_absent=True) if alike else made


def _named(settings: Sequence[Settings], data: Sequence[str], *, with_absent: bool = False) -> list[ArmName]:
    """The names; in `with_absent` also by settings that only some runs of a method have, as noise of a modality."""
    within = {
        str(method): _differing(*_of_method(settings, data, method), with_absent)
        for method in {each[METHOD] for each in settings}
    }
    differing = set(_differing(settings, data)).union(*within.values()) - {METHOD}
    short = short_names([key for key in dict.fromkeys(chain(*settings)) if key in differing])
    made = []
    for each in settings:
        method = str(each[METHOD])
        named = [key for key in short if key in within[method] and key in each]
        beside = [key for key in short if key not in within[method] and key in each]
        name = " ".join([method, *_written(each, named, short)])
        made.append(ArmName(name, ", ".join(_written(each, beside, short))))
    return made


def _deciding(config: Config) -> Settings:
    """The settings that the run reads and that decide its numbers, but for its seed."""
    deciding = flatten(config.deciding())
    return {key: value for key, value in parameters(config).items() if key in deciding and key != SEED}


def _differing(settings: Sequence[Settings], data: Sequence[str], with_absent: bool = False) -> list[str]:
    """Settings that have two values on one data set, in the order of the configuration; absence may be one."""
    found: dict[tuple[str, str], set[str | None]] = {}
    keys = dict.fromkeys(key for each in settings for key in each)
    for each, name in zip(settings, data, strict=True):
        for key in keys if with_absent else each:
            found.setdefault((key, name), set()).add(repr(each[key]) if key in each else None)
    return [key for key in keys if any(len(values) > 1 for (of, _), values in found.items() if of == key)]


def _of_method(
    settings: Sequence[Settings], data: Sequence[str], method: Parameter
) -> tuple[list[Settings], list[str]]:
    pairs = [(each, name) for each, name in zip(settings, data, strict=True) if each[METHOD] == method]
    return [each for each, _ in pairs], [name for _, name in pairs]


def _written(settings: Settings, keys: Sequence[str], short: Mapping[str, str]) -> list[str]:
    return [f"{short[key]}={brief(settings[key])}" for key in keys]
