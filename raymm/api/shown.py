"""What results have in common: how they look in a notebook, and the folder that they lie in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from html import escape
from pathlib import Path
from typing import Any, TypeVar

from raymm.errors import ConfigError, did_you_mean
from raymm.storage.local_path import as_path

__all__ = ["Placed", "Shown", "place_of", "plot_called"]

Plot = TypeVar("Plot")


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
    """The folder of a result, and what stands for a path as one; anything else as it is."""
    return given.folder if isinstance(given, Placed) else as_path(given)


def plot_called(kind: str, plots: Mapping[str, Plot]) -> Plot:
    """The plot of a kind; raises `ConfigError` where there is none.

    >>> plot_called("pie", {"learning-curves": 1})
    Traceback (most recent call last):
    raymm.errors.ConfigError: plot: no kind 'pie'; known: learning-curves
    """
    if kind not in plots:
        raise ConfigError(f"plot: no kind {kind!r}; {did_you_mean(str(kind), plots)}")
    return plots[kind]
