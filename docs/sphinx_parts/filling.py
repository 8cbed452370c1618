"""Parts of pages that are made from the code when the site is built: nothing that could go stale is committed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from sphinx_parts.command_line import verbs
from sphinx_parts.formats import columns_of_data, columns_of_values, files
from sphinx_parts.python_reference import link_pages, reference

if TYPE_CHECKING:
    from collections.abc import Callable

    from sphinx.application import Sphinx

__all__ = ["PLACE", "filled", "setup"]

PLACE = re.compile(r"<!-- The site has here: ([a-z ]+) -->")
"""Where a part goes; in the repository nothing is shown there."""

PARTS: dict[str, Callable[[], str]] = {
    "the docstrings": reference,
    "the options of every verb": verbs,
    "the files": files,
    "the columns of a data set": columns_of_data,
    "the columns of a valuation table": columns_of_values,
}


def filled(text: str) -> str:
    """A page with its parts; one that is not known is a `KeyError`."""
    return PLACE.sub(lambda found: PARTS[found[1]](), text)


def setup(app: Sphinx) -> dict[str, bool]:
    """Let Sphinx call this extension."""

    def fill(app: Sphinx, page: str, source: list[str]) -> None:
        del app, page
        source[0] = filled(source[0])

    app.connect("source-read", fill)
    app.connect("autodoc-process-docstring", link_pages, priority=400)  # before napoleon
    return {"parallel_read_safe": True, "parallel_write_safe": True}
