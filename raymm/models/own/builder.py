"""A model by a function of one's own, `build(schema, **arguments)`: called, and made one that raymm trains.

It is found as "package.module:NAME", or by its name after `MODELS.register("late", build)` in a plug-in.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from raymm.config.registries import MODELS
from raymm.errors import ConfigError, Problems, did_you_mean
from raymm.models.building import module_of
from raymm.models.multimodal import MultimodalModel
from raymm.models.own.adapter import OwnModel
from raymm.valuation.conformance import ModelError

if TYPE_CHECKING:
    from torch import nn

    from raymm.config.model import ModelConfig
    from raymm.data.schema import Schema

__all__ = ["build_own"]


def build_own(build: Callable[..., Any], schema: Schema, config: ModelConfig) -> MultimodalModel:
    """The model that a builder makes with `model.args`; the caller seeds torch's generator.

    Raises
    ------
    ConfigError
        Naming every argument that the builder does not take or lacks; or when it raises something, or what it returns
        cannot be trained.
    """
    where = f"model.build={config.build}"
    Problems("", _argument_mistakes(build, config.args, where)).raise_if_any(ConfigError)
    made: nn.Module = module_of(lambda: build(schema, **config.args), where)
    model = made if isinstance(made, MultimodalModel) else _adapted(made, schema, where)
    if model.names != schema.names:
        raise ConfigError(
            f"{where}: its model reads {', '.join(model.names)}; the data has {', '.join(schema.names)}; build it "
            "from the schema that it is given"
        )
    if not any(True for _ in model.parameters()):
        raise ConfigError(f"{where}: its model has no parameters, so there is nothing to train")
    return model


def _adapted(made: nn.Module, schema: Schema, where: str) -> MultimodalModel:
    lacking = [name for name in ("encode", "fuse") if not callable(getattr(made, name, None))]
    if lacking:
        raise ConfigError(
            f"{where}: its builder returns a {type(made).__name__} without {' and '.join(lacking)}; return a module "
            "with encode(batch) and fuse(features, mask), or a raymm.Model of encoders and a fusion"
        )
    try:
        return OwnModel(made, schema, where)
    except ModelError as cause:
        raise ConfigError(str(cause)) from cause


def _argument_mistakes(build: Callable[..., Any], arguments: Mapping[str, Any], where: str) -> list[str]:
    """What keeps the builder from being called with the schema and these arguments, in words."""
    try:
        first, *rest = inspect.signature(build).parameters.values()
    except TypeError:
        return [f"{where}: a {type(build).__name__} cannot be called; give a function build(schema, ...)"]
    except ValueError:
        return [f"{where}: takes no argument; it is called with the schema of the data: def build(schema, ...)"]
    if first.kind not in {first.POSITIONAL_ONLY, first.POSITIONAL_OR_KEYWORD, first.VAR_POSITIONAL}:
        return [f"{where}: its first argument must be the schema of the data: def build(schema, ...)"]
    named = {one.name: one for one in rest if one.kind in {one.POSITIONAL_OR_KEYWORD, one.KEYWORD_ONLY}}
    found = []
    if not any(one.kind is one.VAR_KEYWORD for one in rest):
        unknown = [name for name in arguments if name not in named]
        found += [
            f"model.args.{name}: {where} takes no such argument; {did_you_mean(name, named)}" for name in unknown
        ]
    lacking = [name for name, one in named.items() if one.default is one.empty and name not in arguments]
    found += [f"model.args.{name}: must be given, since {where} has no default for it" for name in lacking]
    return found


def _adapt(found: Any, where: str) -> Callable[[Schema, ModelConfig], MultimodalModel]:
    if not callable(found):
        raise ConfigError(f"{where} is a {type(found).__name__}; a model is made by a function build(schema, ...)")
    return partial(build_own, found)


MODELS.adapt = _adapt
