"""What results have in common: how they look in a notebook, and the folder that they lie in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from html import escape
from pathlib import Path
from typing import Any

__all__ = ["Placed", "Shown", "place_of"]


class Shown(ABC):
    """A result with a short `repr` and a `summary` of several lines."""

    @abstractmethod
    def summary(self) -> str:
        """What there is to say, in lines."""

    def _repr_html_(self) -> str:
        lines = f'<pre style="line-height:1.3">{escape(self.summary())}</pre>'
        return f"<div><b>{escape(repr(self))}</b>{lines}</div>"


class Placed(Shown):
    """A result that lies in a folder, which functions take in the place of the folder."""

    folder: Path


def place_of(given: Any) -> Any:
    """The folder of a result; anything else as it is."""
    return given.folder if isinstance(given, Placed) else given
