"""Settings: typed sections, parts by name, one YAML file, dotted overrides, plug-ins."""

from raymm.config.base import Settings, flatten
from raymm.config.choice import Choice, ChoiceOf
from raymm.config.loading import load, parse
from raymm.config.sections import (
    ClusterConfig,
    Config,
    EncoderConfig,
    MethodConfig,
    ModelConfig,
    OptimizerConfig,
    TrainingConfig,
    ValuationConfig,
    ViewConfig,
)

__all__ = [
    "Choice",
    "ChoiceOf",
    "ClusterConfig",
    "Config",
    "EncoderConfig",
    "MethodConfig",
    "ModelConfig",
    "OptimizerConfig",
    "Settings",
    "TrainingConfig",
    "ValuationConfig",
    "ViewConfig",
    "flatten",
    "load",
    "parse",
]
