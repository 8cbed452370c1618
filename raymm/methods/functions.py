"""fs and fm: functions that rise from 0 and say how much to re-sample (Wei et al., CVPR 2024).

fs maps 1 - phi of one modality of one sample to a number of copies; fm maps the normalised gap d in [0, 1] of
a modality to a probability. `register_family` adds another.
"""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from raymm.config import FunctionConfig
from raymm.errors import ConfigError, did_you_mean

__all__ = ["FAMILIES", "PARAMETERS", "Function", "function", "register_family"]

Numbers = npt.NDArray[np.float64]
Function = Callable[[Numbers], Numbers]
Family = Callable[[FunctionConfig, Numbers], Numbers]

FAMILIES: dict[str, Family] = {}
PARAMETERS: dict[str, tuple[str, ...]] = {}
"""Which settings of `FunctionConfig` each family reads."""


def register_family(name: str, *parameters: str) -> Callable[[Family], Family]:
    """Register `family(config, x)`, which must rise from 0 at x = 0; `parameters` are the settings it reads."""

    def add(family: Family) -> Family:
        FAMILIES[name] = family
        PARAMETERS[name] = parameters
        return family

    return add


def function(config: FunctionConfig, where: str = "family") -> Function:
    """The function that a configuration describes.

    Parameters
    ----------
    where
        The setting that names the family, for the message.

    Raises
    ------
    ConfigError
        When the family is unknown, with the nearest match.
    """
    if config.family not in FAMILIES:
        raise ConfigError(f"{where}: no family '{config.family}'; {did_you_mean(config.family, FAMILIES)}")
    family = FAMILIES[config.family]
    return lambda x: family(config, x)


@register_family("linear", "scale")
def linear(config: FunctionConfig, x: Numbers) -> Numbers:
    """scale * x; with scale 2 the paper's three thresholds at n = 2."""
    return config.scale * x


@register_family("power", "scale", "exponent")
def power(config: FunctionConfig, x: Numbers) -> Numbers:
    """scale * x ** exponent."""
    return config.scale * x**config.exponent


@register_family("tanh", "scale", "rate")
def tanh(config: FunctionConfig, x: Numbers) -> Numbers:
    """scale * tanh(rate * x)."""
    return config.scale * np.tanh(config.rate * x)


@register_family("exponential", "scale", "rate")
def exponential(config: FunctionConfig, x: Numbers) -> Numbers:
    """scale * (exp(rate * x) - 1)."""
    return config.scale * np.expm1(config.rate * x)


@register_family("logarithmic", "scale", "rate")
def logarithmic(config: FunctionConfig, x: Numbers) -> Numbers:
    """scale * log(1 + rate * x)."""
    return config.scale * np.log1p(config.rate * x)


@register_family("step", "scale", "steps")
def step(config: FunctionConfig, x: Numbers) -> Numbers:
    """scale times x rounded up to a multiple of 1 / steps."""
    return config.scale * np.ceil(config.steps * x - 1e-9) / config.steps
