"""Fusions by name."""

from collections.abc import Callable

from raymm.config import ModelConfig
from raymm.errors import ConfigError, did_you_mean
from raymm.models.fusion.base import Fusion

__all__ = ["FUSIONS", "build_fusion", "register_fusion"]

Builder = Callable[[int, int, ModelConfig], Fusion]

FUSIONS: dict[str, Builder] = {}


def register_fusion(name: str) -> Callable[[Builder], Builder]:
    """Register `builder(modalities, classes, config) -> Fusion`."""

    def add(builder: Builder) -> Builder:
        FUSIONS[name] = builder
        return builder

    return add


def build_fusion(modalities: int, classes: int, config: ModelConfig) -> Fusion:
    """The configured fusion; raises `ConfigError` with the nearest match for an unknown name."""
    if config.fusion not in FUSIONS:
        raise ConfigError(f"model.fusion: no fusion '{config.fusion}'; {did_you_mean(config.fusion, FUSIONS)}")
    return FUSIONS[config.fusion](modalities, classes, config)
