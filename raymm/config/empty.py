"""Sections of a file in which nothing stands: all of their lines are comments, and YAML reads them as null."""

from __future__ import annotations

import types
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, get_args, get_origin

from pydantic import BaseModel

from raymm.config.choice import ChoiceOf, SettingsOf, marker, settings_in

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

__all__ = ["without_empty"]


def without_empty(values: Mapping[str, Any], section: type[BaseModel]) -> dict[str, Any]:
    """Nested settings without the sections, mappings and lists that are null; what may be null stays.

    >>> from raymm.config.sections import Config
    >>> without_empty({"view": None, "training": {"epochs": 3, "loss": None, "patience": None}}, Config)
    {'training': {'epochs': 3, 'patience': None}}
    """
    fields = section.model_fields
    return {
        name: _without_empty(value, fields[name]) if name in fields else value
        for name, value in values.items()
        if value is not None or name not in fields or not _holds_several(fields[name])
    }


def _without_empty(value: Any, field: FieldInfo) -> Any:
    """The value of a setting; of settings by name, such as those of encoders, null are none."""
    inner = next(settings_in(field.annotation), None)
    if inner is None or not isinstance(value, Mapping):
        return value
    if get_origin(field.annotation) is dict:
        return {name: {} if one is None else one for name, one in value.items()}
    return without_empty(value, inner)


def _holds_several(field: FieldInfo) -> bool:
    """Whether a setting is a section, a mapping or a list."""
    kind = field.annotation
    if types.NoneType in get_args(kind):
        return False
    if marker(field, ChoiceOf) is not None or marker(field, SettingsOf) is not None:
        return True
    is_section = isinstance(kind, type) and get_origin(kind) is None and issubclass(kind, BaseModel)
    return is_section or get_origin(kind) in {dict, list, tuple}
