"""`raymm status`: what runs, has ended or was left below a folder."""

from pathlib import Path

import click

from raymm.cli.options import FOLDER, json_option

__all__ = ["status"]

MOST = 40


@click.command(epilog="Example: raymm status runs")
@click.argument("folder", type=FOLDER, default=".", metavar="[DIR]")
@click.option("--all", "every", is_flag=True, help=f"Show all of them; else those that run, and {MOST} at most.")
@json_option("status of each, an object a line,")
def status(folder: Path, every: bool, as_json: bool) -> None:
    """Say of the runs, sweeps and studies below DIR whether they run, how far they are, and how good."""
    import raymm
    from raymm.cli.json_lines import json_line
    from raymm.cli.progress import terminal_width

    found = raymm.status(folder)
    if as_json:
        for one in found:
            click.echo(json_line({"event": "status", **one.to_dict()}))
        return
    running = sum(one.state == "running" for one in found)
    click.echo(found.summary(None if every else max(MOST, running), width=terminal_width()))
