"""`raymm compare`: finished runs against each other, paired by data set and seed, with a report."""

import json
from pathlib import Path

import click

from raymm.cli.options import FOLDER, json_option

__all__ = ["compare"]


@click.command(epilog="Example: raymm compare runs/joint-* runs/sample-* --out comparison")
@click.argument("runs", nargs=-1, required=True, metavar="RUN...", type=FOLDER)
@click.option("--out", type=FOLDER, default="comparison", show_default=True, help="Folder of the report.")
@click.option("--metric", help="What is compared on test. Default: what the runs picked their epochs by.")
@click.option(
    "--reference", metavar="ARM", help="Arm that costs are relative to. Default: joint, or the first run's."
)
@json_option("comparisons")
def compare(runs: tuple[Path, ...], out: Path, metric: str | None, reference: str | None, as_json: bool) -> None:
    """Compare finished runs: which arm is better, by how much, and whether that is shown.

    Runs become arms by what differs in their settings, and are paired by data set and seed.
    """
    import raymm

    result = raymm.compare(runs, out=out, metric=metric, reference=reference)
    if as_json:
        click.echo(json.dumps({"comparisons": result.comparisons(), "files": list(map(str, result.report))}))
        return
    click.echo("\n".join([*result.verdicts(), *(f"wrote {file}" for file in result.report[:2])]))
