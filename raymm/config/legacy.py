"""Settings under the names that 0.1.0 gave them: in files that it wrote, and in commands that people have kept."""

from collections.abc import Iterator
from typing import Any

__all__ = ["RENAMED", "UNSAID", "modern_key", "modernise", "put", "say_unsaid"]

RENAMED = {
    "resampling.strategy": "method.name",
    "resampling.warmup": "method.warmup",
    "resampling.every": "method.every",
    "resampling.row_budget": "method.row_budget",
    "resampling.fs": "method.settings.fs",
    "resampling.fm": "method.settings.fm",
    "resampling.subset": "method.settings.subset",
    "resampling.random_rows": "method.settings.random_rows",
    "model.fusion_size": "model.fusion.size",
    "model.fusion_layers": "model.fusion.layers",
    "model.fusion_tokens": "model.fusion.tokens",
}
"""Old dotted names, or sections, and what they are called now."""

UNSAID: dict[str, Any] = {"optimizer.decay": "all"}
"""Settings whose default is not what raymm did before there was the setting, and what that was: saved settings that
lack it mean that."""


def modern_key(key: str) -> str:
    """The name that a dotted setting has now.

    >>> modern_key("resampling.fs.family")
    'method.settings.fs.family'
    >>> modern_key("training.epochs")
    'training.epochs'
    """
    for old, new in RENAMED.items():
        if key == old or key.startswith(f"{old}."):
            return new + key[len(old) :]
    return "method" + key[len("resampling") :] if key.split(".", maxsplit=1)[0] == "resampling" else key


def modernise(values: dict[str, Any]) -> tuple[dict[str, Any], list[tuple[str, str]]]:
    """Nested settings under today's names, and the (old, new) names that were met.

    A setting of 0.1.0 that is null is left out: null was the default wherever it was allowed.
    """
    met: list[tuple[str, str]] = []
    result = _copy(values)
    for old, new in RENAMED.items():
        found, value = _take(result, old.split("."))
        if not found:
            continue
        met.append((old, new))
        if value is not None:
            put(result, new.split("."), value)
    for name, value in dict(result.pop("resampling", None) or {}).items():  # what 0.1.0 did not know: refused later
        put(result, ["method", name], value)
    _drop_null_encoders(result)
    return result, met


def say_unsaid(values: dict[str, Any]) -> None:
    """Write into settings that were saved, in place, what they mean where they lack a setting.

    >>> saved = {"optimizer": {"name": "adam"}}
    >>> say_unsaid(saved)
    >>> saved
    {'optimizer': {'name': 'adam', 'decay': 'all'}}
    """
    for key, meant in UNSAID.items():
        section, _, name = key.partition(".")
        if isinstance(inner := values.setdefault(section, {}), dict):
            inner.setdefault(name, meant)


def _drop_null_encoders(values: dict[str, Any]) -> None:
    """0.1.0 wrote every field of an encoder, null where nothing was chosen."""
    model = values.get("model")
    if not isinstance(model, dict):
        return
    encoders = model.get("encoders")
    named = encoders.values() if isinstance(encoders, dict) else ()
    for section in _sections(model.get("encoder"), *named):
        for key in [key for key, value in section.items() if value is None]:
            del section[key]


def _sections(*values: Any) -> Iterator[dict[str, Any]]:
    yield from (value for value in values if isinstance(value, dict))


def _copy(value: Any) -> Any:
    return {key: _copy(inner) for key, inner in value.items()} if isinstance(value, dict) else value


def _take(values: Any, path: list[str]) -> tuple[bool, Any]:
    """Remove what stands at a path; whether it was there, and what it was."""
    for name in path[:-1]:
        if not isinstance(values, dict) or name not in values:
            return False, None
        values = values[name]
    if not isinstance(values, dict) or path[-1] not in values:
        return False, None
    return True, values.pop(path[-1])


def put(values: dict[str, Any], path: list[str], value: Any) -> None:
    """Set what stands at a path of nested settings.

    A part that was given by its name alone becomes a section, and a name that is given to a section is its name: the
    order of `model.fusion=mlp` and `model.fusion.size=64` makes no difference.

    Raises
    ------
    TypeError
        When the path leads through a plain value.
    """
    for name in path[:-1]:
        inner = values.setdefault(name, {})
        if isinstance(inner, str):
            inner = values[name] = {"name": inner}
        if not isinstance(inner, dict):
            raise TypeError(f"'{name}' is a value, not a section")
        values = inner
    if isinstance(value, str) and isinstance(values.get(path[-1]), dict):
        values[path[-1]]["name"] = value
    else:
        values[path[-1]] = value
