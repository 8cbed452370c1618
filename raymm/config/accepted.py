"""What values a setting takes, in words: from the annotation of its field and the bounds beside it."""

import json
from collections.abc import Iterator
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

__all__ = ["accepted", "written"]

PLAIN = {bool: "true, false", int: "whole number", float: "number", str: "text", NoneType: "null", Any: "any value"}

BOUNDS = (("ge", ">="), ("gt", ">"), ("le", "<="), ("lt", "<"))


def accepted(field: FieldInfo) -> str:
    """The values of a field, for people.

    >>> from raymm.config.optimizer import OptimizerConfig
    >>> fields = OptimizerConfig.model_fields
    >>> accepted(fields["momentum"]), accepted(fields["per"]), accepted(fields["clip_norm"])
    ('number >= 0 and < 1', 'epoch, step', 'number > 0, or null')
    """
    bounds = _bounds(field.metadata)
    words = [f"{word} {bounds}" if bounds and _has_bounds(word) else word for word in _words(field.annotation)]
    return _joined(words)


def written(value: Any) -> str:
    """A value as it is written on the command line and in YAML.

    >>> [written(value) for value in (0.001, True, None, "adamw", (), {"a": 1})]
    ['0.001', 'true', 'null', 'adamw', '[]', '{"a": 1}']
    """
    return value if isinstance(value, str) else json.dumps(value)


def _words(annotation: Any) -> list[str]:
    """Each alternative of an annotation."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin in (Union, UnionType):
        return list(dict.fromkeys(word for one in inner for word in _words(one)))
    if origin is Annotated:
        bounds = " ".join(filter(None, (_bounds([about]) for about in _flat(inner[1:]))))
        return [f"{word} {bounds}" if bounds else word for word in _words(inner[0])]
    return [_one(annotation, origin, inner)]


def _one(annotation: Any, origin: Any, inner: tuple[Any, ...]) -> str:
    if origin is Literal:
        return ", ".join(written(one) for one in inner)
    if origin is dict:
        return f"by name: {_joined(_words(inner[1]))}"
    if origin in (tuple, list):
        return f"list of {_joined(_words(inner[0]))}"
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return "settings"
    return PLAIN.get(annotation, getattr(annotation, "__name__", "value"))


def _flat(metadata: Any) -> Iterator[Any]:
    for about in metadata:
        yield from about.metadata if isinstance(about, FieldInfo) else (about,)


def _bounds(metadata: Any) -> str:
    found = [(sign, getattr(about, name, None)) for about in metadata for name, sign in BOUNDS]
    return " and ".join(
        f"{sign} {bound if isinstance(bound, int) else f'{bound:g}'}"
        for sign, bound in found
        if isinstance(bound, int | float)
    )


def _has_bounds(word: str) -> bool:
    return word in {PLAIN[int], PLAIN[float]}


def _joined(words: list[str]) -> str:
    """Alternatives in one phrase, null last."""
    others = [word for word in words if word != PLAIN[NoneType]]
    return ", or ".join([*others, *(["null"] if len(others) < len(words) else [])])
