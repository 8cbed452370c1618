"""The command line: one file a verb; this file only gathers them and turns errors into one line.

Verbs are imported when they are called, so that `raymm --help` answers at once.
"""

import importlib
import logging
import sys
from collections.abc import Sequence

import click

from raymm import __version__
from raymm.allocator import keep_freed_memory
from raymm.errors import RaymmError

__all__ = ["cli", "main"]

VERBS = ("demo", "prepare", "train", "value", "sweep", "study", "report", "doctor", "ui")


class _Verbs(click.Group):
    """A group whose commands live in modules of the same name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs, in the order in which a newcomer meets them."""
        del ctx
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of a verb."""
        del ctx
        if cmd_name not in VERBS:
            return None
        command: click.Command = getattr(importlib.import_module(f"raymm.cli.{cmd_name}"), cmd_name)
        return command


@click.command(cls=_Verbs)
@click.version_option(__version__, prog_name="raymm")
@click.option("--debug", is_flag=True, help="Show the whole trace of an error.")
@click.option("--verbose", is_flag=True, help="Say more while working.")
@click.pass_context
def cli(ctx: click.Context, debug: bool, verbose: bool) -> None:
    """Value every modality of every sample, and re-sample the ones that contribute too little."""
    ctx.obj = {"debug": debug}
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, format="raymm: %(message)s")


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line and exit: 0 when all went well, 2 for a mistake, 130 when interrupted."""
    keep_freed_memory()
    arguments = list(sys.argv[1:] if args is None else args)
    try:
        code = cli.main(arguments, prog_name="raymm", standalone_mode=False)
    except click.ClickException as cause:
        cause.show()
        code = cause.exit_code
    except (click.Abort, KeyboardInterrupt) as cause:
        # click raises Abort from the KeyboardInterrupt that may say how to go on
        how = f"{cause}" or f"{cause.__cause__ or ''}" or "the same command goes on from there"
        click.echo(f"interrupted; what was committed is kept, {how}", err=True)
        code = 130
    except RaymmError as cause:
        if "--debug" in arguments:
            raise
        click.echo(f"error: {cause}", err=True)
        code = cause.exit_code
    sys.exit(code if isinstance(code, int) else 0)
