"""Search spaces: short Python functions that return `{dotted setting: ray.tune sampler or plain value}`.

A space is named by its file, "tune_spaces/fs_fm.py" or "tune_spaces/families.py:all_families"
(`raymm.sweep.space_file`). Nothing but the driver loads it; trials get the sampled values.

A sampler may also draw whole sections, such as `"method": tune.grid_search([{"name": "joint"}, ...])`: that
is how a grid lists combinations that belong together.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from ray.tune.search.sample import Categorical, Domain, Function, Integer, Quantized

from raymm.config.canonical import Parameter, canonical
from raymm.config.legacy import modern_key, put
from raymm.config.loading import parse
from raymm.config.method import MethodConfig
from raymm.config.sections import Config
from raymm.config.unread import reader_of
from raymm.errors import ConfigError, Problems, mistakes_in
from raymm.sweep.space_file import load_space_function
from raymm.training.run import problems_of

if TYPE_CHECKING:
    from raymm.data.schema import Schema

__all__ = ["load_space", "overlay", "plain_value", "resolve"]

Overlay = dict[str, Parameter]
"""Values by dotted setting."""

PLAIN = (str, int, float, bool, type(None))
LISTS = (list, tuple)
NOT_SEARCHED = {
    "training.seed": "every trial trains the same seeds; give --seeds",
    "training.selection": "scores of different trials could not be compared; give it on the command line",
    "training.epochs": "trials could not be compared epoch by epoch; give it on the command line",
    "training.keep": "it changes no result; give it on the command line",
    "training.loader_workers": "it changes no result; give it on the command line",
    "cluster": "it changes no result; give it on the command line",
}


def load_space(spec: str, base: Config | None = None, schema: Schema | None = None) -> dict[str, Any]:
    """Load a space and check every key, and the values that it can draw, before anything is trained.

    Parameters
    ----------
    spec
        "FILE.py" (the function has the name of the file) or "FILE.py:function".
    base, schema
        Settings that the space does not name, and the schema of the data, where they are known: each value is then
        also tried together with the other settings.

    Returns
    -------
    Dotted settings to samplers (`tune.loguniform(...)`, `tune.grid_search([...])`, ...) or plain values.

    Raises
    ------
    ConfigError
        When file or function are missing or fail, or with everything that is wrong with the space at once.
    """
    space = load_space_function(spec)
    if not isinstance(space, dict) or not space:
        raise ConfigError(f"{spec}: must return a dictionary of dotted settings, and returned {space!r}")
    problems = Problems(spec)
    sound: dict[str, list[Overlay]] = {}
    owner: dict[str, str] = {}
    for key, value in space.items():
        try:
            drawn = [overlay({key: example}) for example in _examples(value)]
        except TypeError as cause:
            problems.add(f"{key}: {cause}")
            continue
        mistakes = _mistakes_in_key(key, drawn, owner)
        problems.extend(mistakes)
        if not mistakes:
            sound[key] = drawn
    if base is not None and schema is not None:
        problems.extend(_mistakes_together(sound, base, schema))
    problems.raise_if_any(ConfigError)
    return space


def resolve(base: Config, sampled: Mapping[str, Any]) -> Config:
    """The configuration of a trial: sampled values laid over the base, validated and canonical.

    Raises
    ------
    ConfigError
        When values do not fit the other settings, naming all that do not.
    """
    return canonical(_laid_over(base, overlay(sampled), "trial"))


def overlay(sampled: Mapping[str, Any]) -> Overlay:
    """Sampled values by dotted setting: sections are opened, numbers of numpy become Python's, tuples lists.

    Raises
    ------
    TypeError
        When a value is neither plain, nor a list of plain values, nor a section of them.
    """
    flat: Overlay = {}
    for key, given in sampled.items():
        value = plain_value(given)
        if isinstance(value, Mapping):
            flat |= overlay({f"{key}.{name}": inner for name, inner in value.items()})
        elif isinstance(value, PLAIN) or (isinstance(value, list) and all(isinstance(one, PLAIN) for one in value)):
            flat[modern_key(str(key))] = value
        elif isinstance(value, Domain):
            raise TypeError(f"a sampler inside a value; write it at the top, as '{key}': tune...")
        else:
            raise TypeError(
                f"{value!r} is neither a sampler of ray.tune nor plain (text, number, true, false, none, or a list)"
            )
    return flat


def plain_value(value: Any) -> Any:
    """A drawn value as JSON has it: numbers of numpy as Python's, tuples as lists, also within sections.

    >>> plain_value({"modalities": ("a", "b"), "width": np.int64(8)})
    {'modalities': ['a', 'b'], 'width': 8}
    """
    if isinstance(value, Mapping):
        return {name: plain_value(inner) for name, inner in value.items()}
    if isinstance(value, LISTS):
        return [plain_value(one) for one in value]
    return value.item() if isinstance(value, np.generic) else value


def _examples(value: object) -> list[Any]:
    """Values that a sampler can draw: all of a list, the ends of a range, else one draw.

    Raises
    ------
    TypeError
        When it can draw none.
    """
    if isinstance(value, Mapping) and set(value) == {"grid_search"}:
        return _listed("grid_search", value["grid_search"])
    if isinstance(value, Function):
        raise TypeError("tune.sample_from cannot be written down; let tune.choice draw whole sections instead")
    if isinstance(value, Categorical):
        return _listed("choice", value.categories)
    if not isinstance(value, Domain):
        return [value]
    try:
        drawn = value.sample(random_state=0)
    except Exception as cause:  # of ray.tune or numpy, whatever they raise
        raise TypeError(
            f"{_range_text(value)} draws nothing ({' '.join(str(cause).split())}); give the lower end first"
        ) from cause
    ends = [getattr(value, name, math.inf) for name in ("lower", "upper")]
    if isinstance(value, Integer) and not isinstance(value.sampler, Quantized):
        ends[1] -= 1  # a range of integers has an open end, unless it is quantized
    return ends if all(map(math.isfinite, ends)) else [drawn]


def _listed(sampler: str, values: object) -> list[Any]:
    """What a list of choices holds; Tune takes nothing but a list for a grid."""
    if not isinstance(values, list):
        raise TypeError(f"tune.{sampler}({values!r}) is of no list; write tune.{sampler}([...])")
    if not (found := list(values)):
        raise TypeError(f"tune.{sampler}([]) has nothing to draw; give it at least one value")
    return found


def _range_text(value: Domain) -> str:
    """A sampler with its ends, as far as it has them."""
    ends = [str(getattr(value, name)) for name in ("lower", "upper") if hasattr(value, name)]
    return f"a sampler from {' to '.join(ends)}" if len(ends) == 2 else f"a {type(value).__name__}"


def _mistakes_in_key(key: str, drawn: Sequence[Overlay], owner: dict[str, str]) -> list[str]:
    """What is wrong with the values of one key of the space; `owner`, the key that sets each setting, is added to."""
    pairs = {(name, repr(value)): value for values in drawn for name, value in values.items()}
    found = (mistake for (name, _), value in pairs.items() for mistake in _mistakes_in_setting(name, value))
    mistakes = list(dict.fromkeys(found))
    settings = dict.fromkeys(name for name, _ in pairs)
    taken = [name for name in settings if owner.setdefault(name, key) != key]
    return [*mistakes, *(f"{name}: set by '{owner[name]}' and by '{key}'; keep one" for name in taken)]


def _mistakes_in_setting(key: str, value: Parameter) -> list[str]:
    """What is wrong with one setting, whatever the others are."""
    for name, reason in NOT_SEARCHED.items():
        if key == name or key.startswith(f"{name}."):
            return [f"{key}: cannot be searched: {reason}"]
    # whether warm-up leaves epochs to re-sample is for `resolve`, which knows the base configuration
    values = {**reader_of(key, Config), "training": {"epochs": 10**6}}
    put(values, key.split("."), value)
    mistakes = mistakes_in(lambda: parse(values, ""))
    choice = "; to draw one of a list, write tune.choice([...])" if isinstance(value, list) else ""
    return [f"{mistake}{choice}" for mistake in mistakes]


def _mistakes_together(sound: Mapping[str, Sequence[Overlay]], base: Config, schema: Schema) -> list[str]:
    """What is wrong with each value beside the first values of the other keys and the base, and not with the base.

    Samplers are independent of each other, so all of these configurations can be drawn.
    """
    first = {name: value for values in sound.values() for name, value in values[0].items()}
    points = [{**first, **value} for values in sound.values() for value in values]
    tried: dict[str, list[str]] = {}
    of_base = problems_of(base, schema, tried)
    found = dict.fromkeys(mistake for point in points for mistake in _mistakes(base, point, schema, tried))
    return [mistake for mistake in found if mistake not in of_base]


def _mistakes(base: Config, point: Overlay, schema: Schema, tried: dict[str, list[str]]) -> list[str]:
    made: list[Config] = []
    refused = mistakes_in(lambda: made.append(_laid_over(base, point, "")))
    return refused or problems_of(made[0], schema, tried)


def _laid_over(base: Config, point: Overlay, where: str) -> Config:
    values = base.model_dump(mode="json")
    if point.get("method.name", base.method.name) != base.method.name:
        values["method"]["settings"] = _given_settings(base.method)
    for key, value in point.items():
        put(values, key.split("."), value)
    return parse(values, where, drop=lambda _: None)


def _given_settings(method: MethodConfig) -> dict[str, Any]:
    """Settings of a method that are not its defaults: another method has defaults of its own under the same names."""
    settings = method.model_dump(mode="json")["settings"]
    defaults = MethodConfig(name=method.name).model_dump(mode="json")["settings"]
    return {name: value for name, value in settings.items() if value != defaults[name]}
