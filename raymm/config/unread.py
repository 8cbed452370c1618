"""Settings that the chosen part does not read, although another part of the same registry does.

They come from a search space, which draws the parameters of every family, and from commands that are run once a
method with the same overrides. Dropping them gives runs that differ only in what nobody reads one configuration.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from raymm.config.choice import ChoiceOf, settings_class
from raymm.config.registries import ENCODERS, METHODS
from raymm.config.registry import Registry
from raymm.config.sections import Config, MethodConfig, ModelConfig, encoder_defaults
from raymm.errors import ConfigError

__all__ = ["drop_unread", "reader_of"]


def drop_unread(values: dict[str, Any], section: type[BaseModel] = Config, path: str = "") -> list[str]:
    """Remove, in place, what the chosen parts do not read; one sentence each.

    A name that no part of the registry has stays, for the validation to refuse.
    """
    dropped: list[str] = []
    for name, field in section.model_fields.items():
        inner, here, kind = values.get(name), f"{path}{name}", field.annotation
        if not isinstance(inner, Mapping):
            continue
        raw = values[name] = dict(inner)
        choice = next((about for about in field.metadata if isinstance(about, ChoiceOf)), None)
        if choice is not None:
            dropped += _drop(choice.registry, choice.split(raw)[0], raw, here, keep=choice.key)
        elif (section, name) == (MethodConfig, "settings"):
            dropped += _drop(METHODS, values.get("name") or MethodConfig.model_fields["name"].default, raw, here)
        elif (section, name) == (ModelConfig, "encoders"):
            dropped += [sentence for key in raw for sentence in _drop_defaults(raw, key, here)]
        elif isinstance(kind, type) and issubclass(kind, BaseModel):
            dropped += drop_unread(raw, kind, f"{here}.")
    return dropped


def _drop(registry: Registry[Any], name: str, raw: dict[str, Any], path: str, keep: str = "") -> list[str]:
    try:
        kind = settings_class(registry.get(name))
    except ConfigError:
        return []
    dropped = []
    for key in [key for key in raw if key != keep and key not in kind.model_fields]:
        readers = list(_readers(registry, key))
        if readers:
            del raw[key]
            dropped.append(f"{path}.{key}: '{name}' does not read it ({', '.join(readers)} would), so it is left out")
    return dropped + drop_unread(raw, kind, f"{path}.")


def _drop_defaults(encoders: dict[str, Any], modality: str, path: str) -> list[str]:
    """Of a named encoder's settings, remove those that it lacks and that say nothing: defaults of other encoders.

    One that is no default, such as a file of weights, stays, to be refused: it was meant to change something.
    """
    given = encoders[modality]
    if not isinstance(given, Mapping) or given.get("name") not in ENCODERS:
        return []
    has, known = settings_class(ENCODERS.get(given["name"])).model_fields, encoder_defaults()
    idle = [key for key in given if key != "name" and key not in has and given[key] in known.get(key, [])]
    encoders[modality] = {key: value for key, value in given.items() if key not in idle}
    return [f"{path}.{modality}.{key}: '{given['name']}' does not read it, so it is left out" for key in idle]


def _readers(registry: Registry[Any], key: str) -> Iterator[str]:
    return (name for name in registry if key in settings_class(registry.get(name)).model_fields)


def reader_of(key: str) -> dict[str, Any]:
    """Nested settings that choose parts which read a dotted setting, so that its value can be checked by itself.

    >>> reader_of("method.settings.fm.rate")["method"]["name"]
    'modality'
    """
    values: dict[str, Any] = {"method": {"name": "joint"}}
    parts = key.split(".")
    if parts[:2] == ["method", "settings"] and len(parts) > 2:
        name = next(_readers(METHODS, parts[2]), "joint")
        values["method"] = {"name": name, "settings": _chooser(settings_class(METHODS.get(name)), parts[2:])}
    elif parts[0] == "model":
        values["model"] = _chooser(ModelConfig, parts[1:])
    return values


def _chooser(section: type[BaseModel], parts: list[str]) -> dict[str, Any]:
    """`{field: {key: name}}` of a part that has the setting that the path leads to; {} where none is to be chosen."""
    field = section.model_fields.get(parts[0])
    choice = next((about for about in field.metadata if isinstance(about, ChoiceOf)), None) if field else None
    if choice is None or len(parts) < 2 or parts[1] == choice.key:
        return {}
    name = next(_readers(choice.registry, parts[1]), None)
    return {} if name is None else {parts[0]: {choice.key: name}}
