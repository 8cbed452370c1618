"""Read a configuration: one YAML file, dotted overrides, unknown keys refused with the nearest match."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial
from importlib import import_module
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from raymm.config.aliases import meant_by
from raymm.config.base import Whole, flatten
from raymm.config.choice import marker, settings_in
from raymm.config.empty import without_empty
from raymm.config.given import given_in
from raymm.config.legacy import modern_key, modernise, put, say_unsaid
from raymm.config.mistakes import found_in, mistake_in_words
from raymm.config.plugins import absolute_plugins, copied_plugins, load_plugins
from raymm.config.sections import Config
from raymm.config.switches import idle_by_switch
from raymm.config.unread import drop_unread
from raymm.config.yaml_text import read_yaml, yaml_value
from raymm.errors import SHOWN, ConfigError, Problems, briefly, did_you_mean

__all__ = ["Overrides", "lay_over", "load", "mistakes_of", "override", "parse", "read_settings"]

log = logging.getLogger(__name__)

Overrides = Sequence[str] | Mapping[str, Any]
"""Settings in the place of others, see `lay_over`."""


def load(path: Path | None, overrides: tuple[str, ...] = ()) -> Config:
    """Read a YAML file (or start from the defaults) and apply dotted overrides.

    Names of 0.1.0 are accepted, and a line says what they are called now. A setting that the chosen part does not
    read, although another part would, is left out, and a line says so, as of one that another setting makes idle.

    Raises
    ------
    ConfigError
        With every mistake at once: unknown keys with the nearest match, values with what was expected.
    """
    where = "configuration" if path is None else str(path)
    given = read_settings(path, overrides)
    config = parse(given, where, drop=log.warning)
    flat, said = flatten(config), flatten(given)
    for key, switch in idle_by_switch(flat).items():
        if key in said:
            log.warning("%s: is not read with %s=%s, so it changes nothing", key, switch, flat[switch])
    return config


def read_settings(path: Path | None, overrides: tuple[str, ...] = ()) -> dict[str, Any]:
    """The nested settings that a YAML file and dotted overrides give, before they are validated.

    Raises
    ------
    ConfigError
        When the file is no mapping of sections, or an override is not written as one.
    """
    return lay_over({} if path is None else _read_yaml(path), overrides)


def lay_over(values: Mapping[str, Any], *overrides: Overrides) -> dict[str, Any]:
    """Nested settings with others in the place of some; neither is validated.

    Names of 0.1.0 become those of today, and a line says so.

    Parameters
    ----------
    overrides
        Each either dotted text as on the command line (`"training.epochs=5"`), or a mapping from dotted names or
        sections to values as they are; later ones win.

    Raises
    ------
    ConfigError
        When an override is not written as one, or leads through a plain value.

    Examples
    --------
    >>> lay_over({"training": {"epochs": 30, "seed": 1}}, ["training.epochs=5"], {"method": "joint"})
    {'training': {'epochs': 5, 'seed': 1}, 'method': 'joint'}
    """
    laid, met = modernise(dict(values))
    laid = without_empty(laid, Config)
    for given in overrides:
        for key, value, text in _pairs(given):
            _apply(laid, key, value, text, met)
    for old, new in dict(met).items():
        log.warning("%s is called %s now", old, new)
    if isinstance(plugins := laid.get("plugins"), list):
        laid["plugins"] = absolute_plugins([str(spec) for spec in plugins])
    return laid


def override(config: Config, settings: Sequence[str | Sequence[str] | Mapping[str, Any]]) -> Config:
    """A configuration with other values for some settings, see `Config.override`."""
    return parse(lay_over(given_in(config), *settings), drop=log.warning)


def parse(
    values: dict[str, Any],
    where: str = "configuration",
    drop: Callable[[str], object] | None = None,
    folder: Path | None = None,
) -> Config:
    """Validate a nested dictionary, after importing the plug-ins that it names.

    Parameters
    ----------
    values
        Settings by section, as `Config.model_dump` gives them, or as 0.1.0 wrote them.
    where
        What the mistakes are in, for the message.
    drop
        Leave out what the chosen parts do not read (and another part would) and call this with a sentence on each;
        default: refuse it, except in what 0.1.0 wrote.
    folder
        The folder of a run, sweep or model that the settings were saved in, with its copies of plug-ins; where they
        lack a setting that came later, they mean what was done before (`raymm.config.legacy.UNSAID`).

    Raises
    ------
    ConfigError
        With every mistake at once.
    """
    values, met = modernise(values)
    values = without_empty(values, Config)
    if folder is not None:
        say_unsaid(values)
    named = values.get("plugins") or ()
    if not isinstance(named, list | tuple) or not all(isinstance(spec, str) for spec in named):
        raise ConfigError(f"{where}: plugins: must be a list of names (got {briefly(named)})")
    if folder is not None and named:
        values["plugins"] = list(copied_plugins(values["plugins"], folder))
    load_plugins(values.get("plugins") or ())
    if drop is not None or met:
        for sentence in drop_unread(values, Config):
            (drop or log.debug)(sentence)
    try:
        return Config.model_validate(values)
    except ValidationError as cause:
        problems = Problems(where)
        problems.items += mistakes_of(cause)
        problems.raise_if_any(ConfigError)
        raise
    except UnicodeEncodeError as cause:
        beside = ascii(cause.object[max(0, cause.start - 40) : cause.end])
        raise ConfigError(f"{where}: a text in it holds half of a character, which is no text ({beside})") from cause


def _read_yaml(path: Path) -> dict[str, Any]:
    values = read_yaml(path) or {}
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: must be a mapping of sections, not {type(values).__name__}")
    return values


def _pairs(overrides: Overrides) -> Iterator[tuple[str, Any, str]]:
    """The dotted name of each override, its value, and how it was written."""
    if isinstance(overrides, Mapping):
        for name, value in _leaves(overrides):
            yield name, value, f"override {{'{name}': {value!r}}}"
        return
    for override in (overrides,) if isinstance(overrides, str) else overrides:
        key, equals, text = override.partition("=") if isinstance(override, str) else ("", "", "")
        if not equals or not key:
            raise ConfigError(
                f"override '{override}': write it as section.field=value, for example training.epochs=10"
            )
        yield key, yaml_value(text, f"override '{override}': the value"), f"override '{override}'"


def _leaves(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    """What stands in nested sections, by dotted names; an empty section is a value, and so is what is `Whole`."""
    for name, value in values.items():
        if isinstance(value, Mapping) and value and f"{above}{name}" not in WHOLE:
            yield from _leaves(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def _whole(section: type[BaseModel], above: str = "") -> Iterator[str]:
    """Dotted names of the settings that are marked as `Whole`."""
    for name, field in section.model_fields.items():
        if marker(field, Whole) is not None:
            yield f"{above}{name}"
        else:
            for inner in settings_in(field.annotation):
                yield from _whole(inner, f"{above}{name}.")


WHOLE = frozenset(_whole(Config))

DEEPEST = 32
"""Parts of a dotted name."""


def _apply(values: dict[str, Any], given: str, value: Any, text: str, met: list[tuple[str, str]]) -> None:
    """Put an override into the nested values; an old name goes to where it belongs now and is noted in `met`."""
    if given.count(".") >= DEEPEST:
        raise ConfigError(
            f"{text[:60]}...: a dotted name of {given.count('.') + 1} parts; a setting has {DEEPEST} at most"
        )
    key = modern_key(given)
    if key != given:
        met.append((given, key))
    try:
        put(values, key.split("."), value)
    except TypeError as cause:
        raise ConfigError(f"{text}: {cause}") from cause


def mistakes_of(cause: ValidationError) -> Iterator[str]:
    """Each mistake, those that are shown in words; the names of all settings are gathered once for them."""
    names = cache(import_module("raymm.config.catalogue").setting_names)  # imports every part: for a mistake only
    for number, (error, section, prefix, beside) in enumerate(found_in(cause, Config)):
        unknown = partial(_unknown, section=section, beside=beside, names=names)
        yield mistake_in_words(error, unknown, prefix) if number < SHOWN else error["type"]


def _unknown(here: Sequence[str], section: Any, beside: str, names: Callable[[], list[str]]) -> str:
    if "." in here[-1]:
        *above, last = here[-1].split(".")
        nested = "".join(f"{name}: {{" for name in above) + f"{last}: ...{'}' * len(above)}"
        return f"no such setting; in a file a setting stands in its section, not under a dotted name: {nested}"
    return f"no such setting; {_suggestion(here, section, beside, names)}"


def _suggestion(location: Sequence[str], section: Any, beside: str, names: Callable[[], list[str]]) -> str:
    """What may have been meant: a setting of this name elsewhere, what it is called here, or the nearest one here."""
    for part in location[:-1]:
        fields = getattr(section, "model_fields", {})
        section = next(settings_in(fields[part].annotation), None) if part in fields else section
    elsewhere = [key for key in names() if key.rpartition(".")[2] == location[-1]]
    if elsewhere or (meant := meant_by(location[-1])) is None:
        here = did_you_mean(location[-1], [*getattr(section, "model_fields", {}), *filter(None, [beside])])
        return f"did you mean {' or '.join(elsewhere)}?" if elsewhere else here
    return f"did you mean {meant}?"
