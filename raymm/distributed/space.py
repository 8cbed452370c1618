"""Search spaces: short Python functions that return `{dotted setting: ray.tune sampler or plain value}`.

A space is named by its file, "tune_spaces/fs_fm.py" or "tune_spaces/families.py:all_families", and loaded as Python
would run it: files beside it are imported by their names. So it works wherever the folder lies, also in the working
directory of a submitted job. Nothing but the driver loads it; trials get the sampled values.

A sampler may also draw whole sections, such as `"resampling": tune.grid_search([{"strategy": "joint"}, ...])`: that
is how a grid lists combinations that belong together.
"""

import math
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import module_from_spec, spec_from_file_location
from inspect import isfunction
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from ray.tune.search.sample import Categorical, Domain, Float, Function, Integer

from raymm.config import Config, flatten, parse
from raymm.errors import ConfigError, Problems, did_you_mean
from raymm.resampling import function, strategy
from raymm.studies.parameters import canonical

__all__ = ["load_space", "overlay", "resolve"]

PLAIN = (str, int, float, bool, type(None))
NOT_SEARCHED = {
    "training.seed": "every trial runs the same seeds; give --seeds",
    "training.selection": "scores of different trials could not be compared; give it on the command line",
    "training.keep": "it does not change a result; give it on the command line",
    "cluster": "it does not change a result; give it on the command line",
}


def load_space(spec: str) -> dict[str, Any]:
    """Load a space and check every key and every value that it can draw, before anything is trained.

    Parameters
    ----------
    spec
        "FILE.py" (its function has the name of the file) or "FILE.py:function".

    Returns
    -------
    Dotted settings to samplers (`tune.loguniform(...)`, `tune.grid_search([...])`, ...) or plain values.

    Raises
    ------
    ConfigError
        When file or function are missing or fail, or with everything that is wrong with the space at once.
    """
    space = _call(spec)
    problems = Problems(spec)
    if not isinstance(space, dict) or not space:
        raise ConfigError(f"{spec}: must return a dictionary of dotted settings, not {space!r}")
    owner: dict[str, str] = {}
    for key, value in space.items():
        try:
            drawn = [overlay({key: example}) for example in _examples(value)]
        except TypeError as cause:
            problems.add(f"{key}: {cause}")
            continue
        for message in dict.fromkeys(message for values in drawn for message in _wrong(values)):
            problems.add(message)
        for setting in {setting for values in drawn for setting in values}:
            if owner.setdefault(setting, key) != key:
                problems.add(f"{setting}: set by '{owner[setting]}' and by '{key}'; keep one")
    problems.raise_if_any(ConfigError)
    return space


def resolve(base: Config, sampled: Mapping[str, Any]) -> Config:
    """The configuration of a trial: sampled values laid over the base, validated and canonical.

    Raises
    ------
    ConfigError
        When a value does not fit the other settings, naming all that do not.
    """
    values = base.model_dump(mode="json")
    for key, value in overlay(sampled).items():
        _set(values, key, value)
    config = parse(values, "trial")
    problems = Problems("trial", _unknown_names(config))
    problems.raise_if_any(ConfigError)
    return canonical(config)


def overlay(sampled: Mapping[str, Any]) -> dict[str, str | int | float | bool | None]:
    """Sampled values by dotted setting: sections are opened, numbers of numpy become Python's.

    Raises
    ------
    TypeError
        When a value is neither plain nor a section of plain values.
    """
    flat: dict[str, str | int | float | bool | None] = {}
    for key, given in sampled.items():
        value = given.item() if isinstance(given, np.generic) else given
        if isinstance(value, Mapping):
            flat |= overlay({f"{key}.{name}": inner for name, inner in value.items()})
        elif isinstance(value, PLAIN):
            flat[key] = value
        else:
            raise TypeError(
                f"{value!r} is no sampler of ray.tune and no plain value (text, number, true, false, none)"
            )
    return flat
