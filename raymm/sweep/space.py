"""Search spaces: short Python functions that return `{dotted setting: ray.tune sampler or plain value}`.

A space is named by its file, "tune_spaces/fs_fm.py" or "tune_spaces/families.py:all_families"
(`raymm.sweep.space_file`). Nothing but the driver loads it; trials get the sampled values.

A sampler may also draw whole sections, such as `"method": tune.grid_search([{"name": "joint"}, ...])`: that
is how a grid lists combinations that belong together.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from ray.tune.search.sample import Categorical, Domain, Function

from raymm.config import Config, parse
from raymm.config.canonical import Parameter, canonical
from raymm.config.legacy import modern_key, put
from raymm.config.unread import reader_of
from raymm.errors import ConfigError, Problems
from raymm.sweep.space_file import call

__all__ = ["load_space", "overlay", "resolve"]

PLAIN = (str, int, float, bool, type(None))
NOT_SEARCHED = {
    "training.seed": "every trial trains the same seeds; give --seeds",
    "training.selection": "scores of different trials could not be compared; give it on the command line",
    "training.epochs": "trials could not be compared epoch by epoch; give it on the command line",
    "training.keep": "it changes no result; give it on the command line",
    "cluster": "it changes no result; give it on the command line",
}


def load_space(spec: str) -> dict[str, Any]:
    """Load a space and check every key, and the values that it can draw, before anything is trained.

    Parameters
    ----------
    spec
        "FILE.py" (the function has the name of the file) or "FILE.py:function".

    Returns
    -------
    Dotted settings to samplers (`tune.loguniform(...)`, `tune.grid_search([...])`, ...) or plain values.

    Raises
    ------
    ConfigError
        When file or function are missing or fail, or with everything that is wrong with the space at once.
    """
    space = call(spec)
    if not isinstance(space, dict) or not space:
        raise ConfigError(f"{spec}: must return a dictionary of dotted settings, and returned {space!r}")
    problems = Problems(spec)
    owner: dict[str, str] = {}
    for key, value in space.items():
        try:
            drawn = [overlay({key: example}) for example in _examples(value)]
        except TypeError as cause:
            problems.add(f"{key}: {cause}")
            continue
        pairs = [pair for values in drawn for pair in values.items()]
        for message in dict.fromkeys(message for name, plain in pairs for message in _wrong(name, plain)):
            problems.add(message)
        for name in dict(pairs):
            if owner.setdefault(name, key) != key:
                problems.add(f"{name}: set by '{owner[name]}' and by '{key}'; keep one")
    problems.raise_if_any(ConfigError)
    return space


def resolve(base: Config, sampled: Mapping[str, Any]) -> Config:
    """The configuration of a trial: sampled values laid over the base, validated and canonical.

    Raises
    ------
    ConfigError
        When values do not fit the other settings, naming all that do not.
    """
    values = base.model_dump(mode="json")
    for key, value in overlay(sampled).items():
        put(values, key.split("."), value)
    return canonical(parse(values, "trial", drop=lambda _: None))


def overlay(sampled: Mapping[str, Any]) -> dict[str, Parameter]:
    """Sampled values by dotted setting: sections are opened, numbers of numpy become Python's.

    Raises
    ------
    TypeError
        When a value is neither plain nor a section of plain values.
    """
    flat: dict[str, Parameter] = {}
    for key, given in sampled.items():
        value = given.item() if isinstance(given, np.generic) else given
        if isinstance(value, Mapping):
            flat |= overlay({f"{key}.{name}": inner for name, inner in value.items()})
        elif isinstance(value, PLAIN):
            flat[modern_key(str(key))] = value
        elif isinstance(value, Domain):
            raise TypeError(f"a sampler inside a value; write it at the top, as '{key}': tune...")
        else:
            raise TypeError(f"{value!r} is neither a sampler of ray.tune nor plain (text, number, true, false, none)")
    return flat


def _examples(value: object) -> list[Any]:
    """Values that a sampler can draw: all of a list, the ends of a range, else one draw."""
    if isinstance(value, Mapping) and set(value) == {"grid_search"}:
        return list(value["grid_search"])
    if isinstance(value, Function):
        raise TypeError("tune.sample_from cannot be written down; let tune.choice draw whole sections instead")
    if isinstance(value, Categorical):
        return list(value.categories)
    if not isinstance(value, Domain):
        return [value]
    ends = [getattr(value, name, math.inf) for name in ("lower", "upper")]
    return ends if all(map(math.isfinite, ends)) else [value.sample(random_state=0)]


def _wrong(key: str, value: Parameter) -> list[str]:
    """What is wrong with one setting, whatever the others are."""
    for name, reason in NOT_SEARCHED.items():
        if key == name or key.startswith(f"{name}."):
            return [f"{key}: cannot be searched: {reason}"]
    # whether warm-up leaves epochs to re-sample is for `resolve`, which knows the base configuration
    values = {**reader_of(key), "training": {"epochs": 10**6}}
    put(values, key.split("."), value)
    try:
        parse(values, "")
    except ConfigError as cause:
        first, *items = str(cause).split("\n  - ")
        return items or [first.removeprefix(": ")]
    return []
