"""A registered method in a loop that raymm does not run: which methods that can be, and what they are told."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from raymm.config.loading import parse
from raymm.config.registries import METHODS
from raymm.errors import ConfigError, Problems
from raymm.methods.base import Method, MethodContext
from raymm.methods.registry import get_method, made, problems_of
from raymm.valuation.utilities import get_utility

if TYPE_CHECKING:
    from raymm.config.sections import Config
    from raymm.tasks.base import Task

__all__ = ["config_of", "is_planned", "method_of", "names_of", "planned_methods"]

PLANNED = frozenset({"plan", "rows_to_value", "mask"})
"""Parts of a method that a plan of rows and keep-masks is made of."""

PARTS = (
    *("mask", "loss", "on_gradients", "module", "turns", "before_epoch", "after_steps", "after_evaluation"),
    *("plan", "rows_to_value", "state_dict"),
)
"""Parts of a method by which training differs from joint training."""

NO_END = 2**31
"""Epochs of a training whose end nobody said."""


def is_planned(method: type[Method]) -> bool:
    """Whether a method acts by rows and masks alone, or not at all.

    >>> from raymm.methods import Coalition, Sample
    >>> is_planned(Sample), is_planned(Coalition)
    (True, False)
    """
    parts = {name for name in PARTS if getattr(method, name) is not getattr(Method, name)}
    joint = inspect.getattr_static(method, "problems") is inspect.getattr_static(Method, "problems")  # of any model
    return parts <= PLANNED and method.needs != "state" and (bool(parts) or joint)


def planned_methods() -> list[str]:
    """Names of the registered methods that act by rows and masks alone."""
    return sorted(name for name in METHODS if is_planned(METHODS.get(name)))


def names_of(modalities: Sequence[str] | int) -> tuple[str, ...]:
    """Names of the modalities, in order; a number stands for so many without names.

    >>> names_of(("audio", "rgb")), names_of(2)
    (('audio', 'rgb'), ('m0', 'm1'))
    """
    if isinstance(modalities, str):
        raise ConfigError(f"modalities is the text '{modalities}'; give a tuple of names, such as ('audio', 'rgb')")
    if isinstance(modalities, int | np.integer):
        modalities = [f"m{i}" for i in range(modalities)]
    if not isinstance(modalities, Iterable) or isinstance(modalities, set | frozenset):  # which has no order
        raise ConfigError(
            f"modalities is {modalities!r}; give a tuple of names, such as ('audio', 'rgb'), or a number"
        )
    names = tuple(modalities)
    problems = Problems("modalities")
    if not names:
        problems.add("there is none; name one or more")
    if not all(isinstance(name, str) and name for name in names):
        problems.add(f"must be names, not {list(names)}")
    elif len(set(names)) < len(names):
        problems.add(f"a name stands twice in {', '.join(names)}")
    problems.raise_if_any(ConfigError)
    return names


def config_of(
    *,
    method: str,
    settings: Mapping[str, Any] | None,
    utility: str,
    where: str,
    epochs: int | None = None,
    resampling: Mapping[str, Any] | None = None,
    training: Mapping[str, Any] | None = None,
) -> Config:
    """The sections of a run's configuration that a loop of one's own has, validated as those of a run.

    Raises
    ------
    ConfigError
        With every mistake at once.
    """
    if not isinstance(settings, Mapping | None):
        raise ConfigError(f"{where}: settings={settings!r}; give a mapping, such as {{'amount': 0.5}}")
    return parse(
        {
            "method": {"name": method, "settings": dict(settings or {}), **(resampling or {})},
            "valuation": {"utility": utility},
            "training": {"epochs": NO_END if epochs is None else epochs, **(training or {})},
        },
        where,
    )


def method_of(config: Config, modalities: tuple[str, ...], task: Task, classes: int) -> Method:
    """The configured method for a loop without a model or a data set that raymm knows.

    Raises
    ------
    ConfigError
        When the utility is not defined for the task, or naming all that keeps the method from being used.
    """
    method = get_method(config.method.name)
    context = MethodContext(
        modalities=modalities,
        outputs=classes,
        feature_size=config.model.feature_size,
        task=task.name,
        fusion=config.model.fusion.name,
        utility=get_utility(config.valuation.utility, task),
        seed=config.training.seed,
        epochs=config.training.epochs,
        warmup=config.method.warmup,
        classes=classes,
    )
    found = problems_of(method, config.method.settings, context)
    Problems(f"method={config.method.name}", found).raise_if_any(ConfigError)
    return made(method, config.method.settings, context)
