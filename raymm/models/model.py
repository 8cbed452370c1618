"""How a model is built for a schema: of raymm's encoders and fusions, or by a builder of one's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

import torch

from raymm.config.registries import MODELS
from raymm.errors import ConfigError, Problems, did_you_mean, mistakes_in
from raymm.models.encoders.registry import build_encoder, share_settings
from raymm.models.fusion.registry import build_fusion
from raymm.models.multimodal import MultimodalModel, PartsModel, check_modalities
from raymm.models.traits import ModelTraits, traits_of, traits_of_raymm
from raymm.seeds import derive

if TYPE_CHECKING:
    from torch import nn

    from raymm.config.model import EncoderConfig, ModelConfig
    from raymm.data.kinds.base import ModalitySpec, Statistics
    from raymm.data.schema import Schema
    from raymm.models.fusion.base import Fusion
    from raymm.tasks.base import Task

__all__ = ["MultimodalModel", "build_model", "check_probabilities", "model_mistakes", "traits_of_settings", "unnamed"]


def build_model(
    schema: Schema, config: ModelConfig, seed: int, statistics: Mapping[str, Statistics] | None = None
) -> MultimodalModel:
    """A model whose initial weights are a function of `seed` alone; the global generator is left as it was.

    `statistics` are those of the data by modality, which encoders with `normalise=weights` need; without them such an
    encoder gives NaN until a state is loaded.

    Raises
    ------
    ConfigError
        When an encoder or fusion is unknown or does not fit, settings name no modality, or the builder of one's own
        raises something or returns no model.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(derive(seed, "model"))
        build = _built_in if config.build is None else MODELS.get(config.build, "model.build")
        model: MultimodalModel = build(schema, config)
        model.configure(config)
    if statistics is not None:
        model.set_statistics(statistics)
    return model


def model_mistakes(schema: Schema, config: ModelConfig) -> list[str]:
    """Everything that keeps this model from being built; each part is tried by itself, so that all are found."""
    if config.build is None and config.args:
        names = ", ".join(f"model.args.{name}" for name in config.args)
        return [f"{names}: arguments of a model of one's own; name its builder by model.build (--model)"]
    if config.build is not None:
        return mistakes_in(lambda: build_model(schema, config, seed=0))
    shared: dict[str, EncoderConfig] = {}
    found = mistakes_in(lambda: _check_encoders(schema, config))
    found += mistakes_in(lambda: check_modalities(schema.names, config))
    found += mistakes_in(lambda: shared.update(share_settings(config.encoder, unnamed(schema, config))))
    builders: list[Callable[[], nn.Module]] = [*_encoders_of(schema, config, shared).values()]
    builders.append(partial(_fusion_of, schema, config))
    with torch.random.fork_rng(devices=[]):
        for build in builders:
            found += mistakes_in(build)
    return found


def traits_of_settings(schema: Schema, config: ModelConfig) -> ModelTraits:
    """Traits of the model that settings choose; one of one's own is built for it, once a process.

    Raises
    ------
    ConfigError
        When it cannot be built, or there is no such fusion.
    """
    if config.build is None:
        return traits_of_raymm(config)
    key = (MODELS.get(config.build, "model.build"), config.model_dump_json(), schema.model_dump_json())
    if key not in _OF_OWN:
        _OF_OWN[key] = traits_of(build_model(schema, config, seed=0))
    return _OF_OWN[key]


_OF_OWN: dict[tuple[object, str, str], ModelTraits] = {}
"""Traits by the builder, its settings and the schema: a model of one's own has to be built to know them."""


def check_probabilities(task: Task, config: ModelConfig) -> None:
    """Refuse what corrects or weighs probabilities, where the outputs of a task are none.

    Raises
    ------
    ConfigError
        Naming the setting.
    """
    if task.categorical:
        return
    no = f"the task {task.name} has no probabilities"
    if config.calibrate != "none":
        raise ConfigError(f"model.calibrate={config.calibrate}: {no} that could be calibrated; leave it out")
    if config.build is None and config.fusion.name == "entropy":
        raise ConfigError(
            f"model.fusion=entropy: {no} whose entropy says how sure a modality is; use fusion=ensemble"
        )


def unnamed(schema: Schema, config: ModelConfig) -> list[ModalitySpec]:
    """Modalities whose encoder has no settings of its own; none where the model is one's own."""
    return [] if config.build else [spec for spec in schema.modalities if spec.name not in config.encoders]


def _built_in(schema: Schema, config: ModelConfig) -> MultimodalModel:
    """Raymm's encoders, then its fusion: in this order, since they draw from one generator."""
    _check_encoders(schema, config)
    check_modalities(schema.names, config)
    builders = _encoders_of(schema, config, share_settings(config.encoder, unnamed(schema, config)))
    encoders = {name: build() for name, build in builders.items()}
    fusion = _fusion_of(schema, config)
    return PartsModel(schema.names, encoders, fusion, config.feature_size, config.fusion.name)


def _encoders_of(
    schema: Schema, config: ModelConfig, shared: Mapping[str, EncoderConfig]
) -> dict[str, Callable[[], nn.Module]]:
    """What builds the encoder of each modality that has settings, its own or `shared` ones."""
    chosen = {**shared, **config.encoders}
    return {
        spec.name: partial(build_encoder, spec, chosen[spec.name], config.feature_size)
        for spec in schema.modalities
        if spec.name in chosen
    }


def _fusion_of(schema: Schema, config: ModelConfig) -> Fusion:
    return build_fusion(len(schema.names), schema.outputs, config.feature_size, config.fusion)


def _check_encoders(schema: Schema, config: ModelConfig) -> None:
    problems = Problems("model.encoders")
    for name in config.encoders:
        if name not in schema.names:
            problems.add(f"no modality '{name}'; {did_you_mean(name, schema.names)}")
    problems.raise_if_any(ConfigError)
