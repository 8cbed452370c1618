"""The base of every class of settings, which says what does not fit, and their flat form."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, field_validator

__all__ = ["Checked", "Settings", "SettingsError", "Whole", "below", "flatten"]


class SettingsError(ValueError):
    """Settings of a chosen part that do not fit; pydantic carries it outwards, `raymm.config.mistakes` reads it.

    Attributes
    ----------
    section, cause
        The class of the settings, and what pydantic found wrong with them.
    key
        The field beside them that holds the part's name; empty where that stands elsewhere.
    """

    def __init__(self, section: type[BaseModel], cause: ValidationError, key: str = "") -> None:
        super().__init__(str(cause))
        self.section = section
        self.cause = cause
        self.key = key


class Checked(BaseModel):
    """Base of classes of settings: wrong arguments raise `ConfigError`, with every mistake in words.

    What is read from elsewhere goes through `model_validate`, whose `ValidationError` its reader puts into words, who
    knows the file.
    """

    def __init__(self, /, **arguments: Any) -> None:
        try:
            super().__init__(**arguments)
        except ValidationError as cause:
            self._refuse(cause)
            raise

    __init__.__pydantic_base_init__ = True  # type: ignore[attr-defined]  # validation of a nested class leaves it out

    @classmethod
    def _refuse(cls, cause: ValidationError) -> None:
        """Raise `ConfigError` with what pydantic found wrong."""
        import_module("raymm.config.mistakes").refuse_arguments(cls, cause)  # which imports this module


class Settings(Checked):
    """Base of every section and of every part's settings: frozen, finite, unknown names refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*")
    @classmethod
    def _can_be_meant(cls, value: Any) -> Any:
        if isinstance(value, str) and any("\ud800" <= letter <= "\udfff" for letter in value):
            raise ValueError(f"{value!a} holds half of a character, which is no text")
        return below(2**64, value)  # the largest seed


def below(limit: int, value: Any) -> Any:
    """The value of a field; raises `ValueError` for a whole number from `limit` on, which no array or seed can be of.

    >>> below(2**64, 2**64)
    Traceback (most recent call last):
    ValueError: 18446744073709551616 is too large; at most 18446744073709551615 can be meant
    """
    if isinstance(value, int) and value >= limit:
        raise ValueError(f"{value} is too large; at most {limit - 1} can be meant")
    return value


@dataclass(frozen=True)
class Whole:
    """Marks a field whose mapping is one value, as its keys, such as patterns or names of classes, may have dots."""


def flatten(config: BaseModel | Mapping[str, Any]) -> dict[str, str | int | float | bool | None]:
    """`{"optimizer.lr": 0.001, ...}`: dotted keys to plain values, defaults included."""
    flat: dict[str, str | int | float | bool | None] = {}
    nested = config.model_dump(mode="json") if isinstance(config, BaseModel) else config
    for key, value in nested.items():
        _flatten_into(flat, key, value)
    return flat


def _flatten_into(flat: dict[str, Any], key: str, value: object) -> None:
    if isinstance(value, dict):
        for name, inner in value.items():
            _flatten_into(flat, f"{key}.{name}", inner)
    else:
        flat[key] = value
