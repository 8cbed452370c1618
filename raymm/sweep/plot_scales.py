"""Where the values of searched settings lie on an axis, whether they are numbers or names."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.ticker import MaxNLocator

from raymm.config import Config, flatten
from raymm.config.canonical import Parameter
from raymm.sweep.rows import TrialRow

__all__ = ["Scale", "brief", "plain", "scale_of", "short_names", "varied"]

FEW = 5
"""Numbers that are as few as this are drawn as names, at even distances."""
ORDERS = 10.0
"""Positive numbers whose largest is this many times the smallest are drawn on a logarithmic axis."""
NONE, UNREAD = -0.14, -0.28


@dataclass(frozen=True)
class Scale:
    """An axis from 0 to 1, with places below 0 for "none" and for trials that do not read the setting.

    Attributes
    ----------
    places
        Of each trial.
    ticks
        Place and label.
    names
        Whether the places are names rather than numbers.
    """

    places: list[float]
    ticks: list[tuple[float, str]]
    names: bool


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
    """A value as people write it in a configuration."""
    if value is None:
        return "none"
    return str(value).lower() if isinstance(value, bool) else value


def brief(value: Parameter) -> str:
    """A value in a few characters, for tables."""
    return f"{value:.3g}" if isinstance(value, float) else str(plain(value))


def scale_of(rows: Sequence[TrialRow], key: str) -> Scale:
    """The axis of one setting over these trials."""
    values = [row.params[key] for row in rows if key in row.params]
    numbers = [value for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
    continuous = len(set(numbers)) > FEW and len(numbers) + values.count(None) == len(values)
    places = _continuous(numbers) if continuous else _even(values)
    if continuous and None in values:
        places[None] = NONE
    ticks = _ticks(numbers) if continuous else [(place, brief(value)) for value, place in places.items()]
    if continuous and None in values:
        ticks.append((NONE, "none"))
    if len(values) < len(rows):
        ticks.append((UNREAD, "not read"))
    found = [places[row.params[key]] if key in row.params else UNREAD for row in rows]
    return Scale(found, ticks, names=not continuous)


def _even(values: Sequence[Parameter]) -> dict[Parameter, float]:
    """Names at even distances: numbers by size, then words by the alphabet, then none."""
    distinct = set(values)
    words = sorted(value for value in distinct if isinstance(value, str))
    numbers = sorted(value for value in distinct if isinstance(value, int | float))
    ordered: list[Parameter] = [*numbers, *words, *([None] if None in distinct else [])]
    step = 1 / max(len(ordered) - 1, 1)
    return {value: position * step if len(ordered) > 1 else 0.5 for position, value in enumerate(ordered)}


def _continuous(numbers: Sequence[float]) -> dict[Parameter, float]:
    low, high = min(numbers), max(numbers)
    if _logarithmic(low, high):
        return {value: math.log(value / low) / math.log(high / low) for value in numbers}
    return {value: (value - low) / (high - low) for value in numbers}


def _ticks(numbers: Sequence[float]) -> list[tuple[float, str]]:
    low, high = min(numbers), max(numbers)
    if _logarithmic(low, high):
        decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        leading = (1, 3) if high / low > 100 else (1, 2, 5)
        shown = [digit * 10.0**decade for decade in decades for digit in leading]
        return [(math.log(v / low) / math.log(high / low), f"{v:g}") for v in shown if low <= v <= high]
    shown = [float(value) for value in MaxNLocator(4).tick_values(low, high)]
    return [((value - low) / (high - low), f"{value:g}") for value in shown if low <= value <= high]


def _logarithmic(low: float, high: float) -> bool:
    return low > 0 and high / low >= ORDERS
