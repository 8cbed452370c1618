"""What a long call tells of its progress, and the bar that shows it on a terminal or in a notebook."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as RichProgress

from raymm.errors import ConfigError
from raymm.tracking.epoch_text import epoch_line
from raymm.tracking.metrics import split_metric

__all__ = ["Bar", "Epoch", "Progress", "Showing", "showing"]

T = TypeVar("T")


@dataclass(frozen=True)
class Epoch:
    """An epoch that a run has committed.

    Attributes
    ----------
    run
        Name of the run.
    number, epochs
        Which one it is, from 1, and how many there will be.
    metrics
        As in the history: `train/loss`, `val/accuracy`, ...
    selection
        The validation metric that picks the model.
    """

    run: str
    number: int
    epochs: int
    metrics: Mapping[str, float]
    selection: str

    def __str__(self) -> str:
        """One line for people, of at most 80 columns."""
        return epoch_line(self.number, self.epochs, self.metrics, self.selection)

    def score(self) -> str:
        """The validation metric that picks the model, with its name; one that was not finite is NaN."""
        value = self.metrics.get(split_metric("val", self.selection), math.nan)
        return f"val {self.selection} {value:.3f}"


class Progress:
    """Receives what a call tells of its progress. A subclass overrides what it wants to hear of.

    The methods are called by the process that made the call, some of them from another thread of it.

    Examples
    --------
    >>> class Losses(Progress):
    ...     def on_epoch(self, epoch):
    ...         print(epoch.number, epoch.metrics["train/loss"])
    >>> Losses().on_epoch(Epoch("sample", 3, 30, {"train/loss": 0.25}, "accuracy"))
    3 0.25
    """

    def on_epoch(self, epoch: Epoch) -> None:
        """Hear of an epoch that was committed, also of those that an earlier call trained."""

    def on_line(self, line: str) -> None:
        """Hear of a step of a sweep or study, in a line for people: a trial that begins, a run that ended."""

    def on_note(self, words: str) -> None:
        """Hear of what is good to know, as about a window that was chosen."""

    def follow(self, items: Iterable[T], total: int, what: str) -> Iterator[T]:
        """Pass on items as they come; `total` of them are expected, and `what` says what is done."""
        del total, what
        yield from items

    def close(self) -> None:
        """The call has ended, well or not."""


class Bar(Progress):
    """A bar with the time left, on stderr, or in a notebook; it goes when the call ends."""

    def __init__(self, console: Console | None = None) -> None:
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bar = RichProgress(*columns, console=console or Console(stderr=not _in_notebook()), transient=True)
        self._epochs: dict[str, TaskID] = {}

    def on_epoch(self, epoch: Epoch) -> None:
        """Move the bar of the run on."""
        self._bar.start()
        if epoch.run not in self._epochs:
            self._epochs[epoch.run] = self._bar.add_task(epoch.run, total=epoch.epochs)
        description = f"{epoch.run}  {epoch.score()}"
        self._bar.update(self._epochs[epoch.run], completed=epoch.number, description=description)

    def on_line(self, line: str) -> None:
        """Print the line."""
        self._bar.console.print(line, markup=False, highlight=False)

    def on_note(self, words: str) -> None:
        """Print the note."""
        self.on_line(f"note: {words}")

    def follow(self, items: Iterable[T], total: int, what: str) -> Iterator[T]:
        """Show how many items have come."""
        self._bar.start()
        yield from self._bar.track(items, total=total, description=what)

    def close(self) -> None:
        """Take the bar away."""
        self._bar.stop()


Showing = Progress | Literal["auto"] | None
"""The argument `progress`: a `Progress`; "auto" for a `Bar` on a terminal or in a notebook; None for nothing."""


@contextmanager
def showing(progress: Showing) -> Iterator[Progress]:
    """The progress that an argument asks for, closed after the block.

    Raises
    ------
    ConfigError
        When it is none of what `Showing` says.
    """
    told = _made(progress)
    try:
        yield told
    finally:
        told.close()


def _made(progress: object) -> Progress:
    if isinstance(progress, Progress):
        return progress
    if progress is None or progress == "auto":
        return Bar() if progress == "auto" and (sys.stderr.isatty() or _in_notebook()) else Progress()
    raise ConfigError(f'progress={progress!r}: give a raymm.Progress, "auto" or None')


def _in_notebook() -> bool:
    """Whether this is a kernel of Jupyter."""
    shell = sys.modules.get("IPython")
    running = shell.get_ipython() if shell is not None else None
    return type(running).__name__ == "ZMQInteractiveShell"
