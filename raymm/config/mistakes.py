"""What pydantic finds wrong with settings, in words."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from pydantic import BaseModel, ValidationError

from raymm.config.base import SettingsError
from raymm.config.words import OF_LISTS, as_settings, wrong_value
from raymm.errors import ConfigError, Problems, briefly, did_you_mean

__all__ = ["ArgumentError", "found_in", "mistake_in_words", "refuse_arguments", "settings_mistakes"]


SAID = ("value_error", "assertion_error", "missing")
"""Types of mistakes whose words have the value in them; what lacks a field is everything around it."""


class ArgumentError(ConfigError, ValueError):
    """Arguments of a class of settings do not fit; a `ValueError` too, which pydantic carries out of validators."""


def refuse_arguments(settings: type[BaseModel], cause: ValidationError) -> None:
    """Raise `ArgumentError` with what pydantic found wrong with the arguments of a class of settings."""
    Problems(settings.__name__, settings_mistakes(cause, settings)).raise_if_any(ArgumentError)


def found_in(
    cause: ValidationError, section: Any, prefix: tuple[str, ...] = (), beside: str = ""
) -> Iterator[tuple[Any, Any, tuple[str, ...], str]]:
    """Each mistake, also within the settings of a chosen part: the class of the settings, and where they stand."""
    for error in as_settings(cause.errors(), section):
        inner = (error.get("ctx") or {}).get("error")
        if isinstance(inner, SettingsError):
            yield from found_in(inner.cause, inner.section, (*prefix, *map(str, error["loc"])), inner.key)
        else:
            yield error, section, prefix, beside


def mistake_in_words(error: Any, unknown: Callable[[Sequence[str]], str], prefix: Sequence[str] = ()) -> str:
    """One of pydantic's mistakes, as "KEY: why".

    Parameters
    ----------
    error
        An item of `ValidationError.errors()`, or of `raymm.config.words.as_settings`.
    unknown
        What is said of a setting that there is not, by where it stands.
    prefix
        Where the settings stand themselves.
    """
    here = [str(part) for part in error["loc"]]
    key = ".".join([*prefix, *here])
    if error["type"] == "extra_forbidden":
        return f"{key}: {unknown(here)}"
    message: str = error.get("words") or wrong_value(error)
    if not key:
        return message
    given = error["input"]
    said = error["type"] in SAID or (error["type"] in OF_LISTS and isinstance(given, str))
    got = "" if said else f" (got {'null' if given is None else briefly(given)})"
    return f"{key}: {message}{got}{_how_to_write(error, given)}"


def _how_to_write(error: Any, given: Any) -> str:
    """What YAML takes a word for that was meant otherwise."""
    if error.get("nullable") and isinstance(given, str) and given.lower() in {"none", "nil"}:
        return "; no value is written null"
    is_word = error["type"] == "string_type" and isinstance(given, bool | int | float)
    return "; YAML takes it for text where it stands in quotes" if is_word else ""


def settings_mistakes(cause: ValidationError, settings: type[BaseModel], owner: str = "") -> list[str]:
    """What is wrong with the settings of a part, each mistake in words; `owner` names the part in them.

    >>> from pydantic import Field
    >>> from raymm.config.base import Settings
    >>> class Mine(Settings):
    ...     size: int = Field(default=2, ge=1)
    >>> try:
    ...     Mine.model_validate({"size": 0, "sise": 3})
    ... except ValidationError as cause:
    ...     settings_mistakes(cause, Mine)
    ['size: must be 1 or more (got 0)', "sise: no such setting; did you mean 'size'?"]
    """
    said = f"{owner} has no such setting" if owner else "no such setting"

    def unknown(section: Any, here: Sequence[str]) -> str:
        return f"{said}; {did_you_mean('.'.join(here), section.model_fields)}"

    found = found_in(cause, settings)
    return [mistake_in_words(error, partial(unknown, section), prefix) for error, section, prefix, _ in found]
