"""The sections of a run's configuration, typed and frozen: a bad setting ends a run in its first second.

A part that is chosen by name (encoder, fusion, method, family) brings the settings that only it reads
(`raymm.config.choice`); what stands here is read whatever parts are chosen.
"""

import hashlib
import json
import logging
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_serializer, field_validator, model_validator

from raymm.config.base import Settings
from raymm.config.choice import Choice, ChoiceOf, PartsByName, SettingsOf, make_settings, part_called
from raymm.config.cluster import ClusterConfig
from raymm.config.registries import ENCODERS, FUSIONS, METHODS
from raymm.config.view import ViewConfig
from raymm.errors import ConfigError, did_you_mean

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

log = logging.getLogger(__name__)


ENCODERS_BY_MODALITY = PartsByName(ENCODERS)


class EncoderConfig(Settings):
    """An encoder by name, with its own settings beside the name; `None` takes the default of the modality's kind.

    The settings of an encoder that is not named are checked once the kind of its modality is known.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    name: str | None = None

    @property
    def raw(self) -> dict[str, Any]:
        """The encoder's own settings, as they were given."""
        return dict(self.model_extra or {})

    @model_validator(mode="before")
    @classmethod
    def _in_one_form(cls, value: Any) -> Any:
        """All settings of a named encoder; of one that is not named, those that are no encoder's default."""
        given = {"name": value} if isinstance(value, str) else value
        if not isinstance(given, Mapping):
            return given
        raw = {key: inner for key, inner in given.items() if key != "name"}
        if (name := given.get("name")) is not None:
            settings = make_settings(part_called(name, ENCODERS, "name"), raw, "name")
            return {"name": name, **settings.model_dump(mode="json")}
        known = ENCODERS_BY_MODALITY.defaults()
        for key in raw:
            if key not in known:
                raise ValueError(f"no encoder has the setting '{key}'; {did_you_mean(key, {*known, 'name'})}")
        return {key: inner for key, inner in raw.items() if known[key] != [inner]}


FUSION = ChoiceOf(FUSIONS, default="concat")


class ModelConfig(Settings):
    """Encoders, fusion and head."""

    feature_size: int = Field(default=128, ge=2, description="D: features of one modality")
    encoders: Annotated[dict[str, EncoderConfig], ENCODERS_BY_MODALITY] = Field(
        default_factory=dict, description="by modality name"
    )
    encoder: EncoderConfig = Field(
        default_factory=EncoderConfig, description="for modalities not named; each encoder takes the settings it has"
    )
    fusion: Annotated[Choice, FUSION] = Field(
        default_factory=FUSION.make, description="how features become logits, and the fusion's own settings"
    )
    baseline: Literal["zeros", "mean", "learned"] = Field(
        default="zeros", description="what stands in for a masked modality's feature"
    )
    modalities: tuple[str, ...] | None = Field(
        default=None,
        min_length=1,
        description="modalities that the model reads; the others are as if no sample had them. Default: all",
    )
    calibrate: Literal["none", "temperature", "modality_weights", "modality_temperatures"] = Field(
        default="none",
        description="what is fitted on validation once training has ended, and corrects the outputs of the picked "
        "model from then on: nothing, one temperature, a weight for all and one for each modality alone, or (of "
        "fusion=ensemble) a temperature for each modality",
    )

    @model_validator(mode="after")
    def _temperatures_are_of_an_ensemble(self) -> Self:
        if self.calibrate == "modality_temperatures" and self.fusion.name != "ensemble":
            raise ValueError(
                "calibrate=modality_temperatures is for fusion=ensemble, whose answer is a mean over the modalities, "
                f"not for fusion={self.fusion.name}; use modality_weights"
            )
        return self


DEFAULT_METHOD = "coalition"
"""What the main study supports, see docs/results/study."""


class MethodConfig(Settings):
    """What training does about modality imbalance."""

    name: str = DEFAULT_METHOD
    warmup: int = Field(
        default=5,
        ge=0,
        description="epochs before the first plan of extra rows; where it is not given and 5 would leave no epoch to "
        "re-sample, a third of training.epochs",
    )
    every: int = Field(default=1, ge=1, description="value the training split every so many epochs")
    row_budget: float | None = Field(
        default=None, ge=0, description="extra rows at most, as a multiple of the samples"
    )
    settings: Annotated[Any, SettingsOf(METHODS, DEFAULT_METHOD)] = Field(
        default=None, validate_default=True, description="the settings of the method itself"
    )

    @model_validator(mode="before")
    @classmethod
    def _by_name(cls, value: Any) -> Any:
        return {"name": value} if isinstance(value, str) else value

    @field_validator("name")
    @classmethod
    def _is_known(cls, name: str) -> str:
        part_called(name, METHODS)
        return name

    @field_validator("settings", mode="before")
    @classmethod
    def _of_the_method(cls, value: Any, info: ValidationInfo) -> Any:
        if "name" not in info.data:  # the name itself is wrong, which is said
            return None
        return make_settings(METHODS.get(info.data["name"]), {} if value is None else value)

    @field_serializer("settings")
    def _plain(self, settings: Any) -> dict[str, Any]:
        plain: dict[str, Any] = {} if settings is None else settings.model_dump(mode="json")
        return plain


class ValuationConfig(Settings):
    """Which game is played, how exactly, and how it is split."""

    utility: str = Field(
        default="count",
        description="count, correct, probability, log_probability, logit, margin, or package.module:NAME; of several "
        "labels a sample also score",
    )
    method: Literal["auto", "exact", "sampled"] = Field(
        default="auto", description="auto: exact to 12 modalities (16 where logits are sums), sampled beyond"
    )
    budget: int | Annotated[str, Field(pattern=r"^\d+(\.\d+)?x$")] | None = Field(
        default=None,
        description="sampled: coalitions a sample; '1x': as many as cost one forward pass of the encoders",
    )
    refine: bool = Field(
        default=True,
        description="sampled: evaluate all coalitions of samples whose phi may be on either side of the fair share",
    )
    source: Literal["pass", "online"] = Field(
        default="pass",
        description="where contributions of training samples come from: a pass over them in the evaluation view, or "
        "the training pass itself, whose features are at hand (augmented, by the weights of each step). Validation "
        "and test are always valued by a pass",
    )
    batch_size: int = Field(default=64, ge=1, description="samples of one batch; actors value a batch at a time")


class OptimizerConfig(Settings):
    """Optimizer and learning-rate schedule."""

    name: Literal["sgd", "adam", "adamw"] = "adamw"
    lr: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=1e-4, ge=0)
    momentum: float = Field(default=0.9, ge=0, lt=1, description="sgd only")
    schedule: Literal["constant", "cosine", "step"] = "cosine"
    step_epochs: int = Field(default=30, ge=1, description="step: multiply by `step_factor` every so many epochs")
    step_factor: float = Field(default=0.1, gt=0, le=1)
    clip_norm: float | None = Field(default=1.0, gt=0, description="largest norm of the gradient")


class TrainingConfig(Settings):
    """The loop."""

    epochs: int = Field(default=30, ge=1)
    batch_size: int = Field(default=32, ge=1, description="rows of a global batch, over all workers")
    seed: int = Field(default=0, ge=0)
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    selection: str = Field(
        default="accuracy",
        description="validation metric that picks the model: accuracy, macro_f1 or loss; of several labels a sample "
        "also micro_f1 or mAP. The lower loss decides between equals",
    )
    keep: int = Field(default=2, ge=1, description="epochs kept on disk beside the best")
    threads: int | None = Field(default=None, ge=1, description="CPU threads of torch in each process")
    loader_workers: int = Field(
        default=0,
        ge=0,
        description="processes that read batches ahead of each training process, which need CPUs of their own; 0: it "
        "reads by itself. The numbers do not depend on it",
    )

    UNDECISIVE: ClassVar[tuple[str, ...]] = ("keep", "loader_workers")
    """Settings that decide no number of a run."""


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
        default=(), description="modules, or .py files, that register parts; imported by every process of a run"
    )

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
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)


def shorten_default_warmup(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Settings in which a warm-up that was not given leaves epochs to re-sample: a third of `training.epochs`.

    Anything else comes back as it is: a warm-up that was given, a method without a plan, enough epochs, and what is
    not yet valid.

    >>> shorten_default_warmup({"training": {"epochs": 3}, "method": "sample"})
    {'training': {'epochs': 3}, 'method': {'name': 'sample', 'warmup': 1}}
    >>> shorten_default_warmup({"training": {"epochs": 3}, "method": {"name": "sample", "warmup": 5}})
    {'training': {'epochs': 3}, 'method': {'name': 'sample', 'warmup': 5}}
    """
    training, method = _given(values.get("training", {})), _given(values.get("method", {}))
    epochs, default = training.get("epochs"), MethodConfig.model_fields["warmup"].default
    if "warmup" in method or type(epochs) is not int or not 0 < epochs <= default or not _plans(method):
        return values
    log.warning(
        "method.warmup is %d: the default of %d leaves none of training.epochs=%d to re-sample",
        epochs // 3,
        default,
        epochs,
    )
    return {**values, "method": {**method, "warmup": epochs // 3}}


def read_one_alone(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Settings in which the model reads the one modality that the method `alone` names, where nothing else is said.

    >>> read_one_alone({"method": {"name": "alone", "settings": {"modality": "rgb"}}})["model"]
    {'modalities': ['rgb']}
    """
    method, model = _given(values.get("method", {})), values.get("model", {})
    own = method.get("settings")
    name = own.get("modality") if isinstance(own, Mapping) else getattr(own, "modality", None)
    if method.get("name") != "alone" or not isinstance(name, str) or not isinstance(model, Mapping):
        return values
    return values if model.get("modalities") else {**values, "model": {**model, "modalities": [name]}}


def _plans(method: Mapping[str, Any]) -> bool:
    """Whether the method of a section adds rows; False where there is no such method, which is refused later."""
    try:
        return bool(METHODS.get(method.get("name", DEFAULT_METHOD)).needs != "nothing")
    except ConfigError:
        return False


def _given(section: Any) -> Mapping[str, Any]:
    """What was set in a section, whether it is a name, a mapping or made already."""
    if isinstance(section, str):
        return {"name": section}
    if isinstance(section, BaseModel):
        return {name: getattr(section, name) for name in section.model_fields_set}
    return section if isinstance(section, Mapping) else {}
