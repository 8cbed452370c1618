"""Progress as plain lines, for logs: no colours, no control characters, at most a line in half a minute."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

import click

from raymm.api.progress import Progress
from raymm.tracking.epoch_text import WIDTH

if TYPE_CHECKING:
    from raymm.api.progress import Epoch, Running
    from raymm.training.heading import Heading

__all__ = ["EVERY", "Plain", "follow_in_lines"]

T = TypeVar("T")

EVERY = 30.0
"""Seconds between two lines on what is trained at this moment."""


class Plain(Progress):
    """Headings, epochs and steps on stdout, the rest on stderr."""

    def __init__(self) -> None:
        self._told = time.monotonic()
        self._lock = threading.Lock()

    def on_start(self, heading: Heading) -> None:
        """Print the heading and the legend."""
        for line in (*heading.lines(), "", *heading.legend(), ""):
            self.on_line(line)

    def on_epoch(self, epoch: Epoch) -> None:
        """Print the epoch."""
        self.on_line(str(epoch))

    def on_running(self, running: Sequence[Running]) -> None:
        """Say how far the epoch is, where nothing was said for half a minute; of several runs `on_line` tells."""
        if len(running) == 1 and time.monotonic() - self._told >= EVERY:
            self._echo(str(running[0])[:WIDTH], err=True)

    def on_line(self, line: str) -> None:
        """Print the line."""
        self._echo(line)

    def on_note(self, words: str) -> None:
        """Print the note."""
        self._echo(f"note: {words}", err=True)

    def follow(self, items: Iterable[T], total: int, what: str) -> Iterator[T]:
        """Say how many items have come, ten times."""
        return follow_in_lines(items, total, what)

    def _echo(self, line: str, err: bool = False) -> None:
        with self._lock:
            self._told = time.monotonic()
            click.echo(line, err=err)


def follow_in_lines(items: Iterable[T], total: int, what: str) -> Iterator[T]:
    """Yield `items` and say on stderr how many of `total` are done, a line every tenth of them."""
    started = time.monotonic()
    for done, item in enumerate(items, start=1):
        yield item
        if done * 10 // total > (done - 1) * 10 // total:
            left = (time.monotonic() - started) / done * (total - done)
            click.echo(f"{what}: {done} of {total}, about {left:.0f} s left", err=True)
