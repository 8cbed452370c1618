"""Tutorials as notebooks to download: made from their pages when the site is built, without outputs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import nbformat

from tests.docs.notebooks import Page, notebook_of

if TYPE_CHECKING:
    from sphinx.application import Sphinx

__all__ = ["offered", "setup"]

FOLDER = "tutorials/"


def offered(name: str, text: str) -> str:
    """A page with a link to its notebook below its title."""
    title, _, rest = text.partition("\n")
    return f'{title}\n\n<p><a href="{name}.ipynb" download>Download as a notebook</a></p>\n{rest}'


def offer(app: Sphinx, page: str, source: list[str]) -> None:
    """Link the notebook of a tutorial."""
    del app
    if page.startswith(FOLDER):
        source[0] = offered(page.removeprefix(FOLDER), source[0])


def write(app: Sphinx, failure: Exception | None) -> None:
    """Write the notebooks beside their pages."""
    if failure is None and app.builder.format == "html":
        for name in (page.removeprefix(FOLDER) for page in app.env.found_docs if page.startswith(FOLDER)):
            text = (Path(app.srcdir) / FOLDER / f"{name}.md").read_text()
            (Path(app.outdir) / FOLDER / f"{name}.ipynb").write_text(nbformat.writes(notebook_of(Page(name, text))))


def setup(app: Sphinx) -> dict[str, bool]:
    """Let Sphinx call this extension."""
    app.connect("source-read", offer)
    app.connect("build-finished", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
