"""HTML pages from the templates of this package; a page is one file that loads nothing from elsewhere.

Every value in a template is escaped (Jinja's autoescape): class names, sample ids, paths and error messages come from
users. Inserted as they are: the style sheets and scripts of this package, which templates mark `safe`, and what its
own templates have made (cards of a gallery), as `Markup`.
"""

import base64
import re
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from raymm.counts import counted
from raymm.storage.atomic import write_bytes

__all__ = ["inline_image", "render", "write_html"]


def write_html(path: Path, template: str, **values: Any) -> None:
    """Render a template into a file."""
    write_bytes(path, render(template, **values).encode(errors="backslashreplace"))  # a name of a file may be no text


def render(template: str, **values: Any) -> str:
    """A template of `raymm/reports/templates` with its values, all of which must be given."""
    return _environment().get_template(template).render(values)


def inline_image(path: Path) -> str:
    """A PNG as the address of an image that needs no file beside the page."""
    return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("raymm.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals["asset"] = _asset
    environment.filters["inline_image"] = inline_image
    environment.filters["with_code"] = _with_code
    environment.filters["counted"] = counted
    return environment


def _with_code(text: str) -> Markup:
    """A sentence, escaped, in which what stands between backticks is code."""
    pieces = re.split(r"`([^`]+)`", text)
    marked = [Markup("<code>{}</code>").format(piece) if at % 2 else piece for at, piece in enumerate(pieces)]
    return Markup("").join(marked)


def _asset(name: str) -> str:
    """A style sheet or script of this package."""
    return files("raymm.reports").joinpath("assets", name).read_text(encoding="utf-8")
