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
    from raymm.reports.diagnostics.finding import finding_lines
    from raymm.reports.diagnostics.of_run import findings_against, findings_of
    from raymm.reports.run_page import write_run_page
    from raymm.reports.run_tracking import draw_plots
    from raymm.training.result import read_result
    from raymm.training.run import open_run

    opened = open_run(run)
    result = read_result(opened.path)
    dataset = opened.dataset()
    paths = draw_plots(opened.path, result, dataset)
    findings = findings_of(opened, dataset, result.history)
    if baseline is not None:
        findings += findings_against(opened, open_run(baseline))
    for line in finding_lines(findings):
        click.echo(line)
    click.echo(f"wrote {write_run_page(opened, result, paths, dataset.schema.classes, findings)}")
