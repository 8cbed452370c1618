"""Arguments that are lists of names or texts: what else is given is refused, with the name of the argument."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from raymm.errors import ConfigError

__all__ = ["classes_in", "texts_in"]


def texts_in(given: Any, called: str, of: str) -> tuple[str, ...]:
    """The texts of an argument, of which one may be given by itself; raises `ConfigError` where it holds others.

    Parameters
    ----------
    called, of
        The argument, and what it is a list of.

    Examples
    --------
    >>> texts_in(5, "plugins", "modules")
    Traceback (most recent call last):
    raymm.errors.ConfigError: plugins is a int; give a list of modules
    """
    found = (given,) if isinstance(given, str) else _entries(given, called, of)
    wrong = [one for one in found if not isinstance(one, str)]
    if wrong:
        raise ConfigError(f"{called}: holds {wrong[0]!r}, a {type(wrong[0]).__name__}; give a list of {of}")
    return found


def classes_in(given: Any) -> tuple[Any, ...]:
    """The names of classes in the argument `classes`; raises `ConfigError` where it is no list of different ones.

    >>> classes_in("abc")
    Traceback (most recent call last):
    raymm.errors.ConfigError: classes is a str; give a list of names of the classes, in their order
    """
    found = _entries(given, "classes", "names of the classes, in their order")
    twice = [name for name, count in Counter(map(str, found)).items() if count > 1]
    if twice:
        raise ConfigError(f"classes: '{twice[0]}' appears twice; give each class a name of its own")
    return found


def _entries(given: Any, called: str, of: str) -> tuple[Any, ...]:
    is_list = isinstance(given, Iterable) and not isinstance(given, str | bytes | bytearray | set | frozenset)
    if not is_list or getattr(given, "ndim", 1) != 1:
        raise ConfigError(f"{called} is a {type(given).__name__}; give a list of {of}")
    return tuple(given)
