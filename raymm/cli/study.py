"""`raymm study`: comparisons that settle a claim; `oracle`, the games of known value, lies beside the tests."""

import importlib

import click

from raymm.errors import ConfigError

__all__ = ["study"]

ORACLE = "tests.oracle.command"
"""Where a checkout has the games, their formulas and the comparison."""


class _Studies(click.Group):
    """Studies by name; each is imported when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The studies that there are."""
        del ctx
        return ["oracle"]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a study; raises `ConfigError` where this is no checkout."""
        del ctx
        if cmd_name != "oracle":
            return None
        try:
            command: click.Command = importlib.import_module(ORACLE).oracle
        except ModuleNotFoundError as cause:
            raise ConfigError(
                f"study oracle: {ORACLE} is not here ({cause}); the games of known value are tests, so run it in a "
                "checkout of raymm"
            ) from cause
        return command


@click.command(cls=_Studies, invoke_without_command=True, epilog="Example: raymm study oracle --out oracle")
@click.pass_context
def study(ctx: click.Context) -> None:
    """Settle a claim by a comparison."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
