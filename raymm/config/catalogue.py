"""Every setting there is, with its default, the values that it takes, and what it means.

It is read off the sections and off the registries, so a plug-in's parts are in it once they are registered.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from raymm.config.accepted import accepted, written
from raymm.config.choice import (
    Choice,
    ChoiceOf,
    NameOf,
    PartsByName,
    SettingsOf,
    marker,
    settings_class,
    settings_in,
)
from raymm.config.registries import ENCODERS, ITEMS, SOURCES, TASKS, Registry
from raymm.config.sections import Config, EncoderConfig

__all__ = ["Section", "Setting", "catalogue", "part_section", "setting_names"]

OF_DATA = (
    ("task", TASKS, "raymm prepare --task-setting"),
    ("source", SOURCES, "raymm prepare --source-setting"),
    ("data", ITEMS, "--data-setting"),
)
"""Parts that no configuration chooses: the names of their sections, and the option that gives their settings."""

OF_ENCODERS = "model.encoder."


@dataclass(frozen=True)
class Setting:
    """One setting.

    Attributes
    ----------
    key
        As it is written before the `=`: dotted, `[]` for each of a list; of data, the name alone.
    default
        As it is written behind the `=`.
    values
        What it takes, in words.
    meaning
        In a sentence.
    """

    key: str
    default: str
    values: str
    meaning: str


@dataclass(frozen=True)
class Section:
    """Settings that belong together.

    Attributes
    ----------
    name
        `training`, or that of a part, `method.sample`.
    about
        What it is; empty where the name says it.
    settings
        Those of the section; none for a part that reads none.
    part
        Whether these are settings of a part, read where it is chosen.
    option
        Option that gives them as NAME=VALUE; empty where they are settings of a configuration.
    """

    name: str
    about: str
    settings: tuple[Setting, ...]
    part: bool = False
    option: str = ""


def catalogue() -> list[Section]:
    """All sections of a configuration, the parts that may be chosen in them, and the parts that read data.

    >>> sections = {section.name: section for section in catalogue()}
    >>> sections["method.multitask"].settings[-1].key
    'method.settings.amount'
    >>> sections["training"].settings[0].default
    '30'
    """
    found = {section.name: section for section in [*_sections(), *_chosen(Config, "")]}
    found |= {section.name: section for section in _of_data()}
    return list(found.values())


def setting_names() -> list[str]:
    """Dotted names of all settings of a configuration and of the parts that it may choose."""
    sections = [*_sections(), *_chosen(Config, "")]
    names = dict.fromkeys(setting.key for section in sections for setting in section.settings)
    return [name for name in names if "[]" not in name]


def part_section(name: str) -> Section | None:
    """The section of an encoder out of a library, `model.encoder.torchvision:NAME`; None for any other name.

    Raises
    ------
    ConfigError
        When the library has no such network, or is not installed.
    """
    above, part = name[: len(OF_ENCODERS)], name[len(OF_ENCODERS) :]
    if above != OF_ENCODERS or ":" not in part:
        return None
    return _of_part(ENCODERS, part, "model.encoder", name)


def _sections() -> Iterator[Section]:
    """The sections of a configuration, and `plugins`."""
    for name, field in Config.model_fields.items():
        inner = _class_of(field)
        about = field.description or _first_line(inner)
        yield Section(name, about, tuple(_settings(inner, f"{name}.") if inner else [_setting(name, field)]))


def _settings(section: type[BaseModel], prefix: str, made: BaseModel | None = None) -> Iterator[Setting]:
    """The settings of a class, those of sections in it included, of chosen parts only the choice.

    Parameters
    ----------
    made
        An instance, in the place of the field's own defaults.
    """
    for name, field in section.model_fields.items():
        key, inner, choice = f"{prefix}{name}", _class_of(field), marker(field, ChoiceOf)
        if choice is not None:
            default = getattr(made, name).name if made is not None else choice.make().name
            yield Setting(f"{key}.{choice.key}", default, _names(choice.registry), field.description or "")
        elif (named := marker(field, NameOf)) is not None:
            yield replace(_setting(key, field), values=_names(named.registry))
        elif marker(field, SettingsOf) is not None:
            continue
        elif inner is not None and _is_list(field):
            yield _setting(key, field)
            yield from _settings(inner, f"{key}[].")
        elif inner is not None and marker(field, PartsByName) is None:
            yield from _settings(inner, f"{key}.")
        else:
            yield _setting(key, field, getattr(made, name) if made is not None else ...)


def _setting(key: str, field: FieldInfo, default: Any = ...) -> Setting:
    """One field; `...` stands for its own default, of which there may be none."""
    value = field.get_default(call_default_factory=True, validated_data={}) if default is ... else default
    shown = "" if default is ... and field.is_required() else written(_plain(value))
    return Setting(key, shown, accepted(field), " ".join((field.description or "").split()))


def _chosen(section: type[BaseModel], prefix: str) -> Iterator[Section]:
    """Sections of the parts that the fields of a class choose, and of the parts that these choose."""
    for name, field in section.model_fields.items():
        key, inner = f"{prefix}{name}", _class_of(field)
        if (choice := marker(field, ChoiceOf)) is not None:
            yield from _of_registry(choice.registry, key, dict(choice.defaults))
        elif (settings := marker(field, SettingsOf)) is not None:
            yield from _of_registry(settings.registry, key)
        elif inner is EncoderConfig and marker(field, PartsByName) is None:
            yield from _of_registry(ENCODERS, key)
        elif inner is not None and not _is_list(field):
            yield from _chosen(inner, f"{key}.")


def _of_registry(registry: Registry[Any], key: str, defaults: dict[str, Any] | None = None) -> Iterator[Section]:
    for name in registry:
        yield _of_part(registry, name, key, f"{_short(key)}.{name}", defaults)
    for name in registry:
        yield from _chosen(settings_class(registry.get(name)), f"{key}.")


def _of_part(
    registry: Registry[Any], name: str, key: str, section: str, defaults: dict[str, Any] | None = None
) -> Section:
    """What a part reads beside its name; `defaults` are those that differ from its own here."""
    kind = settings_class(registry.get(name))
    made = kind.model_validate({name: value for name, value in (defaults or {}).items() if name in kind.model_fields})
    return Section(section, "", tuple(_settings(kind, f"{key}." if key else "", made)), part=True)


def _of_data() -> Iterator[Section]:
    for noun, registry, option in OF_DATA:
        for name in registry:
            found = _of_part(registry, name, "", f"{noun}.{name}")
            yield replace(found, about=f"Given by {option} NAME=VALUE.", option=option)


def _short(key: str) -> str:
    return ".".join(word for word in key.split(".") if word != "settings")


def _class_of(field: FieldInfo) -> type[BaseModel] | None:
    """The class of settings that a field holds, or a list or mapping of which it is."""
    return next((kind for kind in settings_in(field.annotation) if kind is not Choice), None)


def _is_list(field: FieldInfo) -> bool:
    return get_origin(field.annotation) is tuple


def _names(registry: Registry[Any]) -> str:
    return ", ".join([*registry, "or package.module:NAME"])


def _plain(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    return list(value) if isinstance(value, tuple) else value


def _first_line(section: type[BaseModel] | None) -> str:
    return (section.__doc__ or "").strip().split("\n", 1)[0] if section else ""
