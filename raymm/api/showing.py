"""Who is told of the progress of a call, from its argument `progress`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from raymm.api.bars import Bar, in_notebook
from raymm.api.progress import Progress
from raymm.errors import ConfigError

__all__ = ["Showing", "showing"]

Showing = Progress | Literal["auto"] | None
"""The argument `progress`: a `Progress`; "auto" for a bar on a terminal or in a notebook; None for nothing."""


@contextmanager
def showing(progress: Showing) -> Iterator[Progress]:
    """The progress that an argument asks for, closed after the block.

    Raises
    ------
    ConfigError
        When it is none of what `Showing` says.
    """
    told = _made(progress)
    told.begin()
    try:
        yield told
    finally:
        told.close()


def _made(progress: object) -> Progress:
    if isinstance(progress, Progress):
        return progress
    if progress is None or (progress == "auto" and not (sys.stderr.isatty() or in_notebook())):
        return Progress()
    if progress == "auto":
        return Bar()
    raise ConfigError(f'progress={progress!r}: give a raymm.Progress, "auto" or None')
