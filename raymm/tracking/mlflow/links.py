"""Links in descriptions, which are written before the address of the run in the store is known."""

import re
from collections.abc import Callable

__all__ = ["NOTE", "has_links", "with_links"]

NOTE = "mlflow.note.content"
"""The tag that holds a description."""

CHILDREN = re.compile(r"\(children:([^()\s]+)\)")


def has_links(text: str) -> bool:
    """Whether a description has links to the run's children."""
    return CHILDREN.search(text) is not None


def with_links(text: str, address: Callable[[str], str]) -> str:
    """A description with addresses in place of `children:METRIC`, which `address` gives for a metric."""
    return CHILDREN.sub(lambda found: f"({address(found[1])})", text)
