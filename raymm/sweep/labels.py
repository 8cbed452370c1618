"""How the searched settings of trials, and their values, are written in tables and plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from raymm.config.base import flatten
from raymm.config.sections import Config

if TYPE_CHECKING:
    from raymm.config.canonical import Parameter
    from raymm.sweep.rows import TrialRow

__all__ = ["brief", "plain", "settings_text", "short_names", "varied"]


def varied(rows: Sequence[TrialRow]) -> list[str]:
    """Settings in which the trials differ, in the order of the configuration; not to read one is a difference too."""
    order = list(flatten(Config()))
    found = {name for row in rows for name in row.params}
    keys = [*(key for key in order if key in found), *sorted(found.difference(order))]
    return [key for key in keys if len({repr(row.params.get(key, "")) for row in rows}) > 1]


def short_names(keys: Sequence[str]) -> dict[str, str]:
    """Each key without its section, `fs.family` for `method.settings.fs.family`, unless two would then be alike."""
    short = [_short(key) for key in keys]
    return {key: name if short.count(name) == 1 else key for key, name in zip(keys, short, strict=True)}


def _short(key: str) -> str:
    """`lr` for `optimizer.lr`, `method` for `method.name`: without the section, and a part by what it is."""
    if key in {"method.name", "model.fusion.name"}:
        return key.removesuffix(".name").rpartition(".")[2]
    settings = "method.settings."
    return key.removeprefix(settings) if key.startswith(settings) else key.partition(".")[2] or key


def plain(value: Parameter) -> str | int | float:
    """A value as people write it in a configuration.

    >>> plain(None), plain(0.5), plain(["audio", "video"])
    ('none', 0.5, '[audio, video]')
    """
    if value is None:
        return "none"
    if isinstance(value, list):
        return f"[{', '.join(str(plain(one)) for one in value)}]"
    return str(value).lower() if isinstance(value, bool) else value


def brief(value: Parameter) -> str:
    """A value in a few characters, for tables."""
    return f"{value:.3g}" if isinstance(value, float) else str(plain(value))


def settings_text(params: Mapping[str, Parameter], names: Mapping[str, str]) -> str:
    """Those settings of a trial that have a name here (`short_names`): "method sample, lr 0.01"."""
    return ", ".join(f"{name} {brief(params[key])}" for key, name in names.items() if key in params)
