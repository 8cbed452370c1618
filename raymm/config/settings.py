"""The typed configuration: one YAML file, dotted overrides, unknown keys refused with the nearest match.

All models are frozen and validated when they are made, so that a bad setting ends a run in the first
second. `load` reads a file and applies overrides such as `resampling.fs.family=tanh`.
"""

import hashlib
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, Self, get_args, get_origin

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from raymm.errors import ConfigError, Problems, did_you_mean

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
    "shorten_default_warmup",
]

log = logging.getLogger(__name__)


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class ViewConfig(_Section):
    """How stored samples are read. `noise` holds for every split: it is part of the task."""

    noise_db: dict[str, float] = Field(
        default_factory=dict, description="signal-to-noise ratio in dB of white noise added to a modality"
    )
    augment: bool = Field(default=True, description="augment training batches (never the valuation view)")
    shift: float = Field(default=0.1, ge=0, le=0.5, description="largest shift in time, as a part of the length")
    crop: float = Field(default=0.04, ge=0, le=0.5, description="largest shift in height and width, as a part")
    flip: bool = Field(default=False, description="mirror frames and flow left to right at random")


class EncoderConfig(_Section):
    """An encoder by name; `None` takes the default of the modality's kind."""

    name: str | None = None
    width: int = Field(default=32, ge=4, description="channels of the first layer")
    dropout: float = Field(default=0.0, ge=0, lt=1)
    norm: Literal["group", "batch"] = Field(
        default="group", description="group normalisation does not depend on the other rows of a batch"
    )
    weights: str | None = Field(default=None, description="file with weights; nothing is ever downloaded")


class ModelConfig(_Section):
    """Encoders, fusion and head."""

    feature_size: int = Field(default=128, ge=2, description="D: features of one modality")
    encoders: dict[str, EncoderConfig] = Field(default_factory=dict, description="by modality name")
    encoder: EncoderConfig = Field(default_factory=EncoderConfig, description="for modalities not named")
    fusion: str = "concat"
    fusion_size: int = Field(default=128, ge=2, description="hidden size of gated, film and attention")
    fusion_layers: int = Field(default=2, ge=1)
    fusion_tokens: int = Field(default=4, ge=1, description="bottleneck tokens of the attention fusion")
    baseline: Literal["zeros", "mean", "learned"] = Field(
        default="zeros", description="what stands in for a masked modality's feature"
    )


class FunctionConfig(_Section):
    """fs or fm: a function that rises from 0 (families in `raymm.methods.functions`)."""

    family: str = "linear"
    scale: float = Field(default=2.0, gt=0)
    exponent: float = Field(default=2.0, gt=0, description="power")
    rate: float = Field(default=1.0, gt=0, description="tanh, exponential and logarithmic: how fast it bends")
    steps: int = Field(default=2, ge=1, description="step: number of steps in a unit interval")


class ModalityFunctionConfig(FunctionConfig):
    """fm: its values are probabilities, so its scale is 1 where nothing is said."""

    scale: float = Field(default=1.0, gt=0)


class ResamplingConfig(_Section):
    """What the next epoch sees."""

    strategy: str = "sample"
    warmup: int = Field(
        default=5,
        ge=0,
        description="epochs of plain joint training first; where it is not given and 5 would leave no epoch to "
        "re-sample, a third of training.epochs",
    )
    fs: FunctionConfig = Field(default_factory=FunctionConfig)
    fm: ModalityFunctionConfig = Field(default_factory=ModalityFunctionConfig)
    subset: float = Field(default=0.2, gt=0, le=1, description="modality level: part of the samples in Z")
    row_budget: float | None = Field(
        default=None, ge=0, description="extra rows at most, as a multiple of the samples"
    )
    every: int = Field(default=1, ge=1, description="value the training split every so many epochs")
    random_rows: float | None = Field(
        default=None,
        ge=0,
        description="random control: extra rows a sample; default: as many as `sample` would add",
    )


class ValuationConfig(_Section):
    """Which game is played, how exactly, and how it is split."""

    utility: str = Field(
        default="count",
        description="count, correct, probability, log_probability, logit, margin, or package.module:NAME",
    )
    method: Literal["auto", "exact", "sampled"] = Field(
        default="auto", description="auto: exact to 12 modalities (16 where logits are sums), sampled beyond"
    )
    budget: int | Annotated[str, Field(pattern=r"^\d+(\.\d+)?x$")] | None = Field(
        default=None,
        description="sampled: coalitions a sample; '1x': as many as cost one forward pass of the encoders",
    )
    refine: bool = Field(
        default=True, description="sampled: play all coalitions of samples whose phi may lie on either side of 1"
    )
    batch_size: int = Field(default=64, ge=1, description="samples of one tile; tiles are what actors receive")


class OptimizerConfig(_Section):
    """Optimizer and learning-rate schedule."""

    name: Literal["sgd", "adam", "adamw"] = "adamw"
    lr: float = Field(default=1e-3, gt=0)
    weight_decay: float = Field(default=1e-4, ge=0)
    momentum: float = Field(default=0.9, ge=0, lt=1, description="sgd only")
    schedule: Literal["constant", "cosine", "step"] = "cosine"
    step_epochs: int = Field(default=30, ge=1, description="step: multiply by `step_factor` every so many epochs")
    step_factor: float = Field(default=0.1, gt=0, le=1)
    clip_norm: float | None = Field(default=1.0, gt=0, description="largest norm of the gradient")


class TrainingConfig(_Section):
    """The loop."""

    epochs: int = Field(default=30, ge=1)
    batch_size: int = Field(default=32, ge=1, description="rows of a global batch, over all workers")
    seed: int = Field(default=0, ge=0)
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    selection: Literal["accuracy", "macro_f1", "loss"] = Field(
        default="accuracy",
        description="validation metric that picks the model; the lower loss decides between equals",
    )
    keep: int = Field(default=2, ge=1, description="epochs kept on disk beside the best")
    threads: int | None = Field(default=None, ge=1, description="CPU threads of torch in each process")


class ClusterConfig(_Section):
    """How Ray is used; of this, `--backend local` reads only `mirror`."""

    workers: int = Field(default=2, ge=1)
    cpus_per_worker: float = Field(default=1.0, gt=0)
    gpus_per_worker: float = Field(default=0.0, ge=0)
    actors: int = Field(default=2, ge=0, description="valuation actors; 0: the first train worker values by itself")
    cpus_per_actor: float = Field(
        default=0.0,
        ge=0,
        description="0: the actors work while the train workers wait, so they need no CPUs of their own",
    )
    gpus_per_actor: float = Field(default=0.0, ge=0)
    max_failures: int = Field(default=3, ge=0, description="times the worker group is started again")
    start_timeout: float = Field(default=120.0, gt=0, description="seconds to wait for the resources")
    mirror: str | None = Field(default=None, description="s3://bucket/prefix: committed epochs are copied there")

    @field_validator("mirror")
    @classmethod
    def _mirror_is_a_place(cls, mirror: str | None) -> str | None:
        if mirror is None:
            return None
        scheme, separator, rest = mirror.partition("://")
        if not mirror.startswith("/") and not (scheme and separator and rest):
            raise ValueError(
                f"'{mirror}' is no place; give s3://bucket/prefix, gs://bucket/prefix or an absolute path"
            )
        if "@" in rest:
            raise ValueError("holds credentials, which would be written into every run; give them by the environment")
        return mirror


class Config(_Section):
    """A training run, whole."""

    view: ViewConfig = Field(default_factory=ViewConfig)
    model: ModelConfig = Field(default_factory=ModelConfig)
    resampling: ResamplingConfig = Field(default_factory=ResamplingConfig)
    valuation: ValuationConfig = Field(default_factory=ValuationConfig)
    optimizer: OptimizerConfig = Field(default_factory=OptimizerConfig)
    training: TrainingConfig = Field(default_factory=TrainingConfig)
    cluster: ClusterConfig = Field(default_factory=ClusterConfig)

    @model_validator(mode="before")
    @classmethod
    def _warmup_that_was_not_given(cls, values: Any) -> Any:
        return shorten_default_warmup(values) if isinstance(values, Mapping) else values

    @model_validator(mode="after")
    def _warmup_leaves_epochs(self) -> Self:
        after = self.training.epochs - self.resampling.warmup
        if self.resampling.strategy != "joint" and after <= 0:
            raise ValueError(
                f"resampling.warmup={self.resampling.warmup} leaves no epoch of training.epochs="
                f"{self.training.epochs} to re-sample; lower it or train longer"
            )
        return self

    def fingerprint(self) -> str:
        """Twelve hex digits that are equal when everything that decides the numbers is equal."""
        deciding = self.model_dump(mode="json", exclude={"cluster": True, "training": {"keep": True}})
        text = json.dumps(deciding, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def to_yaml(self) -> str:
        """The whole configuration, defaults included."""
        return yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False)


def shorten_default_warmup(values: Mapping[str, Any]) -> Mapping[str, Any]:
    """Settings in which a warm-up that was not given leaves epochs to re-sample: a third of `training.epochs`.

    Anything else comes back as it is: a warm-up that was given, `joint`, enough epochs, and what is not yet valid.

    >>> shorten_default_warmup({"training": {"epochs": 3}})
    {'training': {'epochs': 3}, 'resampling': {'warmup': 1}}
    >>> shorten_default_warmup({"training": {"epochs": 3}, "resampling": {"warmup": 5}})
    {'training': {'epochs': 3}, 'resampling': {'warmup': 5}}
    """
    training, resampling = (_given(values.get(section, {})) for section in ("training", "resampling"))
    epochs, default = training.get("epochs"), ResamplingConfig.model_fields["warmup"].default
    if "warmup" in resampling or resampling.get("strategy") == "joint" or type(epochs) is not int:
        return values
    if not 0 < epochs <= default:
        return values
    log.warning(
        "resampling.warmup is %d: the default of %d leaves none of training.epochs=%d to re-sample",
        epochs // 3,
        default,
        epochs,
    )
    return {**values, "resampling": {**resampling, "warmup": epochs // 3}}


def _given(section: Any) -> Mapping[str, Any]:
    """What was set in a section, whether it is a mapping or made already."""
    if isinstance(section, BaseModel):
        return {name: getattr(section, name) for name in section.model_fields_set}
    return section if isinstance(section, Mapping) else {}


def load(path: Path | None, overrides: tuple[str, ...] = ()) -> Config:
    """Read a YAML file (or start from the defaults) and apply dotted overrides.

    Raises
    ------
    ConfigError
        With every mistake at once: unknown keys with the nearest match, values with what was expected.
    """
    values: dict[str, Any] = {}
    where = "configuration"
    if path is not None:
        where = str(path)
        try:
            values = yaml.safe_load(path.read_text()) or {}
        except OSError as cause:
            raise ConfigError(f"{path}: cannot be read ({cause.strerror})") from cause
        except yaml.YAMLError as cause:
            raise ConfigError(f"{path}: not YAML: {' '.join(str(cause).split())}") from cause
        if not isinstance(values, dict):
            raise ConfigError(f"{path}: must be a mapping of sections, not {type(values).__name__}")
    for override in overrides:
        _apply(values, override)
    return parse(values, where)


def parse(values: dict[str, Any], where: str = "configuration") -> Config:
    """Validate a nested dictionary; raises `ConfigError` with every mistake at once."""
    try:
        return Config.model_validate(values)
    except ValidationError as cause:
        problems = Problems(where)
        for error in cause.errors():
            problems.add(_explain(error))
        problems.raise_if_any(ConfigError)
        raise


def flatten(config: BaseModel, prefix: str = "") -> dict[str, str | int | float | bool | None]:
    """`{"optimizer.lr": 0.001, ...}`: dotted keys to plain values, defaults included."""
    flat: dict[str, str | int | float | bool | None] = {}
    for key, value in config.model_dump(mode="json").items():
        _flatten_into(flat, f"{prefix}{key}", value)
    return flat


def _flatten_into(flat: dict[str, Any], key: str, value: object) -> None:
    if isinstance(value, dict):
        for name, inner in value.items():
            _flatten_into(flat, f"{key}.{name}", inner)
    else:
        flat[key] = value


def _apply(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise ConfigError(f"override '{override}': write it as section.field=value, for example training.epochs=10")
    *parents, leaf = key.split(".")
    node = values
    for parent in parents:
        inner = node.setdefault(parent, {})
        if not isinstance(inner, dict):
            raise ConfigError(f"override '{override}': '{parent}' is a value, not a section")
        node = inner
    try:
        node[leaf] = yaml.safe_load(text)
    except yaml.YAMLError as cause:
        raise ConfigError(f"override '{override}': the value is not YAML ({cause})") from cause


def _explain(error: Any) -> str:
    location = [str(part) for part in error["loc"]]
    key = ".".join(location)
    if error["type"] == "extra_forbidden":
        return f"{key}: no such setting; {_nearest(location)}"
    message = error["msg"].removeprefix("Value error, ")
    said = f"{key}: {message}" if key else message
    return said + ("" if error["type"] == "value_error" else f" (got {error['input']!r})")


def _nearest(location: list[str]) -> str:
    """What may have been meant: a setting of the same section, or one that has this name in another section."""
    here = did_you_mean(location[-1], _fields_at(location[:-1]))
    elsewhere = [key for key in flatten(Config()) if key.rpartition(".")[2] == location[-1]]
    if here.startswith("did you mean") or not elsewhere:
        return here
    return f"did you mean {' or '.join(elsewhere)}?"


def _fields_at(location: list[str]) -> list[str]:
    """Names of the settings in the section at `location`."""
    section: Any = Config
    for part in location:
        fields = getattr(section, "model_fields", {})
        section = _section_of(fields[part].annotation) if part in fields else section
    return list(getattr(section, "model_fields", {}))


def _section_of(annotation: Any) -> Any:
    """The configuration class inside an annotation such as `dict[str, EncoderConfig]`."""
    if get_origin(annotation) in (dict, UnionType, Annotated):
        inner = [_section_of(argument) for argument in get_args(annotation)]
        return next((found for found in inner if hasattr(found, "model_fields")), annotation)
    return annotation
