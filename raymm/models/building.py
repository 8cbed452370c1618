"""How a part of a model is built, whoever wrote it."""

from collections.abc import Callable
from typing import Any

from torch import nn

from raymm.errors import ConfigError, RaymmError, in_one_line

__all__ = ["module_of"]


def module_of(build: Callable[[], Any], where: str) -> Any:
    """What a builder returns.

    Raises
    ------
    ConfigError
        When it raises something, or returns no torch module; `where` names the part.

    Examples
    --------
    >>> module_of(lambda: 3, "model.fusion=mine")
    Traceback (most recent call last):
    raymm.errors.ConfigError: model.fusion=mine: its builder returns a int; expected a torch.nn.Module
    """
    try:
        found = build()
    except (RaymmError, OSError):
        raise
    except Exception as cause:
        raise ConfigError(f"{where}: its builder raises {in_one_line(cause)}") from cause
    if not isinstance(found, nn.Module):
        raise ConfigError(f"{where}: its builder returns a {type(found).__name__}; expected a torch.nn.Module")
    return found
