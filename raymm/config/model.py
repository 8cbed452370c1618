"""How the model is made: encoders by modality and a fusion, or a builder; and what stands in for what is masked."""

from collections.abc import Mapping
from math import isfinite
from typing import Annotated, Any, Literal, Self

from pydantic import (
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
    model_validator,
)

from raymm.config.base import Settings
from raymm.config.choice import Choice, ChoiceOf, NameOf, PartsByName, make_settings, part_called
from raymm.config.registries import ENCODERS, FUSIONS, MODELS
from raymm.errors import did_you_mean

__all__ = ["EncoderConfig", "ModelConfig"]

ENCODERS_BY_MODALITY = PartsByName(ENCODERS)


class EncoderConfig(Settings):
    """An encoder by name, with its own settings beside the name; `None` takes the default of the modality's kind.

    The settings of an encoder that is not named are checked once the kind of its modality is known.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    name: Annotated[str | None, NameOf(ENCODERS)] = Field(
        default=None,
        description="the encoder, see docs/encoders.md, of modalities that model.encoders does not name; null: that "
        "of their kind",
    )

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
    """Encoders, fusion and head; or a model of one's own."""

    build: str | None = Field(
        default=None,
        description="a model of one's own in the place of raymm's encoders and fusion: package.module:NAME or "
        "FILE.py:NAME of a function build(schema, **args)",
    )
    args: dict[str, Any] = Field(
        default_factory=dict, description="arguments of that function, model.args.NAME=VALUE: plain values of YAML"
    )
    feature_size: int = Field(default=128, ge=2, le=2**31 - 1, description="D: features of one modality")
    encoders: Annotated[dict[str, EncoderConfig], ENCODERS_BY_MODALITY] = Field(
        default_factory=dict, description="by modality name; model.encoders.NAME has what model.encoder has"
    )
    encoder: EncoderConfig = Field(
        default_factory=EncoderConfig, description="for modalities not named; each encoder takes the settings it has"
    )
    fusion: Annotated[Choice, FUSION] = Field(default_factory=FUSION.make, description="how features become logits")
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

    @field_validator("build")
    @classmethod
    def _is_known(cls, build: str | None) -> str | None:
        if build is not None:
            part_called(build, MODELS)
        return build

    @field_validator("modalities", mode="before")
    @classmethod
    def _between_commas(cls, names: Any) -> Any:
        """Names in one text, `audio,rgb`, as `--modalities` takes them; no name has a comma."""
        return [name.strip() for name in names.split(",") if name.strip()] if isinstance(names, str) else names

    @field_validator("args")
    @classmethod
    def _are_plain(cls, args: dict[str, Any]) -> dict[str, Any]:
        wrong = [name for name, value in args.items() if not _is_plain(value)]
        if wrong:
            raise ValueError(
                f"{', '.join(wrong)}: must be plain values, since they are written down: text, numbers, true, false, "
                "null, and lists and mappings of them"
            )
        return args

    @model_validator(mode="after")
    def _one_model(self) -> Self:
        """Settings of raymm's own parts are not read where the whole model is one's own."""
        mine = ModelConfig.model_construct(build=self.build)
        others = [name for name in OF_RAYMM if self.build and getattr(self, name) != getattr(mine, name)]
        if others:
            raise ValueError(
                f"{', '.join(others)}: of raymm's own models, and model.build={self.build} makes another; leave them "
                "out, and give your builder what it needs by model.args"
            )
        return self

    @model_serializer(mode="wrap")
    def _without_a_builder(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """As it was before there were builders, where there is none: equal runs keep equal fingerprints."""
        fields: dict[str, Any] = handler(self)
        return fields if self.build or self.args else {key: fields[key] for key in fields if key not in OWN}

    @model_validator(mode="after")
    def _temperatures_are_of_an_ensemble(self) -> Self:
        if self.calibrate == "modality_temperatures" and self.fusion.name != "ensemble" and not self.build:
            raise ValueError(
                "calibrate=modality_temperatures is for fusion=ensemble, whose answer is a mean over the modalities, "
                f"not for fusion={self.fusion.name}; use modality_weights"
            )
        return self


OWN = ("build", "args")
OF_RAYMM = ("feature_size", "encoders", "encoder", "fusion")
"""Settings of models of one's own, and of raymm's."""


def _is_plain(value: Any) -> bool:
    if isinstance(value, float):
        return isfinite(value)
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and _is_plain(inner) for key, inner in value.items())
    return value is None or isinstance(value, (str, int)) or (isinstance(value, list) and all(map(_is_plain, value)))
