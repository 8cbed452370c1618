"""Bars with the time left, on a terminal or in a notebook: epochs of a run, rows of an epoch, items of other work."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeVar

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn
from rich.progress import Progress as RichProgress
from rich.table import Column

from raymm.api.progress import Progress, clock, pace_of
from raymm.tracking.epoch_text import short_name, short_number

if TYPE_CHECKING:
    from raymm.api.progress import Epoch, Running
    from raymm.training.heading import Heading

__all__ = ["Bar", "in_notebook"]

T = TypeVar("T")

NAME = 32
"""Columns of what a bar is of; with the bar and the words behind it, a line has 80."""

PER_SECOND = 2.0
"""Times that the bars are drawn in a second."""


class Bar(Progress):
    """Bars on stderr, or in a notebook, that go when the call ends.

    Parameters
    ----------
    console
        Where they are drawn.
    lines
        Whether headings and epochs are printed above the bars, as a command does.
    """

    live = True

    def __init__(self, console: Console | None = None, lines: bool = False) -> None:
        cut = Column(no_wrap=True, overflow="ellipsis")
        columns = (
            TextColumn("{task.description}", table_column=cut),
            BarColumn(14),
            TextColumn("{task.fields[words]}"),
        )
        self._console = console or Console(stderr=not in_notebook())
        self._bar = RichProgress(
            *columns,
            console=self._console,
            transient=True,
            refresh_per_second=PER_SECOND,
            redirect_stdout=sys.stdout.isatty(),
        )
        self._lines = lines
        self._epochs: dict[str, TaskID] = {}
        self._running: dict[str, TaskID] = {}
        self._moved: list[logging.StreamHandler[Any]] = []

    def begin(self) -> None:
        """Let what is logged stand above the bars."""
        self._bar.start()
        for handler in logging.getLogger().handlers:
            if type(handler) is logging.StreamHandler and handler.stream is sys.__stderr__:
                handler.setStream(sys.stderr)  # which the bars have replaced
                self._moved.append(handler)

    def on_start(self, heading: Heading) -> None:
        """Print the heading and the legend."""
        if self._lines:
            for line in ("", *heading.lines(), "", *heading.legend(), ""):
                self.on_line(line)

    def on_running(self, running: Sequence[Running]) -> None:
        """Move the bars of what is trained: of one run over the rows of its epoch, of several over their epochs."""
        self._bar.start()
        for name in self._running.keys() - {run.name for run in running}:
            self._bar.remove_task(self._running.pop(name))
        for run in running:
            if run.name not in self._running:
                self._running[run.name] = self._bar.add_task("", words="", visible=False)
            shown = _alone(run) if len(running) == 1 else _among(run)
            self._bar.update(self._running[run.name], visible=True, **shown)

    def on_epoch(self, epoch: Epoch) -> None:
        """Move the bar of the run on."""
        self._bar.start()
        if epoch.run not in self._epochs:
            self._epochs[epoch.run] = self._bar.add_task("", words="", visible=False)
        left = None if epoch.seconds is None else epoch.seconds * (epoch.epochs - epoch.number)
        self._bar.update(
            self._epochs[epoch.run],
            visible=True,
            completed=epoch.number,
            total=epoch.epochs,
            description=short_name(f"{epoch.run}  {epoch.score()}", NAME),
            words=f"{epoch.number}/{epoch.epochs} epochs" + ("" if left is None else f"  {clock(left)} left"),
        )
        if self._lines:
            self.on_line(str(epoch))

    def on_line(self, line: str) -> None:
        """Print the line."""
        self._print(line)

    def on_note(self, words: str) -> None:
        """Print the note."""
        self._print(f"note: {words}")

    def follow(self, items: Iterable[T], total: int, what: str) -> Iterator[T]:
        """Show how many items have come."""
        self._bar.start()
        began, task = time.monotonic(), self._bar.add_task(short_name(what.strip(), NAME), total=total, words="")
        for done, item in enumerate(items, start=1):
            yield item
            left = (time.monotonic() - began) / done * max(total - done, 0)
            self._bar.update(task, completed=done, words=f"{done}/{total}  {clock(left)} left")
        self._bar.remove_task(task)

    def close(self) -> None:
        """Take the bars away."""
        self._bar.stop()
        for handler in self._moved:
            handler.setStream(sys.__stderr__)
        self._moved.clear()
        for task in self._bar.task_ids:
            with suppress(KeyError):
                self._bar.remove_task(task)
        self._epochs.clear()
        self._running.clear()

    def _print(self, line: str) -> None:
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


def _alone(run: Running) -> dict[str, Any]:
    state = run.state
    name = f"{short_name(run.name, NAME - 14)}  epoch {state.epoch}/{state.epochs}"
    done, of = (state.valued, state.to_value) if state.values else (state.rows, state.of)
    total = of if of and (state.values or state.phase == "training") else None  # a bar that only moves
    return {"description": name, "completed": done, "total": total, "words": pace_of(state)}


def _among(run: Running) -> dict[str, Any]:
    state = run.state
    score = "" if state.best is None else f"  {state.selection} {short_number(state.best)}"
    return {
        "description": short_name(run.name, NAME),
        "completed": state.epoch - 1 + state.share,
        "total": state.epochs,
        "words": f"{state.epoch}/{state.epochs} epochs{score}" if state.at else state.phase,
    }


def in_notebook() -> bool:
    """Whether this is a kernel of Jupyter."""
    shell = sys.modules.get("IPython")
    running = shell.get_ipython() if shell is not None else None
    return type(running).__name__ == "ZMQInteractiveShell"
