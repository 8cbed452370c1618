"""`raymm doctor`: what is installed and reachable here, what is wrong, and what to do about it."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from raymm.cli.options import FOLDER, json_option, store_option

if TYPE_CHECKING:
    from raymm.cluster.probe import Finding

__all__ = ["doctor"]


@click.command(epilog="Example: raymm doctor --path runs")
@click.option("--path", type=FOLDER, default=".", show_default=True, help="Folder that runs will be written to.")
@store_option
@json_option("findings")
@click.pass_context
def doctor(ctx: click.Context, path: Path, store: Path, as_json: bool) -> None:
    """Look at versions, devices, Ray, MLflow, disk and limits; exit with 1 when something is wrong."""
    from raymm.cli import machine
    from raymm.cluster.probe import probe_ray

    findings = [
        *machine.versions(),
        *machine.devices(),
        *probe_ray(),
        machine.tracking(store),
        *machine.disk(path),
        *machine.limits(),
    ]
    wrong = [finding for finding in findings if finding.advice]
    if as_json:
        click.echo(json.dumps({"ok": not wrong, "findings": [asdict(finding) for finding in findings]}))
    else:
        _show(findings)
        click.echo(f"{len(wrong)} of {len(findings)} need attention" if wrong else "nothing is wrong")
    ctx.exit(1 if wrong else 0)


def _show(findings: Sequence["Finding"]) -> None:
    """A table on a terminal, plain lines in a log."""
    if sys.stdout.isatty():
        _table(findings)
        return
    for finding in findings:
        mark = "!!" if finding.advice else "ok"
        click.echo(f"{mark}  {finding.name:<16} {finding.value}")
        if finding.advice:
            click.echo(f"    {'':<16} -> {finding.advice}")


def _table(findings: Sequence["Finding"]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table("", "what", "found", "what to do", box=None)
    for finding in findings:
        mark = Text("!!", style="bold red") if finding.advice else Text("ok", style="green")
        table.add_row(mark, finding.name, Text(finding.value), Text(finding.advice))
    Console().print(table)
