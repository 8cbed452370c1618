"""A part by its name, with the settings that only this part reads.

In YAML and on the command line name and settings stand side by side (`model.fusion.name=mlp model.fusion.size=64`),
and the name alone is enough (`model.fusion=mlp`). The settings are checked by the part's own pydantic class.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import core_schema

from raymm.config.base import Settings, SettingsError
from raymm.errors import ConfigError

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

    from raymm.config.registries import Registry

__all__ = [
    "Choice",
    "ChoiceOf",
    "NameOf",
    "PartsByName",
    "SettingsOf",
    "make_settings",
    "marker",
    "part_called",
    "settings_class",
    "settings_in",
]

Marker = TypeVar("Marker")


class Choice(Settings):
    """A chosen part.

    Attributes
    ----------
    name
        Name in the registry, or "package.module:NAME".
    settings
        An instance of the part's `Settings`.
    """

    name: str
    settings: Any


def settings_class(part: object) -> type[Settings]:
    """The settings of a part: its `Settings`, or none."""
    found: type[Settings] = getattr(part, "Settings", Settings)
    return found


def make_settings(part: object, raw: Mapping[str, Any], key: str = "") -> Settings:
    """The settings of a part from what a file says, beside a field `key`; raises `SettingsError`."""
    section = settings_class(part)
    if not (isinstance(section, type) and issubclass(section, Settings)):
        raise ConfigError(f"Settings of {part!r} is no subclass of raymm.config.Settings")
    try:
        return section.model_validate(dict(raw) if isinstance(raw, Mapping) else raw)
    except ValidationError as cause:
        raise SettingsError(section, cause, key) from cause


def part_called(name: str, registry: Registry[Any], where: str = "") -> Any:
    """A part by name; raises `ValueError`, as pydantic wants it, with `where`, the field that holds the name."""
    try:
        return registry.get(name, where)
    except ConfigError as cause:
        raise ValueError(f"{cause}") from cause


@dataclass(frozen=True)
class ChoiceOf:
    """How a field of a section chooses from a registry; the field's type is `Annotated[Choice, ChoiceOf(...)]`.

    Attributes
    ----------
    key
        Field that holds the name.
    default
        Name where none is given.
    defaults
        Settings that differ from the part's own defaults here, as far as the chosen part has them.
    """

    registry: Registry[Any]
    default: str
    key: str = "name"
    defaults: tuple[tuple[str, Any], ...] = ()

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        """How pydantic reads and writes the field."""
        del source, handler
        return core_schema.no_info_plain_validator_function(
            self._read, serialization=core_schema.plain_serializer_function_ser_schema(self._write)
        )

    def make(self) -> Choice:
        """The choice where nothing is given."""
        return self._read({})

    def split(self, value: Any) -> tuple[str, dict[str, Any]]:
        """Name and raw settings of what stands in a file; raises `ValueError` when it is neither text nor mapping."""
        if isinstance(value, str):
            return value, {}
        if not isinstance(value, Mapping):
            raise ValueError(f"write a name, or {self.key} and settings; got {value!r}")  # noqa: TRY004  (pydantic)
        raw = dict(value)
        return raw.pop(self.key, None) or self.default, raw

    def _read(self, value: Any) -> Choice:
        if isinstance(value, Choice):
            return value
        name, raw = self.split(value)
        part = part_called(name, self.registry)
        here = {field: given for field, given in self.defaults if field in settings_class(part).model_fields}
        return Choice(name=name, settings=make_settings(part, {**here, **raw}, self.key))

    def _write(self, choice: Choice) -> dict[str, Any]:
        return {self.key: choice.name, **choice.settings.model_dump(mode="json")}


@dataclass(frozen=True)
class NameOf:
    """Marks a field with the name of a part; a name that the registry does not know is refused."""

    registry: Registry[Any]

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> core_schema.CoreSchema:
        """How pydantic reads the field."""
        return core_schema.no_info_after_validator_function(self._known, handler(source))

    def _known(self, name: str | None) -> str | None:
        if name is not None:
            part_called(name, self.registry)
        return name


@dataclass(frozen=True)
class SettingsOf:
    """Marks a field with the settings of the part that the field `name` beside it names; `default` is its default."""

    registry: Registry[Any]
    default: str


@dataclass(frozen=True)
class PartsByName:
    """Marks a field that maps names of its own to parts with their settings, each part named in `name`."""

    registry: Registry[Any]

    def defaults(self) -> dict[str, list[Any]]:
        """By setting of the registered parts, the different defaults that it has."""
        found: dict[str, list[Any]] = {}
        for name in self.registry:
            for key, field in settings_class(self.registry.get(name)).model_fields.items():
                known = found.setdefault(key, [])
                if field.default not in known:
                    known.append(field.default)
        return found


def marker(field: FieldInfo, kind: type[Marker]) -> Marker | None:
    """The marker of a class that a field has, or None."""
    return next((about for about in field.metadata if isinstance(about, kind)), None)


def settings_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The classes of settings in an annotation, such as `dict[str, EncoderConfig]`."""
    if isinstance(annotation, type) and get_origin(annotation) is None and issubclass(annotation, BaseModel):
        yield annotation
    for inner in get_args(annotation):
        yield from settings_in(inner)
