"""The configuration of a run, typed and frozen: a bad setting ends a run in its first second.

Each section has a module of its own. A part that is chosen by name (encoder, fusion, method, family) brings the
settings that only it reads (`raymm.config.choice`); what stands in the sections is read whatever parts are chosen.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any, Self

from pydantic import Field, ValidationError, model_validator

from raymm.config.base import Settings
from raymm.config.cluster import ClusterConfig
from raymm.config.method import MethodConfig, read_one_alone, shorten_default_warmup
from raymm.config.mistakes import ArgumentError
from raymm.config.model import EncoderConfig, ModelConfig
from raymm.config.optimizer import OptimizerConfig
from raymm.config.own_code import with_code_of_model
from raymm.config.registries import METHODS
from raymm.config.training import TrainingConfig
from raymm.config.valuation import ValuationConfig
from raymm.config.view import ViewConfig
from raymm.config.yaml_dialect import yaml_text
from raymm.errors import ConfigError, Problems

__all__ = [
    "ClusterConfig",
    "Config",
    "EncoderConfig",
    "MethodConfig",
    "ModelConfig",
    "OptimizerConfig",
    "TrainingConfig",
    "ValuationConfig",
    "ViewConfig",
    "shorten_default_warmup",
]


class Config(Settings):
    """A training run, whole."""

    view: ViewConfig = Field(default_factory=ViewConfig)
    model: ModelConfig = Field(default_factory=ModelConfig)
    method: MethodConfig = Field(default_factory=MethodConfig)
    valuation: ValuationConfig = Field(default_factory=ValuationConfig)
    optimizer: OptimizerConfig = Field(default_factory=OptimizerConfig)
    training: TrainingConfig = Field(default_factory=TrainingConfig)
    cluster: ClusterConfig = Field(default_factory=ClusterConfig)
    plugins: tuple[str, ...] = Field(
        default=(),
        description="modules, .py files, or folders of packages, that register parts or make the model; imported by "
        "every process of a run",
    )

    @model_validator(mode="before")
    @classmethod
    def _code_of_the_model(cls, values: Any) -> Any:
        try:
            return with_code_of_model(values) if isinstance(values, Mapping) else values
        except ConfigError as cause:
            raise ValueError(f"{cause}") from cause

    @model_validator(mode="before")
    @classmethod
    def _modality_that_is_alone(cls, values: Any) -> Any:
        return read_one_alone(values) if isinstance(values, Mapping) else values

    @model_validator(mode="before")
    @classmethod
    def _warmup_that_was_not_given(cls, values: Any) -> Any:
        return shorten_default_warmup(values) if isinstance(values, Mapping) else values

    @model_validator(mode="after")
    def _warmup_leaves_epochs(self) -> Self:
        after = self.training.epochs - self.method.warmup
        if METHODS.get(self.method.name).needs != "nothing" and after <= 0:
            raise ValueError(
                f"method.warmup={self.method.warmup} leaves no epoch of training.epochs={self.training.epochs} to "
                "re-sample; lower it or train longer"
            )
        return self

    @model_validator(mode="after")
    def _rise_leaves_epochs(self) -> Self:
        if self.optimizer.warmup_steps is None and float(self.optimizer.warmup) >= self.training.epochs:
            raise ValueError(
                f"optimizer.warmup={self.optimizer.warmup} leaves no epoch of training.epochs={self.training.epochs} "
                "at the full rate; shorten it or train longer"
            )
        return self

    @classmethod
    def _refuse(cls, cause: ValidationError) -> None:
        """Raise `ConfigError` with what pydantic found wrong, and settings elsewhere that may have been meant."""
        reading = import_module("raymm.config.loading")  # which imports this module
        Problems("configuration", reading.mistakes_of(cause)).raise_if_any(ArgumentError)

    @property
    def acts_from(self) -> int:
        """First epoch, from 0, whose rows the method may choose; 0 for a method without a plan."""
        return 0 if METHODS.get(self.method.name).needs == "nothing" else self.method.warmup

    def override(self, *settings: str | Sequence[str] | Mapping[str, Any]) -> Self:
        """The configuration with other values for some settings, validated like any.

        Use it in the place of pydantic's `model_copy(update=...)`, which validates nothing and so may return what is
        no valid configuration.

        Parameters
        ----------
        settings
            Dotted text as on the command line, or mappings from dotted names, or from sections, to values. What the
            chosen parts do not read is left out, and a line says so.

        Raises
        ------
        ConfigError
            With every mistake at once.

        Examples
        --------
        >>> config = Config(training={"epochs": 30})
        >>> config.override("training.epochs=5", {"optimizer.lr": 0.01}).training.epochs
        5
        >>> config.override("training.epoch=5")
        Traceback (most recent call last):
        raymm.errors.ConfigError: configuration: training.epoch: no such setting; did you mean 'epochs'?
        """
        reading = import_module("raymm.config.loading")  # which imports this module
        config: Self = reading.override(self, settings)
        return config

    def deciding(self) -> dict[str, Any]:
        """Everything that decides the numbers, as plain values by section."""
        return self.model_dump(
            mode="json", exclude={"cluster": True, "plugins": True, "training": set(TrainingConfig.UNDECISIVE)}
        )

    def fingerprint(self) -> str:
        """Twelve hex digits that are equal when everything that decides the numbers is equal."""
        text = json.dumps(self.deciding(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def to_yaml(self) -> str:
        """The whole configuration, defaults included."""
        return yaml_text(self.model_dump(mode="json"))
