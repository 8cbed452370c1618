"""The settings of a call: a configuration in any form, and what is laid over it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from raymm.config.argument_lists import texts_in
from raymm.config.given import given_in
from raymm.config.loading import Overrides, lay_over, parse, read_settings
from raymm.config.own_code import name_of_builder
from raymm.config.sections import Config
from raymm.errors import ConfigError

__all__ = ["Fields", "Given", "config_of", "given_settings", "listed", "named", "options_of", "written"]

log = logging.getLogger(__name__)

Fields = Sequence[str] | Mapping[str, Any]
"""Settings of modalities, tasks and sources: `("rgb.height=64", ...)`, or `{"rgb.height": 64}`."""

Given = Config | Mapping[str, Any] | str | Path | None
"""A configuration, nested or dotted settings, the path of a YAML file, or None for the defaults."""


def config_of(given: Given, settings: Overrides = (), options: Mapping[str, Any] | None = None) -> Config:
    """The validated configuration of a call.

    Parameters
    ----------
    given
        What is laid over by `options`, and these by `settings`.
    settings
        As `Config.override` takes them.
    options
        Arguments that stand for settings, by dotted name; None where one was not given.

    Raises
    ------
    ConfigError
        With every mistake at once.
    """
    where = str(given) if isinstance(given, str | Path) else "configuration"
    return parse(given_settings(given, settings, options), where, drop=log.warning)


def given_settings(
    given: Given, settings: Overrides = (), options: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """What `config_of` validates: nested settings."""
    chosen = {name: value for name, value in (options or {}).items() if value is not None}
    return lay_over(_nested(given), chosen, settings)


def options_of(
    *,
    method: str | None = None,
    model: Callable[..., Any] | str | None = None,
    seed: int | None = None,
    epochs: int | None = None,
    workers: int | None = None,
    plugins: Sequence[str] = (),
    noise: Mapping[str, float] | None = None,
) -> dict[str, Any]:
    """The settings that arguments of several functions stand for, by dotted name; None where one was not given.

    >>> given = options_of(epochs=5, noise={"audio": -10})
    >>> {name: value for name, value in given.items() if value is not None}
    {'training.epochs': 5, 'view.noise_db.audio': -10}
    """
    return {
        "method.name": method,
        "model.build": None if model is None else name_of_builder(model),
        "training.seed": seed,
        "training.epochs": epochs,
        "cluster.workers": workers,
        "plugins": named(plugins) or None,
        **{f"view.noise_db.{name}": level for name, level in (noise or {}).items()},
    }


def named(plugins: Sequence[str]) -> list[str]:
    """Plug-ins, of which one may be given by itself."""
    return list(texts_in(plugins, "plugins", "modules, .py files or folders"))


def listed(modalities: str | Sequence[str] | Mapping[str, str] | None) -> str | None:
    """Names and kinds as the command line has them: `name` or `name:kind`, with commas."""
    if modalities is None or isinstance(modalities, str):
        return modalities
    if not isinstance(modalities, Mapping):
        return ",".join(texts_in(modalities, "modalities", "names and kinds such as 'pose:vector'"))
    wrong = [f"'{name}' is {kind!r}" for name, kind in modalities.items() if not isinstance(kind, str)]
    if wrong:
        raise ConfigError(f"modalities: the kind of {', of '.join(wrong)}; give its name, such as 'vector'")
    pairs = (f"{name}={kind}" if ":" in kind else f"{name}:{kind}" for name, kind in modalities.items())
    return ",".join(pairs)


def written(fields: Fields, called: str = "settings") -> tuple[str, ...]:
    """Settings as the command line has them: `field=value`, the value as in YAML."""
    if isinstance(fields, Mapping):
        return tuple(f"{name}={_text(value, f'{called}: {name}')}" for name, value in fields.items())
    return texts_in(fields, called, "texts such as 'field=value', or a mapping from fields to values")


def _text(value: object, called: str) -> str:
    try:
        return str(value) if isinstance(value, str | Path) else json.dumps(value)
    except (TypeError, ValueError) as cause:
        raise ConfigError(f"{called} is a {type(value).__name__}, which is no setting ({cause})") from cause


def _nested(given: Given) -> dict[str, Any]:
    if isinstance(given, Config):
        return given_in(given)
    if isinstance(given, Mapping):
        return lay_over({}, given)
    if given is None or isinstance(given, str | PathLike):
        return read_settings(None if given is None else Path(given))
    raise ConfigError(
        f"config is a {type(given).__name__}: give a raymm.Config, a mapping of settings, or the path of a YAML file"
    )
