"""What training does about modality imbalance, and when; and what follows from the method where nothing is said."""

import logging
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationInfo, field_serializer, field_validator, model_validator

from raymm.config.base import Settings
from raymm.config.choice import NameOf, SettingsOf, make_settings
from raymm.config.registries import METHODS
from raymm.errors import ConfigError

__all__ = ["DEFAULT_METHOD", "MethodConfig", "read_one_alone", "shorten_default_warmup"]

log = logging.getLogger(__name__)

DEFAULT_METHOD = "coalition"
"""For the reasons in docs/results/study, below "The default"."""


class MethodConfig(Settings):
    """What training does about modality imbalance."""

    name: Annotated[str, NameOf(METHODS)] = Field(
        default=DEFAULT_METHOD, description="the method, see docs/methods.md"
    )
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
