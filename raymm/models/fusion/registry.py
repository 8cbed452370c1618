"""Fusions by name."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from raymm.config.base import Settings
from raymm.config.choice import Choice
from raymm.config.registries import FUSIONS
from raymm.errors import ConfigError
from raymm.models.building import module_of
from raymm.models.fusion.base import Fusion

__all__ = ["FUSIONS", "FusionPart", "build_fusion", "register_fusion"]

Builder = Callable[[int, int, int, Any], Fusion]
"""`(modalities, outputs, feature_size, settings) -> fusion`: a subclass of `Fusion`, or a function."""


@dataclass(frozen=True)
class FusionPart:
    """A fusion in the registry: what builds it, and the class of its settings."""

    build: Builder
    Settings: type[Settings] = Settings


def register_fusion(name: str, settings: type[Settings] = Settings) -> Callable[[Any], Any]:
    """Register `builder(modalities, outputs, feature_size, settings) -> Fusion`, and return it as it is."""

    def add(builder: Any) -> Any:
        FUSIONS.register(name, FusionPart(builder, settings))
        return builder

    return add


def build_fusion(modalities: int, outputs: int, feature_size: int, choice: Choice) -> Fusion:
    """The chosen fusion; raises `ConfigError` with the nearest match for an unknown name."""
    part: FusionPart = FUSIONS.get(choice.name, "model.fusion")
    where = f"model.fusion={choice.name}"
    found: Fusion = module_of(lambda: part.build(modalities, outputs, feature_size, choice.settings), where)
    return found


def _adapt(found: Any, where: str) -> FusionPart:
    """A `FusionPart`, or a builder with an attribute `Settings`."""
    if isinstance(found, FusionPart):
        return found
    if callable(found):
        return FusionPart(found, getattr(found, "Settings", Settings))
    raise ConfigError(f"{where} is a {type(found).__name__}; a fusion is a subclass of raymm.models.fusion.Fusion")


FUSIONS.adapt = _adapt
