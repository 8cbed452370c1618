"""Encoders by name, with the kinds of modality that each can read."""

from collections.abc import Callable

from torch import nn

from raymm.config import EncoderConfig
from raymm.data.schema import ModalitySpec
from raymm.errors import ConfigError, did_you_mean

__all__ = ["ENCODERS", "build_encoder", "register_encoder"]

Builder = Callable[[ModalitySpec, EncoderConfig, int], nn.Module]

ENCODERS: dict[str, tuple[Builder, tuple[str, ...]]] = {}


def register_encoder(name: str, *kinds: str) -> Callable[[Builder], Builder]:
    """Register `builder(spec, config, feature_size) -> module` for these kinds of modality."""

    def add(builder: Builder) -> Builder:
        ENCODERS[name] = (builder, kinds)
        return builder

    return add


def build_encoder(spec: ModalitySpec, config: EncoderConfig, feature_size: int) -> nn.Module:
    """The encoder of one modality.

    Raises
    ------
    ConfigError
        When the name is unknown, or the encoder cannot read this kind, or its weights do not fit.
    """
    name = config.name or spec.default_encoder
    where = f"model.encoders.{spec.name}.name"
    if name not in ENCODERS:
        raise ConfigError(f"{where}: no encoder '{name}'; {did_you_mean(name, ENCODERS)}")
    builder, kinds = ENCODERS[name]
    if spec.kind not in kinds and name not in {spec.default_encoder, *spec.encoders}:
        raise ConfigError(f"{where}: '{name}' reads {', '.join(kinds)}; '{spec.name}' is {spec.kind}")
    if config.weights is not None and name != "resnet18":
        raise ConfigError(f"model.encoders.{spec.name}.weights: '{name}' takes none; only resnet18 does")
    return builder(spec, config, feature_size)
