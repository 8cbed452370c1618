"""Objects of one's own, named as "package.module:name" so that every process of a cluster finds them."""

from importlib import import_module
from typing import Any

from raymm.errors import ConfigError, did_you_mean

__all__ = ["load_object"]


def load_object(spec: str, field: str) -> Any:
    """Import what `spec` names; `field` is the setting or option that said so.

    Raises
    ------
    ConfigError
        When the module cannot be imported or has no such name.
    """
    module_name, colon, name = spec.partition(":")
    if not colon or not module_name or not name:
        raise ConfigError(f"{field}: '{spec}' must be written as package.module:name")
    try:
        module = import_module(module_name)
    except ImportError as cause:
        raise ConfigError(
            f"{field}: module '{module_name}' cannot be imported ({cause}); it must be installed, or lie in the "
            "folder that the command is run from, on every machine"
        ) from cause
    if not hasattr(module, name):
        known = [word for word in vars(module) if not word.startswith("_")]
        raise ConfigError(f"{field}: module '{module_name}' has no '{name}'; {did_you_mean(name, known)}")
    return getattr(module, name)
