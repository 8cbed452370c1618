"""fs and fm: functions that rise from 0 and say how much to re-sample (Wei et al., CVPR 2024).

fs maps 1 - phi of one modality of one sample to a number of copies; fm maps the normalised gap d in [0, 1] of
a modality to a probability. A family brings the parameters that it reads; `FAMILIES.register` adds another.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, cast

import numpy as np
import numpy.typing as npt
from pydantic import Field

from raymm.config.base import Settings
from raymm.config.choice import Choice, ChoiceOf
from raymm.config.registries import FAMILIES
from raymm.errors import ConfigError, TrainingError

__all__ = ["FAMILIES", "FM", "FS", "Family", "Function", "FunctionOfGap", "FunctionOfLack", "get_function"]

Numbers = npt.NDArray[np.float64]
Function = Callable[[Numbers], Numbers]

FS = ChoiceOf(FAMILIES, default="linear", key="family", defaults=(("scale", 2.0),))
"""fs where nothing is said: 2 x, the paper's three thresholds at n = 2."""

FM = ChoiceOf(FAMILIES, default="linear", key="family")
"""fm where nothing is said: x. Its values are probabilities, so its scale is 1."""

FunctionOfLack = Annotated[Choice, FS]
FunctionOfGap = Annotated[Choice, FM]


class Scaled(Settings):
    """Parameters of a family: a factor."""

    scale: float = Field(default=1.0, gt=0, description="factor; 2 where fs leaves it out")


class Bent(Scaled):
    """Parameters of a family that bends."""

    rate: float = Field(default=1.0, gt=0, description="how fast it bends")


class Power(Scaled):
    """Parameters of `power`."""

    exponent: float = Field(default=2.0, gt=0, description="power that it rises by")


class Stairs(Scaled):
    """Parameters of `step`."""

    steps: int = Field(default=2, ge=1, description="steps in a unit interval")


@dataclass(frozen=True)
class Family:
    """A family of functions.

    Attributes
    ----------
    value
        `(settings, x) -> y`, elementwise; rises from 0 at x = 0.
    Settings
        Its parameters.
    """

    value: Callable[[Any, Numbers], Numbers]
    Settings: type[Settings] = Settings


def get_function(choice: Choice) -> Function:
    """The function of a chosen family and its parameters.

    Calling it raises `TrainingError` when the values have another shape than x, or are negative or not finite.

    >>> get_function(FS.make())(np.array([0.0, 0.5, 1.0])).tolist()
    [0.0, 1.0, 2.0]
    """
    family: Family = FAMILIES.get(choice.name)

    def value(x: Numbers) -> Numbers:
        y: object = family.value(choice.settings, x)
        _check_values(choice.name, x, y)
        return cast("Numbers", y)

    return value


def _check_values(name: str, x: Numbers, y: object) -> None:
    where = f"family={name}"
    if not isinstance(y, np.ndarray) or y.shape != x.shape:
        found = f"an array {list(y.shape)}" if isinstance(y, np.ndarray) else f"a {type(y).__name__}"
        raise TrainingError(f"{where} returns {found} for numbers {list(x.shape)}; it must act elementwise")
    wrong = ~(np.isfinite(y) & (y >= 0)) & np.isfinite(x)
    if wrong.any():
        raise TrainingError(f"{where} is {y[wrong][0]} at x = {x[wrong][0]}; it must rise from 0 at x = 0")


def _adapt(found: Any, where: str) -> Family:
    """A family, or a function `(settings, x) -> y` with an attribute `Settings`."""
    if isinstance(found, Family):
        return found
    if callable(found):
        return Family(found, getattr(found, "Settings", Settings))
    raise ConfigError(f"{where} is a {type(found).__name__}; a family is a function (settings, x) -> y")


FAMILIES.adapt = _adapt


def _linear(settings: Scaled, x: Numbers) -> Numbers:
    """scale * x."""
    return settings.scale * x


def _power(settings: Power, x: Numbers) -> Numbers:
    """scale * x ** exponent."""
    return settings.scale * x**settings.exponent


def _tanh(settings: Bent, x: Numbers) -> Numbers:
    """scale * tanh(rate * x)."""
    return settings.scale * np.tanh(settings.rate * x)


def _exponential(settings: Bent, x: Numbers) -> Numbers:
    """scale * (exp(rate * x) - 1)."""
    return settings.scale * np.expm1(settings.rate * x)


def _logarithmic(settings: Bent, x: Numbers) -> Numbers:
    """scale * log(1 + rate * x)."""
    return settings.scale * np.log1p(settings.rate * x)


def _step(settings: Stairs, x: Numbers) -> Numbers:
    """scale times x rounded up to a multiple of 1 / steps."""
    return settings.scale * np.ceil(settings.steps * x - 1e-9) / settings.steps


_INTERVALS = ((0.0, 0.6, 1.0), (0.6, 1.1, 2.0), (1.1, np.inf, 3.0))
"""Copies in the open intervals of x = 1 - phi: phi in (0.4, 1), (-0.1, 0.4) and below -0.1."""


def _reference(settings: Settings, x: Numbers) -> Numbers:
    """1, 2 or 3 copies by the thresholds of the method's released code; at n = 2 the same as 2 x.

    The intervals are open: phi of exactly 0.4 or -0.1 gets no copy, which can happen from five modalities on.
    """
    del settings
    return np.sum([copies * ((low < x) & (x < high)) for low, high, copies in _INTERVALS], axis=0)


for _name, _family in {
    "linear": Family(_linear, Scaled),
    "power": Family(_power, Power),
    "tanh": Family(_tanh, Bent),
    "exponential": Family(_exponential, Bent),
    "logarithmic": Family(_logarithmic, Bent),
    "step": Family(_step, Stairs),
    "reference": Family(_reference),
}.items():
    FAMILIES.register(_name, _family)
