"""The reference of all methods, `docs/methods.md`: a guide, and what the registry knows of each."""

from __future__ import annotations

import inspect
import json
from collections.abc import Collection, Sequence
from itertools import product

from raymm.config.registries import FUSIONS, METHODS, TASKS
from raymm.methods.base import Method, MethodContext
from raymm.methods.registry import get_method
from raymm.reports.html import render
from raymm.reports.tables import markdown_table
from raymm.tasks.registry import get_task
from raymm.valuation.utilities import get_utility

__all__ = ["changes", "defined_for", "methods_page"]

COUNTS = range(1, 17)
"""Numbers of modalities that a method is asked about."""

EPOCHS = 100
"""Epochs of the training that it is asked about: enough for every schedule."""

PARTS = {
    "rows": "plan",
    "mask": "mask",
    "loss": "loss",
    "gradients": "on_gradients",
    "updates": "turns",
}
"""What a method changes, by the parts that it brings."""


def methods_page() -> str:
    """The page as Markdown."""
    named = {name: get_method(name) for name in sorted(METHODS)}
    header = ("method", "changes", "modalities", "fusion", "task", "cost beside joint training", "source")
    rows = [
        (f"[`{name}`](#{name})", changes(method), *defined_for(method), method.cost, method.source)
        for name, method in named.items()
    ]
    table = "\n".join(markdown_table(header, rows))
    sections = "\n\n".join(_section(name, method) for name, method in named.items())
    return render("methods.md", table=table, sections=sections).rstrip() + "\n"


def changes(method: type[Method]) -> str:
    """What a method changes of training, by the parts of it that are its own.

    >>> from raymm.methods import Joint, Sample
    >>> changes(Sample), changes(Joint)
    ('rows', 'nothing')
    """
    own = [what for what, part in PARTS.items() if getattr(method, part) is not getattr(Method, part)]
    if not own and method.before_epoch is not Method.before_epoch:
        own = ["weights between epochs"]
    return ", ".join(own) or "nothing"


def defined_for(method: type[Method]) -> tuple[str, str, str]:
    """Numbers of modalities, fusions and tasks that a method takes with its defaults, by asking its `problems`.

    >>> from raymm.methods import Joint
    >>> defined_for(Joint)
    ('any', 'any', 'any')
    """
    settings = method.Settings()
    taken = [case for case in product(COUNTS, FUSIONS, TASKS) if not method.problems(settings, _context(*case))]
    counts, fusions, tasks = ({case[axis] for case in taken} for axis in range(3))
    return _counts_text(counts), _text(fusions, FUSIONS.names()), _text(tasks, TASKS.names())


def _context(count: int, fusion: str, task: str) -> MethodContext:
    return MethodContext(
        modalities=tuple(f"m{i}" for i in range(count)),
        outputs=3,
        feature_size=8,
        task=task,
        fusion=fusion,
        utility=get_utility(get_task(task).default_utility, get_task(task)),
        seed=0,
        epochs=EPOCHS,
        classes=3,
    )


def _counts_text(taken: Collection[int]) -> str:
    first, last = min(taken), max(taken)
    if set(taken) != set(range(first, last + 1)):
        return ", ".join(map(str, sorted(taken)))
    if last == COUNTS[-1]:
        return "any" if first == COUNTS[0] else f"{first} or more"
    return f"{first} to {last}" if first < last else str(first)


def _text(taken: Collection[str], known: Sequence[str]) -> str:
    return "any" if set(taken) == set(known) else ", ".join(name for name in known if name in taken)


def _section(name: str, method: type[Method]) -> str:
    """A method in full: its description, and its settings."""
    lines = [f"### {name}", "", inspect.cleandoc(method.__doc__ or "")]
    fields = method.Settings.model_fields
    if fields:
        defaults = {key: _default(value) for key, value in method.Settings().model_dump(mode="json").items()}
        rows = [(f"`{key}`", f"`{defaults[key]}`", field.description or "") for key, field in fields.items()]
        lines += ["", *markdown_table(("setting", "default", "meaning"), rows)]
    if method.tuned:
        tried = (f"`{setting}` {', '.join(map(json.dumps, values))}" for setting, values in method.tuned)
        lines += ["", f"A study that tunes tries {'; '.join(tried)}."]
    return "\n".join(lines)


def _default(value: object) -> str:
    """A default as it is written on the command line; of a part with settings of its own, its name."""
    return str(next(iter(value.values()))) if isinstance(value, dict) else json.dumps(value).strip('"')
