"""The registries of raymm: every part that is chosen by a name in the settings.

They stand here, below the packages whose parts they hold, so that settings can be checked against them. What a part
is, and how a name becomes one, is for the package above: `raymm.models.encoders`, `raymm.methods`, ...
"""

from typing import Any

from raymm.config.registry import Registry

__all__ = ["ENCODERS", "FAMILIES", "FUSIONS", "KINDS", "METHODS", "TASKS", "UTILITIES"]

KINDS: Registry[Any] = Registry("kind of modality", "raymm.data.kinds")
ENCODERS: Registry[Any] = Registry("encoder", "raymm.models.encoders")
FUSIONS: Registry[Any] = Registry("fusion", "raymm.models.fusion")
METHODS: Registry[Any] = Registry("method", "raymm.methods")
FAMILIES: Registry[Any] = Registry("family of fs and fm", "raymm.methods.functions")
UTILITIES: Registry[Any] = Registry("utility", "raymm.valuation.utilities")
TASKS: Registry[Any] = Registry("task", "raymm.tasks")
