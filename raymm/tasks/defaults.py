"""Settings that are not given and follow from what the labels are."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from raymm.config.sections import Config
    from raymm.tasks.base import Task

__all__ = ["with_defaults"]


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
    valuation, training = config.valuation, config.training
    if "utility" not in valuation.model_fields_set and valuation.utility != task.default_utility:
        valuation = valuation.model_copy(update={"utility": task.default_utility})
    if "selection" not in training.model_fields_set and training.selection != task.default_selection:
        training = training.model_copy(update={"selection": task.default_selection})
    if (valuation, training) == (config.valuation, config.training):
        return config
    return config.model_copy(update={"valuation": valuation, "training": training})
