"""A custom model: made by its author's function; what its methods raise is said with their inputs and the line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

from raymm.config.own_code import named_object
from raymm.errors import ConfigError, RaymmError, in_one_line
from raymm.models.explained import explained
from raymm.valuation.modes import modules_in, to_evaluation
from raymm.valuation.protocol import SplitModel

if TYPE_CHECKING:
    from raymm.data.schema import Schema

__all__ = ["make_custom_model"]

METHODS = ("encode", "fuse", "partials", "finish")


def make_custom_model(spec: str, schema: Schema) -> SplitModel:
    """The model that "package.module:function" or "FILE.py:function" makes from a schema, in evaluation mode.

    Raises
    ------
    ConfigError
        When there is no such function, it raises something, or what it returns is no split model.
    """
    make = named_object(spec, "--model")
    try:
        model = make(schema)
    except RaymmError:
        raise
    except Exception as cause:
        raise ConfigError(
            f"--model {spec}: called with the schema of the data it raised {in_one_line(cause)}; it must be a "
            "function (or class) that takes the schema and returns the model; --debug shows the whole trace"
        ) from cause
    if not isinstance(model, SplitModel) or isinstance(model, type):
        raise ConfigError(
            f"--model {spec}: returned a {type(model).__name__} without encode(batch) and fuse(features, mask); "
            "docs/valuation.md shows what is needed"
        )
    to_evaluation(*modules_in(model))
    for name in METHODS:
        method = getattr(model, name, None)
        if callable(method) and not isinstance(method, nn.Module):
            setattr(model, name, explained(method, name, f"--model {spec}"))
    return model
