"""Progress of long work as the command line shows it: lines, and a bar or a line every tenth for items."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

import click
from rich.console import Console
from rich.progress import track

if TYPE_CHECKING:
    from raymm.api.progress import Progress

__all__ = ["follow", "printing"]

T = TypeVar("T")


def printing(quiet: bool = False) -> "Progress":
    """A progress that prints epochs and steps as lines on stdout, and the rest on stderr.

    Parameters
    ----------
    quiet
        Leave out what goes to stdout, which belongs to a program.
    """
    from raymm.api.progress import Epoch, Progress

    class Printing(Progress):
        def on_epoch(self, epoch: Epoch) -> None:
            self.on_line(str(epoch))

        def on_line(self, line: str) -> None:
            if not quiet:
                click.echo(line)

        def on_note(self, words: str) -> None:
            click.echo(f"note: {words}", err=True)

        def follow(self, items: Iterable[T], total: int, what: str) -> Iterator[T]:
            return follow(items, total, what)

    return Printing()


def follow(items: Iterable[T], total: int, what: str) -> Iterator[T]:
    """Yield `items` and show on stderr how many of `total` are done."""
    if sys.stderr.isatty():
        yield from track(items, what, total=total, console=Console(stderr=True), transient=True)
        return
    started = time.monotonic()
    for done, item in enumerate(items, start=1):
        yield item
        if done * 10 // total > (done - 1) * 10 // total:
            left = (time.monotonic() - started) / done * (total - done)
            click.echo(f"{what}: {done} of {total}, about {left:.0f} s left", err=True)
