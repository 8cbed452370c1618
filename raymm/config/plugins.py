"""Objects of one's own, named as "package.module:name" so that every process of a cluster finds them."""

from importlib import import_module
from pathlib import Path
from typing import Any

from raymm.errors import ConfigError, did_you_mean, in_one_line

__all__ = ["load_object"]


def load_object(spec: str, field: str) -> Any:
    """Import what `spec` names; `field` is the setting or option that said so.

    Raises
    ------
    ConfigError
        When there is no such module, importing it raises something, or it has no such name.
    """
    module_name, colon, name = spec.partition(":")
    if not colon or not module_name or not name:
        raise ConfigError(f"{field}: '{spec}' must be written as package.module:name")
    try:
        module = import_module(module_name)
    except Exception as cause:
        if isinstance(cause, ModuleNotFoundError) and f"{module_name}.".startswith(f"{cause.name}."):
            raise ConfigError(
                f"{field}: there is no module '{cause.name}', neither in the current folder ({Path.cwd()}) nor "
                "installed; on a cluster it must be on every machine"
            ) from cause
        raise ConfigError(
            f"{field}: module '{module_name}' is there, but importing it raises {in_one_line(cause)}"
        ) from cause
    if not hasattr(module, name):
        known = [word for word in vars(module) if not word.startswith("_")]
        raise ConfigError(f"{field}: module '{module_name}' has no '{name}'; {did_you_mean(name, known)}")
    return getattr(module, name)
