"""Settings that are not given and follow from what the labels are."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from raymm.config.sections import Config
    from raymm.tasks.base import Task

__all__ = ["BY_TASK", "defaults_of", "with_defaults"]

BY_TASK = {"valuation.utility": "default_utility", "training.selection": "default_selection"}
"""Settings that the task decides where they are not given, and the attribute of the task that says what they are."""


def defaults_of(task: Task) -> dict[str, str]:
    """The settings `BY_TASK` as a task has them, by dotted name."""
    return {key: getattr(task, attribute) for key, attribute in BY_TASK.items()}


def with_defaults(config: Config, task: Task) -> Config:
    """The configuration with the task's own `valuation.utility` and `training.selection`, where these are not given.

    Examples
    --------
    >>> from raymm.config import parse
    >>> from raymm.tasks import get_task
    >>> found = with_defaults(parse({"training": {"selection": "mae"}}), get_task("regression"))
    >>> found.valuation.utility, found.training.selection
    ('soft_count', 'mae')
    """
    sections = {}
    for key, value in defaults_of(task).items():
        name, _, field = key.partition(".")
        section = getattr(config, name)
        if field not in section.model_fields_set and getattr(section, field) != value:
            sections[name] = section.model_copy(update={field: value})
    return config.model_copy(update=sections) if sections else config
