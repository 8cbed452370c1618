"""Progress as the command line shows it: bars on a terminal, lines in a log, objects of JSON for programs."""

import os
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

import click

from raymm.tracking.epoch_text import WIDTH

if TYPE_CHECKING:
    from raymm.api.progress import Progress

__all__ = ["follow", "printing", "show_line", "show_result", "terminal_width"]

T = TypeVar("T")

NARROWEST = 20


def printing(as_json: bool = False) -> "Progress":
    """The progress of a command.

    On a terminal it has bars; elsewhere, and where NO_COLOR is set or the terminal is dumb, lines without colours and
    control characters: headings and epochs on stdout, the rest on stderr.

    Parameters
    ----------
    as_json
        Objects of JSON on stdout instead, a line each; see `raymm.cli.json_lines`.
    """
    if as_json:
        from raymm.cli.json_lines import JsonLines

        told = JsonLines()
        if (context := click.get_current_context(silent=True)) is not None:
            context.call_on_close(told.close)  # also after a mistake that comes before the work
        return told
    if _draws():
        from raymm.cli.terminal import Terminal

        return Terminal()
    from raymm.cli.plain import Plain

    return Plain()


def show_result(values: dict[str, object]) -> None:
    """Print the result of a verb for programs, as the last line."""
    from raymm.cli.json_lines import json_line

    click.echo(json_line({"event": "result", **values}))


def show_line(line: str) -> None:
    """Print a line; on a terminal one that does not fit, or has more than 80 columns, goes on below."""
    indent, width = " " * (len(line) - len(line.lstrip())), terminal_width()
    fits = not sys.stdout.isatty() or len(line) <= width
    click.echo(line if fits else "\n".join(textwrap.wrap(line, width, subsequent_indent=f"{indent}  ")))


def terminal_width() -> int:
    """Columns of the terminal, 80 at most and 20 at least; 80 where stdout is none."""
    return max(NARROWEST, min(WIDTH, shutil.get_terminal_size((WIDTH, 24)).columns))


def follow(items: Iterable[T], total: int, what: str) -> Iterator[T]:
    """Yield `items` and show how many of `total` are done, by the same means."""
    from raymm.api.showing import showing

    with showing(printing()) as told:
        yield from told.follow(items, total, what)


def _draws() -> bool:
    """Whether stderr is a terminal on which bars may be drawn."""
    return sys.stderr.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
