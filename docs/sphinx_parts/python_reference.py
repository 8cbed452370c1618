"""The reference of Python, `docs/python.md`: the docstrings of what the packages make public, read by autodoc."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import raymm
from raymm.api import shown
from raymm.config.registries import METHODS

__all__ = ["link_pages", "reference"]

PAGE_OF_DOCS = re.compile(r"`?docs/([\w/]+)\.md`?")

VERBS = """The verbs of the command line as functions, and parts of a loop of your own. `raymm.study` and
`raymm.sweep` stand under the names of the modules that define them."""

MARK = re.compile(r"[*|]|(?<=\w)_(?!\w)")
"""What reStructuredText would take for emphasis, a substitution or a target."""

ERRORS = "raymm.errors"
"""Its functions help raymm to word a message; people catch its classes."""

PACKAGES = {
    "raymm.valuation": "Contributions of coalitions' values, utilities and sampling, as functions of arrays.",
    "raymm.data": "Data sets, batches and views.",
    "raymm.methods": "Methods, and what they are given.",
    ERRORS: "What is raised for a mistake; all of them are a `RaymmError`.",
}
"""Packages that people import, beside `raymm` itself."""


def functions() -> Iterator[str]:
    """`raymm.NAME`, with the module that defines it where Python has a package of that name."""
    for name in sorted(raymm.PUBLIC):
        yield f"{raymm.PUBLIC[name]}.{name}" if name in raymm.PACKAGES else f"raymm.{name}"


def results() -> Iterator[str]:
    """Classes of what the functions return: all that show themselves in a notebook."""
    for module in sorted(set(raymm.PUBLIC.values())):
        import_module(module)
    found = set(_subclasses(shown.Shown))
    yield from sorted(f"{one.__module__}.{one.__name__}" for one in found if not one.__name__.startswith("_"))


def _subclasses(base: type) -> Iterator[type]:
    for one in base.__subclasses__():
        yield one
        yield from _subclasses(one)


def members(package: str, seen: set[Any]) -> Iterator[str]:
    """Public classes and functions of a package in the order of the alphabet, without those that were seen before.

    Registered methods are left out: docs/methods.md describes them.
    """
    module = import_module(package)
    for name in sorted(module.__all__, key=str.lower):
        thing = getattr(module, name)
        documented = inspect.isclass(thing) or (inspect.isfunction(thing) and package != ERRORS)
        if documented and thing not in seen:
            seen.add(thing)
            yield f"{package}.{name}"


def directive(path: str) -> str:
    """The directive of autodoc for a class or a function."""
    module, _, name = path.rpartition(".")
    is_class = inspect.isclass(getattr(import_module(module), name))
    kind = "autoclass" if is_class else "autofunction"
    options = "\n   :members:\n   :exclude-members: Settings" if is_class else ""
    return f".. {kind}:: {path}{options}\n"


def reference() -> str:
    """The page's sections, as Markdown that holds directives."""
    sections = [("raymm", VERBS, functions())]
    sections += [("What they return", "All have `summary()` and show themselves in a notebook.", results())]
    seen = {METHODS.get(name) for name in METHODS}
    sections += [(package, about, members(package, seen)) for package, about in PACKAGES.items()]
    return "\n\n".join(
        f"## {title}\n\n{about}\n\n```{{eval-rst}}\n" + "\n".join(map(directive, paths)) + "```"
        for title, about, paths in sections
    )


def link_pages(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Make reStructuredText of what docstrings hold beside numpy's sections: formulas, and names of pages."""
    del app, what, name, thing, options
    lines[:] = [line if line.lstrip().startswith((">>>", "...")) else as_text(line) for line in lines]


def as_text(line: str) -> str:
    r"""A line whose formulas are not taken for marks, and whose names of pages are links.

    >>> print(as_text("docs/tasks.md: the sum of |C| * `a|b`"))
    :doc:`/tasks`: the sum of \|C\| \* `a|b`
    """
    pieces = PAGE_OF_DOCS.sub(r":doc:`/\1`", line).split("`")
    pieces[::2] = [MARK.sub(r"\\\g<0>", piece) for piece in pieces[::2]]
    return "`".join(pieces)
