"""Encoders by name, with the kinds of modality that each can read."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from raymm.config.base import Settings, SettingsError
from raymm.config.choice import make_settings
from raymm.config.mistakes import settings_mistakes
from raymm.config.registries import ENCODERS
from raymm.data.kinds.base import ModalitySpec
from raymm.errors import ConfigError, Problems
from raymm.models.building import module_of

__all__ = ["ENCODERS", "EncoderPart", "build_encoder", "register_encoder", "share_settings", "unread_settings"]

WEIGHTS = "weights"
"""The setting of encoders that names a file of weights."""

Builder = Callable[[Any, Any, int], nn.Module]
"""`(spec, settings, feature_size) -> module`, which turns the inputs of a modality into features [b, D]."""


Chosen = Any
"""A `raymm.config.EncoderConfig`: the name of an encoder, or None, and `raw`, its settings."""


@dataclass(frozen=True)
class EncoderPart:
    """An encoder in the registry.

    Attributes
    ----------
    build
        `(spec, settings, feature_size) -> module`.
    kinds
        Kinds of modality that it can read; empty: any.
    Settings
        The class of its settings.
    """

    build: Builder
    kinds: tuple[str, ...] = ()
    Settings: type[Settings] = Settings


def register_encoder(
    name: str, *, kinds: tuple[str, ...] = (), settings: type[Settings] = Settings
) -> Callable[[Any], Any]:
    """Register `builder(spec, settings, feature_size) -> module`, and return it as it is."""

    def add(builder: Any) -> Any:
        ENCODERS.register(name, EncoderPart(builder, kinds, settings))
        return builder

    return add


def build_encoder(spec: ModalitySpec, config: Chosen, feature_size: int) -> nn.Module:
    """The encoder of one modality.

    Raises
    ------
    ConfigError
        When the name is unknown, or the encoder cannot read this kind, or its settings or weights do not fit.
    """
    where = f"model.encoders.{spec.name}"
    name = config.name or spec.default_encoder
    part: EncoderPart = ENCODERS.get(name, f"{where}.name")
    kinds = {spec.kind, type(spec).model_fields["kind"].default}  # also of a kind that is named by its place
    if part.kinds and kinds.isdisjoint(part.kinds) and name not in {spec.default_encoder, *spec.encoders}:
        raise ConfigError(f"{where}.name: '{name}' reads {', '.join(part.kinds)}; '{spec.name}' is {spec.kind}")
    settings = _settings(part, config.raw, where, name)
    built: nn.Module = module_of(lambda: part.build(spec, settings, feature_size), f"{where}.name={name}")
    return built


def share_settings(template: Chosen, specs: Sequence[ModalitySpec]) -> dict[str, Chosen]:
    """What the settings for modalities that are not named mean for each of them: those that its encoder has.

    A setting that none of these encoders has is left out; `unread_settings` names them.

    Raises
    ------
    ConfigError
        When it is a file of weights: training without it would be another experiment.
    """
    parts = _parts_of(template, specs)
    if message := _unread(template, parts).get(WEIGHTS):
        raise ConfigError(f"model.encoder: {message}")
    return {name: type(template)(name=template.name, **_shared(template, part)) for name, part in parts.items()}


def unread_settings(template: Chosen, specs: Sequence[ModalitySpec]) -> list[str]:
    """In words, the settings for modalities that are not named that no encoder of theirs has."""
    return [f"model.encoder.{message}" for message in _unread(template, _parts_of(template, specs)).values()]


def _parts_of(template: Chosen, specs: Sequence[ModalitySpec]) -> dict[str, EncoderPart]:
    """By modality, the encoder of each that is not named."""
    return {spec.name: ENCODERS.get(template.name or spec.default_encoder, "model.encoder.name") for spec in specs}


def _unread(template: Chosen, parts: Mapping[str, EncoderPart]) -> dict[str, str]:
    """By key, a sentence on each setting that none of the encoders has."""
    found = {}
    for key in template.raw:
        if parts and all(key not in part.Settings.model_fields for part in parts.values()):
            having = [name for name in ENCODERS if key in ENCODERS.get(name).Settings.model_fields]
            found[key] = f"{key}: no encoder of {', '.join(parts)} has it; {', '.join(having)} would"
    return found


def _shared(template: Chosen, part: EncoderPart) -> dict[str, Any]:
    return {key: value for key, value in template.raw.items() if key in part.Settings.model_fields}


def _settings(part: EncoderPart, raw: Mapping[str, Any], where: str, name: str) -> Settings:
    try:
        return make_settings(part, raw)
    except SettingsError as cause:
        mistakes = settings_mistakes(cause.cause, part.Settings, f"'{name}'")
        Problems(where, mistakes).raise_if_any(ConfigError)
        raise


def _adapt(found: Any, where: str) -> EncoderPart:
    """An `EncoderPart`, or a builder with attributes `Settings` and `kinds`."""
    if isinstance(found, EncoderPart):
        return found
    if callable(found):
        return EncoderPart(found, tuple(getattr(found, "kinds", ())), getattr(found, "Settings", Settings))
    raise ConfigError(f"{where} is a {type(found).__name__}; an encoder is a builder (spec, settings, feature_size)")


ENCODERS.adapt = _adapt
