"""Settings: typed sections, one YAML file, dotted overrides, unknown keys refused with the nearest match."""

from raymm.config.settings import (
    ClusterConfig,
    Config,
    EncoderConfig,
    FunctionConfig,
    ModalityFunctionConfig,
    ModelConfig,
    OptimizerConfig,
    ResamplingConfig,
    TrainingConfig,
    ValuationConfig,
    ViewConfig,
    flatten,
    load,
    parse,
)

__all__ = [
    "ClusterConfig",
    "Config",
    "EncoderConfig",
    "FunctionConfig",
    "ModalityFunctionConfig",
    "ModelConfig",
    "OptimizerConfig",
    "ResamplingConfig",
    "TrainingConfig",
    "ValuationConfig",
    "ViewConfig",
    "flatten",
    "load",
    "parse",
]
