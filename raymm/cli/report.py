"""`raymm report`: what finished runs, a study or a sweep answer, on one HTML page."""

import json
from pathlib import Path

import click

from raymm.cli.options import FILE, FOLDER, json_option

__all__ = ["report"]


@click.command(epilog="Example: raymm report runs/sample --baseline runs/joint")
@click.argument("runs", nargs=-1, required=True, metavar="RUN...", type=FOLDER)
@click.option("--baseline", type=FOLDER, help="Another run on the same data; says what differs, and what does not.")
@click.option(
    "--out",
    type=FILE,
    help="The page.  [default: RUN/report.html; of several runs ./report.html]",
)
@json_option("verdict")
def report(runs: tuple[Path, ...], baseline: Path | None, out: Path | None, as_json: bool) -> None:
    """Write the page of a run, of several runs side by side, of a study or of a sweep.

    Of a run: which modality is under-used, the failure signatures that hold, and the next step as a command; its
    plots go to RUN/plots. Several runs must be on the same data.
    """
    import raymm

    found = raymm.report(*runs, baseline=baseline, out=out)
    click.echo(json.dumps(found.to_dict()) if as_json else found.summary())
