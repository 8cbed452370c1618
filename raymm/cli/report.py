"""`raymm report`: draw the plots of a finished run and gather them in one HTML page."""

from pathlib import Path

import click

from raymm.cli.options import FOLDER

__all__ = ["report"]


@click.command(epilog="Example: raymm report runs/sample")
@click.argument("run", type=FOLDER)
@click.option("--baseline", type=FOLDER, help="Another run on the same data; says so where no difference is shown.")
def report(run: Path, baseline: Path | None) -> None:
    """Write RUN/plots and RUN/report.html, and say which failure signatures hold."""
    import raymm

    click.echo(raymm.report(run, baseline=baseline).summary())
