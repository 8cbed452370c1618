"""Pages of the repository's root on the site: a page that is nothing but a link to one is that page there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx

__all__ = ["setup"]

ONLY_A_LINK = re.compile(r"\s*\[\w+\.md\]\(\.\./(\w+\.md)\)\s*")
TO_ROOT = re.compile(r"\]\((?:\.\./)*(README|CONTRIBUTING|SECURITY|CHANGELOG)\.md")
PAGES = {"README": "index", "CONTRIBUTING": "contributing", "SECURITY": "security", "CHANGELOG": "changelog"}


def read_root_page(app: Sphinx, page: str, source: list[str]) -> None:
    """Take in the page that is linked, and lead links to the root's pages to those of the site."""
    del page
    if only := ONLY_A_LINK.fullmatch(source[0]):
        path = Path(app.srcdir).parent / only[1]
        app.env.note_dependency(str(path))
        source[0] = path.read_text().replace("](docs/", "](")
    source[0] = TO_ROOT.sub(lambda found: f"](/{PAGES[found[1]]}.md", source[0])


def setup(app: Sphinx) -> dict[str, bool]:
    """Let Sphinx call this extension."""
    app.connect("source-read", read_root_page, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
