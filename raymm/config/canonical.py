"""Which settings of a configuration decide a run, and the one form that all equal runs share.

Settings of parts that are not chosen are not in a configuration at all (`raymm.config.choice`). What is left are
switches: settings that others make idle, such as SGD's momentum under Adam. `canonical` puts idle settings back to
their defaults, so that equal runs have equal fingerprints; `parameters` leaves them out, so that no table shows them.
"""

from collections.abc import Iterable
from typing import Any

from raymm.config.base import flatten
from raymm.config.loading import parse
from raymm.config.own_parts import own_part
from raymm.config.registries import METHODS
from raymm.config.sections import Config
from raymm.config.switches import idle_by_switch
from raymm.errors import ConfigError

__all__ = ["Parameter", "canonical", "parameters"]

Plain = str | int | float | bool | None
Parameter = Plain | list[Plain]
"""The value of a setting: a plain one, or a list of them."""


def canonical(config: Config) -> Config:
    """The same run with every setting that it does not read at its default.

    Examples
    --------
    >>> from raymm.config import load
    >>> plain = load(None, ("method=joint",))
    >>> canonical(load(None, ("method=joint", "method.every=3"))) == canonical(plain)
    True
    """
    values, defaults = config.model_dump(mode="json"), _defaults(config)
    for key in _unread(config):
        *sections, leaf = key.split(".")
        inner = _section(defaults, sections)
        if leaf in inner:
            _section(values, sections)[leaf] = inner[leaf]
        else:
            _section(values, sections).pop(leaf, None)
    return parse(values)


def parameters(config: Config) -> dict[str, Parameter]:
    """`{"training.epochs": 30, ...}`: flat settings, defaults included, without those that are not read."""
    unread = _unread(config)
    return {key: value for key, value in flatten(config).items() if key not in unread and key != "plugins"}


def _unread(config: Config) -> set[str]:
    """Dotted keys that do not matter to this run."""
    flat = flatten(config)
    unread = set(idle_by_switch(flat))
    method = METHODS.get(config.method.name)
    if method.needs == "nothing":
        unread |= {"method.warmup", "method.every", "method.row_budget"}
    with own_part(method, "idle", ConfigError):
        for name in method.idle(config.method.settings):
            unread |= _under(flat, f"method.settings.{name}")
    return unread


def _defaults(config: Config) -> dict[str, Any]:
    """The defaults of the sections, and of the settings of the parts that are chosen."""
    chosen = {"method": {"name": config.method.name}, "model": {"fusion": config.model.fusion.name}}
    return parse(chosen).model_dump(mode="json")


def _under(keys: Iterable[str], section: str) -> set[str]:
    """The section itself where it is a setting, or all that is in it."""
    return {key for key in keys if key == section or key.startswith(f"{section}.")}


def _section(values: dict[str, Any], path: list[str]) -> dict[str, Any]:
    for name in path:
        values = values[name]
    return values
