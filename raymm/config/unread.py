"""Settings that the chosen part does not read, although another part of the same registry does.

They come from a search space, which draws the parameters of every family, and from commands that are run once a
method with the same overrides. Dropping them gives the same configuration to runs that differ only in settings that
no part reads.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import BaseModel

from raymm.config.choice import ChoiceOf, PartsByName, SettingsOf, marker, settings_class
from raymm.config.registries import Registry
from raymm.errors import ConfigError

__all__ = ["drop_unread", "reader_of"]


def drop_unread(values: dict[str, Any], section: type[BaseModel], path: str = "") -> list[str]:
    """Remove, in place, what the chosen parts do not read; one sentence each.

    A name that no part of the registry has stays, for the validation to refuse.

    Parameters
    ----------
    values, section
        Nested settings, and the class of settings that they are for.
    """
    dropped: list[str] = []
    for name, field in section.model_fields.items():
        inner, here, kind = values.get(name), f"{path}{name}", field.annotation
        if not isinstance(inner, Mapping):
            continue
        raw = values[name] = dict(inner)
        if (choice := marker(field, ChoiceOf)) is not None:
            dropped += _drop(choice.registry, choice.split(raw)[0], raw, here, keep=choice.key)
        elif (settings := marker(field, SettingsOf)) is not None:
            dropped += _drop(settings.registry, values.get("name") or settings.default, raw, here)
        elif (parts := marker(field, PartsByName)) is not None:
            dropped += [sentence for key in raw for sentence in _drop_defaults(parts, raw, key, here)]
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


def _drop_defaults(parts: PartsByName, chosen: dict[str, Any], own: str, path: str) -> list[str]:
    """Of a part's settings, remove those that it lacks and that say nothing: defaults of other parts.

    One that is no default, such as a file of weights, stays, to be refused: it was meant to change something.
    """
    given = chosen[own]
    if not isinstance(given, Mapping) or given.get("name") not in parts.registry:
        return []
    has, known = settings_class(parts.registry.get(given["name"])).model_fields, parts.defaults()
    idle = [key for key in given if key != "name" and key not in has and given[key] in known.get(key, [])]
    chosen[own] = {key: value for key, value in given.items() if key not in idle}
    return [f"{path}.{own}.{key}: '{given['name']}' does not read it, so it is left out" for key in idle]


def _readers(registry: Registry[Any], key: str) -> Iterator[str]:
    return (name for name in registry if key in settings_class(registry.get(name)).model_fields)


def reader_of(key: str, section: type[BaseModel]) -> dict[str, Any]:
    """Nested settings that choose parts which read a dotted setting, so that its value can be checked by itself.

    >>> from raymm.config.sections import Config
    >>> reader_of("method.settings.fm.rate", Config)
    {'method': {'name': 'modality', 'settings': {'fm': {'family': 'tanh'}}}}
    >>> reader_of("training.epochs", Config)
    {'training': {}}
    """
    name, _, rest = key.partition(".")
    field = section.model_fields.get(name)
    if field is None or not rest:
        return {}
    first = rest.partition(".")[0]
    if (choice := marker(field, ChoiceOf)) is not None:
        part = next(_readers(choice.registry, first), None)
        if part is None or first == choice.key:
            return {}
        return {name: {choice.key: part, **reader_of(rest, settings_class(choice.registry.get(part)))}}
    if (settings := marker(field, SettingsOf)) is not None:
        part = next(_readers(settings.registry, first), settings.default)
        return {"name": part, name: reader_of(rest, settings_class(settings.registry.get(part)))}
    kind = field.annotation
    return {name: reader_of(rest, kind)} if isinstance(kind, type) and issubclass(kind, BaseModel) else {}
