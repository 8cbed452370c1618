"""What pydantic finds wrong with settings, in words."""

from collections.abc import Callable, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError

from raymm.errors import briefly, did_you_mean

__all__ = ["mistake_in_words", "settings_mistakes"]


def mistake_in_words(error: Any, unknown: Callable[[Sequence[str]], str], prefix: Sequence[str] = ()) -> str:
    """One of pydantic's mistakes, as "KEY: why".

    Parameters
    ----------
    error
        An item of `ValidationError.errors()`.
    unknown
        What is said of a setting that there is not, by where it stands.
    prefix
        Where the settings stand themselves.
    """
    here = [str(part) for part in error["loc"]]
    key = ".".join([*prefix, *here])
    if error["type"] == "extra_forbidden":
        return f"{key}: {unknown(here)}"
    message: str = error["msg"].removeprefix("Value error, ")
    if not key:
        return message
    said = error["type"] in {"value_error", "missing"}  # what lacks a field is everything around it
    return f"{key}: {message}" + ("" if said else f" (got {briefly(error['input'])})")


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
    ['size: Input should be greater than or equal to 1 (got 0)', "sise: no such setting; did you mean 'size'?"]
    """
    said = f"{owner} has no such setting" if owner else "no such setting"

    def unknown(here: Sequence[str]) -> str:
        return f"{said}; {did_you_mean('.'.join(here), settings.model_fields)}"

    return [mistake_in_words(error, unknown) for error in cause.errors()]
