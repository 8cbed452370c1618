"""Objects of this process that stand for data: found again by a key, in this process only."""

from typing import Any

from raymm.errors import DataError

__all__ = ["is_key", "keep", "name_of", "object_of"]

PREFIX = "object:"

_OBJECTS: dict[str, Any] = {}


def keep(found: Any, called: str = "") -> str:
    """The key of an object, by which `object_of` finds it as long as this process lives: a name, or that of its type.

    >>> keep([]), keep([], "columns")
    ('object:builtins.list', 'object:columns')
    """
    kind = type(found) if not isinstance(found, type) else found
    key = f"{PREFIX}{called or f'{kind.__module__}.{kind.__qualname__}'}"
    _OBJECTS[key] = found
    return key


def is_key(where: str) -> bool:
    """Whether a text is such a key."""
    return where.startswith(PREFIX)


def name_of(where: str) -> str:
    """What messages call an object, or any other place."""
    return where.removeprefix(PREFIX)


def object_of(key: str) -> Any:
    """The object of a key; raises `DataError` in a process that has none."""
    if key not in _OBJECTS:
        raise DataError(
            f"{name_of(key)}: the data was an object of the process that began, which no other process "
            "has; give a function that makes it, as package.module:NAME, and every process can call it"
        )
    return _OBJECTS[key]
