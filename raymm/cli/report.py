"""`raymm report`: draw the plots of a finished run and gather them in one HTML page."""

from pathlib import Path

import click

from raymm.cli.options import FOLDER

__all__ = ["report"]


@click.command(epilog="Example: raymm report runs/sample")
@click.argument("run", type=FOLDER)
def report(run: Path) -> None:
    """Write RUN/plots and RUN/report.html."""
    from raymm.reports.run_page import write_run_page
    from raymm.reports.run_tracking import draw_plots
    from raymm.training.result import read_result
    from raymm.training.run import open_run

    opened = open_run(run)
    result = read_result(opened.path)
    dataset = opened.dataset()
    paths = draw_plots(opened.path, result, dataset)
    click.echo(f"wrote {write_run_page(opened, result, paths, dataset.schema.classes)}")
