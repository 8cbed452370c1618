"""The base of every class of settings, and their flat form."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict

__all__ = ["Settings", "Whole", "flatten"]


class Settings(BaseModel):
    """Base of every section and of every part's settings: frozen, finite, unknown names refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


@dataclass(frozen=True)
class Whole:
    """Marks a field whose mapping is one value, as its keys, such as patterns or names of classes, may have dots."""


def flatten(config: BaseModel | Mapping[str, Any]) -> dict[str, str | int | float | bool | None]:
    """`{"optimizer.lr": 0.001, ...}`: dotted keys to plain values, defaults included."""
    flat: dict[str, str | int | float | bool | None] = {}
    nested = config.model_dump(mode="json") if isinstance(config, BaseModel) else config
    for key, value in nested.items():
        _flatten_into(flat, key, value)
    return flat


def _flatten_into(flat: dict[str, Any], key: str, value: object) -> None:
    if isinstance(value, dict):
        for name, inner in value.items():
            _flatten_into(flat, f"{key}.{name}", inner)
    else:
        flat[key] = value
