"""Which settings of a configuration decide a run, and the one form that all equal runs share.

A setting that nobody reads (tanh's rate where fs is linear, all of fs where no strategy reads it) would make
equal runs look different. `canonical` puts such settings back to their defaults, so that equal runs have equal
fingerprints; `parameters` leaves them out, so that no table shows them. What is read is declared where strategies
and families are registered.
"""

from collections.abc import Iterable
from typing import Any

from raymm.config import Config, FunctionConfig, flatten, parse
from raymm.methods import strategy
from raymm.methods.functions import PARAMETERS
from raymm.methods.strategies import OWN_SETTINGS, READS

__all__ = ["Parameter", "canonical", "parameters"]

Parameter = str | int | float | bool | None

SWITCHED = (
    ("optimizer.name", {"adam", "adamw"}, ("optimizer.momentum",)),
    ("optimizer.schedule", {"constant", "cosine"}, ("optimizer.step_epochs", "optimizer.step_factor")),
    ("valuation.method", {"exact"}, ("valuation.budget", "valuation.refine")),
    ("view.augment", {False}, ("view.shift", "view.crop", "view.flip")),
)
"""Outside re-sampling: a setting, the values under which others are not read, and these."""


def canonical(config: Config) -> Config:
    """The same run with every setting that it does not read at its default.

    Raises
    ------
    ConfigError
        When the strategy is unknown.

    Examples
    --------
    >>> from raymm.config import load
    >>> plain = load(None, ("resampling.strategy=joint",))
    >>> canonical(load(None, ("resampling.strategy=joint", "resampling.fs.scale=3"))) == canonical(plain)
    True
    """
    values, defaults = config.model_dump(mode="json"), Config().model_dump(mode="json")
    for key in _unread(config):
        *sections, leaf = key.split(".")
        _section(values, sections)[leaf] = _section(defaults, sections)[leaf]
    return parse(values)


def parameters(config: Config) -> dict[str, Parameter]:
    """`{"resampling.fs.family": "tanh", ...}`: flat settings, defaults included, without those that are not read."""
    unread = _unread(config)
    return {key: value for key, value in flatten(config).items() if key not in unread}


def _unread(config: Config) -> set[str]:
    """Dotted keys that do not matter to this run."""
    flat = flatten(config)
    unread = {key for switch, values, keys in SWITCHED if flat[switch] in values for key in keys}
    if strategy(config.resampling.strategy)[1] == "nothing":
        return unread | (_under(flat, "resampling") - {"resampling.strategy"})
    reads = set(READS[config.resampling.strategy])
    if "random_rows" in reads and config.resampling.random_rows is not None:
        reads.discard("fs")  # it only says how many rows there are when `random_rows` does not
    for name in OWN_SETTINGS:
        key = f"resampling.{name}"
        if name not in reads:
            unread |= _under(flat, key)
    for name, function in (("fs", config.resampling.fs), ("fm", config.resampling.fm)):
        idle = set(FunctionConfig.model_fields) - {"family", *PARAMETERS.get(function.family, ())}
        unread |= {f"resampling.{name}.{parameter}" for parameter in idle}
    return unread


def _under(keys: Iterable[str], section: str) -> set[str]:
    """The section itself where it is a setting, or all that is in it."""
    return {key for key in keys if key == section or key.startswith(f"{section}.")}


def _section(values: dict[str, Any], path: list[str]) -> dict[str, Any]:
    for name in path:
        values = values[name]
    return values
