"""What methods and checks ask of a model without its weights: its width, its fusion, whether it has encoders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from raymm.config.registries import FUSIONS
from raymm.models.fusion.base import AdditiveFusion

if TYPE_CHECKING:
    from raymm.config.model import ModelConfig
    from raymm.models.multimodal import MultimodalModel

__all__ = ["NO_ENCODERS", "ModelTraits", "traits_of", "traits_of_raymm"]

NO_ENCODERS = (
    "the model has none: give it a ModuleDict `encoders` from each modality to a module, return a raymm.Model, or "
    "choose another method"
)


@dataclass(frozen=True)
class ModelTraits:
    """What is known of a model without its weights.

    Attributes
    ----------
    feature_size
        D: features of one modality.
    fusion
        Name of the fusion; "own" where it is none of the registry.
    sums
        Whether outputs begin with a sum of one term a modality.
    encoders
        Whether each modality has an encoder whose parameters can be told from the others.
    """

    feature_size: int
    fusion: str
    sums: bool
    encoders: bool = True


def traits_of(model: MultimodalModel) -> ModelTraits:
    """Traits of a model."""
    return ModelTraits(model.size, model.fusion_name, model.sums, model.has_encoders)


def traits_of_raymm(config: ModelConfig) -> ModelTraits:
    """Traits of a model of raymm's encoders and fusion; raises `ConfigError` where there is no such fusion."""
    build = FUSIONS.get(config.fusion.name, "model.fusion").build
    sums = isinstance(build, type) and issubclass(build, AdditiveFusion)
    return ModelTraits(config.feature_size, config.fusion.name, sums)
