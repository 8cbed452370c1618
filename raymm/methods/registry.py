"""Methods by name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, get_args

import torch
from torch import nn

from raymm.config.own_parts import own_part
from raymm.config.registries import METHODS
from raymm.errors import ConfigError, Problems, did_you_mean
from raymm.methods.base import Method, MethodContext, Needs
from raymm.models.traits import NO_ENCODERS, traits_of_raymm
from raymm.seeds import derive
from raymm.valuation.utilities import get_utility

if TYPE_CHECKING:
    from raymm.config.optimizer import OptimizerConfig
    from raymm.config.sections import Config
    from raymm.data.schema import Schema
    from raymm.models.traits import ModelTraits
    from raymm.tasks.base import Task

__all__ = ["build_method", "check_accumulation", "context_of", "get_method", "made", "problems_of"]


def get_method(name: str) -> type[Method]:
    """The method of a name, or of "package.module:NAME"; raises `ConfigError` with the nearest match.

    >>> get_method("sample").__name__, get_method("sample").needs
    ('Sample', 'all')
    """
    found: type[Method] = METHODS.get(name, "method.name")
    return found


def build_method(
    config: Config, schema: Schema, traits: ModelTraits | None = None, task: Task | None = None
) -> Method:
    """The configured method for a data set and a model of these traits; default: of raymm's own by the settings.

    Parameters
    ----------
    task
        Whose losses it takes, see `raymm.tasks.Task.training`; default: that of the schema.

    Raises
    ------
    ConfigError
        When there is no such method, or naming everything that keeps it from this configuration.

    Examples
    --------
    >>> from raymm.config import load
    >>> from raymm.data import Schema, VectorSpec
    >>> schema = Schema(modalities=(VectorSpec(name="a", size=2),), classes=("x", "y"))
    >>> build_method(load(None, ("method=modality",)), schema).settings.subset
    0.2
    >>> build_method(load(None, ("method=sample", "valuation.utility=logit")), schema)
    Traceback (most recent call last):
    raymm.errors.ConfigError: method=sample: valuation.utility=logit has no fair share below which a contribution ...
    """
    method, context = get_method(config.method.name), context_of(config, schema, traits, task)
    problems = problems_of(method, config.method.settings, context)
    if method.reads_encoders and not context.encoders:
        problems = [*problems, f"reads the encoder of each modality, and {NO_ENCODERS}"]
    Problems(f"method={config.method.name}", problems).raise_if_any(ConfigError)
    with torch.random.fork_rng(devices=[]):  # weights of a module of its own are a function of the seed
        torch.manual_seed(derive(config.training.seed, "method"))
        return made(method, config.method.settings, context)


def problems_of(method: type[Method], settings: Any, context: MethodContext) -> list[str]:
    """What keeps a method from being used, in words; raises `ConfigError` where `Method.problems` gives no list."""
    with own_part(method, "problems", ConfigError):
        found: object = method.problems(settings, context)
    if not isinstance(found, list | tuple) or not all(isinstance(one, str) for one in found):
        raise ConfigError(
            f"{method.__name__}.problems returns a {type(found).__name__}; expected a list of texts, empty where "
            "nothing keeps the method from being used"
        )
    return list(found)


def made(method: type[Method], settings: Any, context: MethodContext) -> Method:
    """A method, whose module and turns are such; raises `ConfigError` otherwise."""
    with own_part(method, "__init__", ConfigError):
        found = method(settings, context)
    module: object = found.module
    problems = Problems(method.__name__)
    if not isinstance(module, nn.Module | None):
        problems.add(f"module is a {type(module).__name__}; expected a torch.nn.Module, or None")
    if not isinstance(found.turns, int) or found.turns < 1:
        problems.add(f"turns is {found.turns!r}; expected how many updates a batch makes, from 1 on")
    problems.raise_if_any(ConfigError)
    return found


def check_accumulation(config: Config) -> None:
    """Refuse `training.accumulate` with a method for which an update is more than the gradient of its rows.

    Raises
    ------
    ConfigError
        For a method that changes the gradients of a batch, or makes several updates by one.
    """
    method, count = get_method(config.method.name), config.training.accumulate
    if count > 1 and (method.on_gradients is not Method.on_gradients or method.turns != 1):
        raise ConfigError(
            f"training.accumulate={count}: method={config.method.name} changes gradients, or updates several times, "
            "by what one batch shows, so batches cannot be added up; use training.accumulate=1"
        )


def context_of(
    config: Config, schema: Schema, traits: ModelTraits | None = None, task: Task | None = None
) -> MethodContext:
    """What a method is told of a run; `task` is that of the training rows."""
    traits = traits_of_raymm(config.model) if traits is None else traits
    return MethodContext(
        modalities=schema.names,
        outputs=schema.outputs,
        feature_size=traits.feature_size,
        task=schema.task.name,
        fusion=traits.fusion,
        utility=get_utility(config.valuation.utility, task or schema.task),
        seed=config.training.seed,
        epochs=config.training.epochs,
        warmup=config.method.warmup,
        classes=len(schema.classes),
        reads=config.model.modalities,
        schedule=_schedule(config.optimizer),
        encoders=traits.encoders,
    )


def _schedule(optimizer: OptimizerConfig) -> str:
    """The schedule of the learning rate, as it would be set; a warm-up makes a constant rate one that changes."""
    return optimizer.schedule + (f" and optimizer.warmup={optimizer.warmup}" if optimizer.warmup else "")


def _adapt(found: Any, where: str) -> type[Method]:
    if isinstance(found, type) and issubclass(found, Method):
        _check_needs(found, where)
        return found
    raise ConfigError(f"{where} is no method; a method is a subclass of raymm.methods.Method")


def _check_needs(method: type[Method], where: str) -> None:
    """Refuse a method whose plan would never be called, and a need that is none."""
    if method.needs not in get_args(Needs):
        raise ConfigError(f"{where}: needs is {method.needs!r}; {did_you_mean(str(method.needs), get_args(Needs))}")
    if method.needs == "nothing" and method.plan is not Method.plan:
        raise ConfigError(f'{where} has a plan, which is never called; set needs = "all", "subset" or "state"')


METHODS.adapt = _adapt
