"""The command line: one file a verb; this file only gathers them and turns errors into one line.

Verbs are imported when they are called, so that `raymm --help` answers at once.
"""

import importlib
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import click

from raymm import __version__
from raymm.allocator import tune_malloc
from raymm.cli.mistakes import (
    explain_interrupt,
    explain_out_of_memory,
    explain_unknown_option,
    is_out_of_memory,
)
from raymm.errors import RaymmError, did_you_mean, in_one_line, is_of_own_code
from raymm.signals import exit_code_of, stoppable
from raymm.storage.os_errors import explain_os_error

__all__ = ["cli", "main"]

VERBS = (
    "demo",
    "prepare",
    "train",
    "value",
    "predict",
    "export",
    "sweep",
    "study",
    "compare",
    "report",
    "status",
    "config",
    "doctor",
    "ui",
)


class _Verbs(click.Group):
    """A group whose commands live in modules of the same name."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The verbs, in the order in which a newcomer meets them."""
        del ctx
        return list(VERBS)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """The command of the first word; for a word that is none, the nearest one is named."""
        if args[0] not in VERBS and not args[0].startswith("-"):
            ctx.fail(f"no verb '{args[0]}'; {did_you_mean(args[0], VERBS)}")
        return super().resolve_command(ctx, args)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of a verb."""
        del ctx
        if cmd_name not in VERBS:
            return None
        command: click.Command = getattr(importlib.import_module(f"raymm.cli.{cmd_name}"), cmd_name)
        return command


@click.command(cls=_Verbs)
@click.version_option(__version__, prog_name="raymm")
@click.option("--debug", is_flag=True, help="Show the whole trace of an error; may also stand behind the verb.")
@click.option("--verbose", is_flag=True, help="Say more while working.")
def cli(debug: bool, verbose: bool) -> None:
    """Value every modality of every sample, and re-sample the ones that contribute too little."""
    del debug  # `main` reads it
    logging.basicConfig(level=logging.INFO if verbose else logging.WARNING, format="raymm: %(message)s")


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line and exit.

    Exit codes: 0 when all went well, 2 for a mistake, and 130, 143 or 129 when ended by SIGINT, SIGTERM or SIGHUP.
    Modules of the current folder can be imported, as in `--model mymodel:load`; Ray's workers look there as well.
    """
    tune_malloc()
    _add_current_folder()
    arguments = list(sys.argv[1:] if args is None else args)
    debug = "--debug" in arguments  # wherever it stands
    try:
        with stoppable():
            code = cli.main(
                [word for word in arguments if word != "--debug"], prog_name="raymm", standalone_mode=False
            )
    except click.NoSuchOption as cause:
        click.echo(f"error: {explain_unknown_option(cause, VERBS)}", err=True)
        code = cause.exit_code
    except click.ClickException as cause:
        cause.show()
        code = cause.exit_code
    except (click.Abort, KeyboardInterrupt) as cause:
        code = _ended(cause.__cause__ or cause, debug)  # click raises Abort from the KeyboardInterrupt
    except BrokenPipeError:  # the reader of the output, such as `head`, has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except Exception as cause:  # noqa: BLE001  (`_failed` raises it where it is a fault of raymm)
        code = _failed(cause, debug)
    sys.exit(code if isinstance(code, int) else 0)


def _ended(cause: BaseException, debug: bool) -> int:
    """Say what interrupted the command; an EOFError, of which click makes an interrupt too, is a mistake."""
    if isinstance(cause, EOFError):
        return _failed(cause, debug)
    click.echo(explain_interrupt(cause), err=True)
    return exit_code_of(cause)


def _failed(cause: Exception, debug: bool) -> int:
    """Say what went wrong in a line, or raise it for its trace."""
    words = _words(cause)
    if debug or words is None:
        raise cause
    click.echo(f"error: {words}", err=True)
    code: int = getattr(cause, "exit_code", RaymmError.exit_code)
    return code


def _words(cause: Exception) -> str | None:
    """What is said of an exception; None where it is raymm's own fault, whose trace is shown."""
    if isinstance(cause, RaymmError):
        return str(cause)
    if isinstance(cause, OSError):
        return explain_os_error(cause)
    if is_out_of_memory(cause):
        return explain_out_of_memory(cause)
    return f"{in_one_line(cause)}; --debug shows the whole trace" if is_of_own_code(cause) else None


def _add_current_folder() -> None:
    """Put the current folder first, as `python -m` does; an installed script has its own folder there."""
    here = str(Path.cwd())
    if here not in sys.path and "" not in sys.path:
        sys.path.insert(0, here)
