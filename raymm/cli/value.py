"""`raymm value`: the valuation table of a trained model on a split."""

import shlex
import sys
from pathlib import Path
from typing import Any, Literal

import click

from raymm.cli.options import (
    FILE,
    FOLDER,
    NamesOption,
    UnlessOption,
    backend_option,
    data_option,
    data_setting_option,
    json_option,
    plugin_names,
    plugins_option,
    print_config_option,
)
from raymm.cli.progress import printing, show_result
from raymm.counts import counted
from raymm.errors import ConfigError

__all__ = ["value"]


def _utilities() -> list[str]:
    from raymm.valuation.utilities import UTILITIES

    return list(UTILITIES)


@click.command(epilog="Example: raymm value --data DATA --checkpoint runs/sample --split test --out test.parquet")
@data_option
@data_setting_option
@click.option("--checkpoint", type=FOLDER, help="Folder of a finished run, or of an exported model.")
@click.option(
    "--model",
    metavar="MODULE:FUNCTION",
    help="A model of your own: a function (also FILE.py:NAME) from the schema to it.",
)
@click.option(
    "--split", type=click.Choice(["train", "val", "test"]), default="test", show_default=True, help="What is valued."
)
@click.option("--out", type=FILE, cls=UnlessOption, help="Parquet file to write; a rerun goes on where it stopped.")
@click.option(
    "--utility", cls=NamesOption, names=_utilities, help="{names}, or package.module:NAME; default: the run's."
)
@click.option("--method", type=click.Choice(["auto", "exact", "sampled"]), help="Default: the run's.")
@click.option("--budget", help="Sampled: coalitions of a sample, or '1x' for the cost of one forward pass.")
@plugins_option
@click.option("--masking", metavar="NAMES", help="zeros, mean or learned; several with commas are compared.")
@backend_option
@click.option("--actors", type=click.IntRange(1), default=2, show_default=True, help="Ray valuation actors.")
@click.option("--gpus-per-actor", type=float, default=0.0, show_default=True, help="May be a fraction.")
@click.option("--html", type=FILE, help="Also write a page that can be sorted and filtered.")
@click.option("--report", type=FOLDER, help="Also write a report with plots, as Markdown.")
@print_config_option
@json_option("summary", steps=True)
def value(
    data: str,
    data_settings: tuple[str, ...],
    checkpoint: Path | None,
    model: str | None,
    split: str,
    out: Path,
    utility: str | None,
    method: str | None,
    budget: str | None,
    plugins: tuple[str, ...],
    masking: str | None,
    backend: Literal["local", "ray"],
    actors: int,
    gpus_per_actor: float,
    html: Path | None,
    report: Path | None,
    print_config: bool,
    as_json: bool,
) -> None:
    """Value every modality of every sample of a split."""
    import raymm
    from raymm.api.places_of_pages import refuse_page, refuse_report
    from raymm.data.opening import parse_data_settings

    if (checkpoint is None) == (model is None):
        raise click.UsageError("give one of --checkpoint and --model")
    if model is not None and ":" not in model:
        raise ConfigError(f"--model: '{model}' must be written as package.module:name")
    if print_config:
        _print(checkpoint, plugin_names(plugins), {"utility": utility, "method": method, "budget": _budget(budget)})
        return
    if html:
        refuse_page("--html", html)
    if report:
        refuse_report("--report", report)
    values = raymm.value(
        checkpoint or model,
        data,
        split=split,
        out=out,
        utility=utility,
        method=method,
        budget=_budget(budget),
        plugins=plugin_names(plugins),
        data_settings=parse_data_settings(data_settings),
        masking=[name.strip() for name in masking.split(",")] if masking else (),
        backend=backend,
        actors=actors,
        gpus_per_actor=gpus_per_actor,
        progress=printing(as_json),
    )
    if as_json:
        show_result({**values.figures(), "maskings": values.stability()})
    else:
        click.echo(f"{values.summary()}\nwrote {counted(len(values), 'row')} to {out}")
    if html:
        click.echo(f"wrote {values.html(html)}", err=True)
    if report:
        title = f"What each modality contributes: {Path(data).absolute().name}"
        command = shlex.join(["raymm", *sys.argv[1:]])
        click.echo(f"wrote {values.report(report, title, command)}", err=True)


def _budget(text: str | None) -> int | str | None:
    return int(text) if text and text.isdigit() else text


def _print(checkpoint: Path | None, plugins: list[str], valuation: dict[str, Any]) -> None:
    from raymm.api.printed import config_yaml, valuation_config
    from raymm.models.valued import import_plugins

    import_plugins(plugins, checkpoint)
    given = {name: value for name, value in valuation.items() if value is not None}
    click.echo(config_yaml(valuation_config(checkpoint, given)), nl=False)
