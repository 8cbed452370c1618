"""Tasks: what the labels of a data set are, and what follows from it for training, valuation and evaluation.

A task is a subclass of `Task`, one file each, registered in `raymm.config.registries.TASKS` or named as
"package.module:NAME".
"""

from raymm.config.registries import TASKS
from raymm.tasks.base import Task
from raymm.tasks.classification import Classification
from raymm.tasks.multilabel import MultiLabel
from raymm.tasks.registry import DEFAULT, get_task, guess_task, read_task, task_fields
from raymm.tasks.regression import Regression

__all__ = [
    "DEFAULT",
    "TASKS",
    "Classification",
    "MultiLabel",
    "Regression",
    "Task",
    "get_task",
    "guess_task",
    "read_task",
    "task_fields",
]

TASKS.register(DEFAULT, Classification)
TASKS.register("multilabel", MultiLabel)
TASKS.register("regression", Regression)
