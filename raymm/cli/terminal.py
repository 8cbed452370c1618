"""Progress on a terminal: the lines of a log, and below them bars that move."""

import sys

import click

from raymm.api.bars import Bar

__all__ = ["Terminal"]


class Terminal(Bar):
    """Bars on stderr; lines above them, or on stdout where that is a file or another program."""

    def __init__(self) -> None:
        super().__init__(lines=True)
        self._stdout = sys.stdout

    def on_line(self, line: str) -> None:
        """Print the line."""
        if self._stdout.isatty():
            super().on_line(line)
        else:
            click.echo(line, file=self._stdout)
