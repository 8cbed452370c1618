"""What was set in a configuration, as plain values without the defaults."""

from typing import Any

from pydantic import BaseModel

from raymm.config.choice import Choice

__all__ = ["given_in"]


def given_in(section: BaseModel) -> dict[str, Any]:
    """Nested settings of those fields alone that were given a value; validated again they make the same section.

    >>> from raymm.config.optimizer import OptimizerConfig
    >>> given_in(OptimizerConfig(name="sgd", lr=0.1))
    {'name': 'sgd', 'lr': 0.1}
    """
    return _without_defaults(section, section.model_dump(mode="json", exclude_unset=True))


def _without_defaults(value: Any, dumped: Any) -> Any:
    """What was dumped of a value, less what nobody set in chosen parts, which write all of their fields."""
    if isinstance(value, Choice):
        return _without_defaults(value.settings, dumped)
    if isinstance(value, BaseModel):
        fields = type(value).model_fields
        kept = {key: inner for key, inner in dumped.items() if key not in fields or key in value.model_fields_set}
        return {key: _without_defaults(getattr(value, key, None), inner) for key, inner in kept.items()}
    if isinstance(value, dict) and isinstance(dumped, dict):
        return {key: _without_defaults(value.get(key), inner) for key, inner in dumped.items()}
    return dumped
