"""Progress of long work: a bar on a terminal, a line every tenth in a log, with an estimate of the time left."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

import click
from rich.console import Console
from rich.progress import track

__all__ = ["follow"]

T = TypeVar("T")


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
