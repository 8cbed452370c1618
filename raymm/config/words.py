"""What pydantic calls a mistake by its type, in words that say what to give."""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

__all__ = ["OF_LISTS", "as_settings", "wrong_value"]

FORMS = {r"^\d+(\.\d+)?x$": "a number and x, such as '2x'"}
"""Patterns of texts, as people say them."""


def wrong_value(error: Mapping[str, Any]) -> str:
    """Why a value cannot be meant: "must be ...", or what a validator of ours says.

    >>> wrong_value({"type": "greater_than_equal", "ctx": {"ge": 1.0}, "input": 0, "msg": ""})
    'must be 1 or more'
    >>> wrong_value({"type": "tuple_type", "input": "a,b", "msg": ""})
    'must be a list: write [a,b]'
    """
    said = MUST.get(error["type"])
    if said is None:
        message: str = error["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
        return message
    if error["type"] in OF_LISTS and isinstance(error["input"], str):
        return f"must be a list: write [{error['input'][:60]}]"
    return "must be " + (said if isinstance(said, str) else said(error.get("ctx") or {}))


def _bound(name: str, form: str) -> Callable[[Mapping[str, Any]], str]:
    return lambda ctx: form.format(_number(ctx[name]))


def _items(name: str, more: str) -> Callable[[Mapping[str, Any]], str]:
    def said(ctx: Mapping[str, Any]) -> str:
        kind = "mapping" if ctx.get("field_type") == "Dictionary" else "list"
        return f"a {kind} of {ctx[name]} {'item' if ctx[name] == 1 else 'items'} {more}"

    return said


def _number(value: Any) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


LIST, MAPPING, NUMBER, WHOLE, TEXT = "a list", "a mapping, NAME: VALUE", "a number", "a whole number", "text"

OF_LISTS = ("list_type", "tuple_type", "set_type", "frozen_set_type")

MUST: Mapping[str, str | Callable[[Mapping[str, Any]], str]] = {
    **dict.fromkeys(OF_LISTS, LIST),
    **dict.fromkeys(("dict_type", "mapping_type", "model_type", "model_attributes_type", "dataclass_type"), MAPPING),
    **dict.fromkeys(("int_type", "int_parsing", "int_from_float"), WHOLE),
    "int_parsing_size": "a whole number of fewer digits",
    **dict.fromkeys(("float_type", "float_parsing"), NUMBER),
    "finite_number": "a finite number",
    **dict.fromkeys(("bool_type", "bool_parsing"), "true or false"),
    **dict.fromkeys(("string_type", "string_sub_type"), TEXT),
    "string_unicode": "text in UTF-8",
    "string_pattern_mismatch": lambda ctx: FORMS.get(ctx["pattern"], f"text of the form {ctx['pattern']}"),
    "string_too_short": lambda ctx: f"text of {_number(ctx['min_length'])} or more letters",
    "string_too_long": lambda ctx: f"text of {_number(ctx['max_length'])} letters at most",
    "literal_error": lambda ctx: str(ctx["expected"]),
    "enum": lambda ctx: str(ctx["expected"]),
    "none_required": "null",
    "missing": "given",
    "greater_than": _bound("gt", "more than {}"),
    "greater_than_equal": _bound("ge", "{} or more"),
    "less_than": _bound("lt", "less than {}"),
    "less_than_equal": _bound("le", "{} or less"),
    "multiple_of": _bound("multiple_of", "a multiple of {}"),
    "too_short": _items("min_length", "or more"),
    "too_long": _items("max_length", "at most"),
    "is_instance_of": lambda ctx: f"a {ctx['class']}",
    "callable_type": "a function",
    "path_type": "a path",
    "bytes_type": "bytes",
}
"""By the type of the mistake, what the value must be."""


def as_settings(errors: Sequence[Mapping[str, Any]], section: Any) -> Iterator[Mapping[str, Any]]:
    """Pydantic's mistakes, one for each setting: where a value may have several forms, it tells of each.

    Each has `loc`, the names that lead to the setting alone, `words`, see `wrong_value`, and `nullable`, whether it
    may be null.
    """
    found: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    deeper: set[tuple[Any, ...]] = set()
    for error in errors:
        if error["type"] == "too_short" and len(error["input"]) >= error["ctx"]["min_length"]:
            continue  # its items are wrong, and pydantic counts those that are not
        loc, forms, nullable = _place(error["loc"], section)
        found.setdefault(loc, []).append({**error, "loc": loc, "nullable": nullable})
        deeper |= {loc[:end] for end in forms if end < len(loc)}
    for loc, each in found.items():
        if loc not in deeper:  # the value has one of the forms, and what is within it is wrong
            yield {**each[0], "words": _either([wrong_value(error) for error in each])}


def _place(loc: Iterable[Any], section: Any) -> tuple[tuple[Any, ...], list[int], bool]:
    """Names that lead to a setting, how many come before a form that pydantic names, and whether it may be null."""
    names: list[Any] = []
    forms: list[int] = []
    kind: Any = section
    nullable = False
    for part in loc:
        kind = _bare(kind)
        several = [one for one in get_args(kind) if one is not types.NoneType] if _is_union(kind) else []
        if len(several) > 1:
            forms.append(len(names))
            kind = None
            continue
        kind = _bare(several[0]) if several else kind
        names.append(part)
        kind = _within(kind, part)
        nullable = _is_union(_bare(kind)) and types.NoneType in get_args(_bare(kind))
    return tuple(names), forms, nullable


def _within(kind: Any, part: Any) -> Any:
    """The type of what is called so in a value of a type; None where that is not known."""
    if isinstance(kind, type) and get_origin(kind) is None and issubclass(kind, BaseModel):
        field = kind.model_fields.get(part) if isinstance(part, str) else None
        return None if field is None else field.annotation
    inner = get_args(kind)
    if get_origin(kind) is dict:
        return inner[1]
    return inner[0] if inner and get_origin(kind) in {list, tuple, set, frozenset} else None


def _bare(kind: Any) -> Any:
    while get_origin(kind) is Annotated:
        kind = get_args(kind)[0]
    return kind


def _is_union(kind: Any) -> bool:
    return get_origin(kind) in {Union, types.UnionType}


def _either(words: Sequence[str]) -> str:
    """What several forms of a value ask for: "must be a whole number or 'all'"."""
    first, *more = dict.fromkeys(words)
    return " or ".join([first, *(one.removeprefix("must be ") for one in more)])
