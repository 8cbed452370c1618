"""Tasks by name, and their form in files."""

from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from raymm.config.mistakes import settings_mistakes
from raymm.config.registries import TASKS
from raymm.errors import ConfigError, Problems
from raymm.tasks.base import Task

__all__ = ["DEFAULT", "TASKS", "get_task", "guess_task", "read_task", "task_fields"]

DEFAULT = "classification"


def _as_task(found: Any, where: str) -> type[Task]:
    """What "package.module:NAME" led to, which must be a task."""
    if isinstance(found, type) and issubclass(found, Task):
        return found
    raise ConfigError(f"{where} is no subclass of raymm.tasks.Task")


TASKS.adapt = _as_task


def get_task(name: str = DEFAULT, settings: Mapping[str, Any] | None = None) -> Task:
    """The task of a name, or of "package.module:NAME", with its settings.

    Raises
    ------
    ConfigError
        When there is no such task, or a setting is unknown or out of range.

    Examples
    --------
    >>> get_task("multilabel", {"match": 0.5}).settings.threshold
    0.5
    >>> get_task("multilabel", {"treshold": 0.4})
    Traceback (most recent call last):
    raymm.errors.ConfigError: task multilabel: treshold: no such setting; did you mean 'threshold'?
    """
    kind: type[Task] = TASKS.get(name, "task")
    try:
        return kind(kind.Settings.model_validate(dict(settings or {})))
    except ValidationError as cause:
        Problems(f"task {name}", settings_mistakes(cause, kind.Settings)).raise_if_any(ConfigError)
        raise


def as_task(given: object) -> Task:
    """A task, or that of a name; raises `ConfigError` for anything else.

    >>> as_task("multilabel").name
    'multilabel'
    """
    if isinstance(given, Task):
        return given
    if not isinstance(given, str):
        raise ConfigError(f"task={given!r}: give the name of a task, such as '{DEFAULT}', or a raymm.tasks.Task")
    return get_task(given)


def task_fields(task: Task) -> dict[str, Any]:
    """A task as it is written beside data: `{"name": ..., setting: ...}`; the inverse of `read_task`.

    A task of another package is written as "package.module:NAME", so that data are opened without its plug-in.

    >>> task_fields(get_task("multilabel"))
    {'name': 'multilabel', 'threshold': 0.5, 'match': 1.0, 'separator': '|'}
    """
    own = type(task)
    known = [name for name in TASKS if TASKS.get(name) is own and own.__module__.startswith("raymm.tasks.")]
    name = known[0] if known else f"{own.__module__}:{own.__qualname__}"
    return {"name": name, **task.settings.model_dump(mode="json")}


def read_task(fields: Mapping[str, Any]) -> Task:
    """The task of its name and settings side by side; errors as `get_task`."""
    return get_task(fields["name"], {key: setting for key, setting in fields.items() if key != "name"})


def guess_task(cells: Sequence[Any]) -> str:
    """The name of the task whose labels these cells of a manifest look like; classification where none does.

    >>> guess_task(["cat", "dog"]), guess_task(["cat|loud", "dog", ""]), guess_task([-1.5, 2])
    ('classification', 'multilabel', 'regression')
    """
    return next((name for name in TASKS if name != DEFAULT and TASKS.get(name).looks_like(cells)), DEFAULT)
