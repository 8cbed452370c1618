"""How the model is made: encoders by modality, fusion, and what stands in for what is masked."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from raymm.config.base import Settings
from raymm.config.choice import Choice, ChoiceOf, PartsByName, make_settings, part_called
from raymm.config.registries import ENCODERS, FUSIONS
from raymm.errors import did_you_mean

__all__ = ["EncoderConfig", "ModelConfig"]

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
