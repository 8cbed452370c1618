"""`raymm value`: the valuation table of a trained model on a split."""

import json
import shlex
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from raymm.cli.options import (
    FOLDER,
    NamesOption,
    backend_option,
    data_option,
    data_setting_option,
    json_option,
    plugin_names,
    plugins_option,
)
from raymm.cli.progress import follow

if TYPE_CHECKING:
    from raymm.data.dataset import Dataset
    from raymm.valuation.jobs import Stream, Valuing
    from raymm.valuation.table import ValuationTable

__all__ = ["value"]

FILE = click.Path(path_type=Path, dir_okay=False)


def _utilities() -> list[str]:
    from raymm.valuation.utilities import UTILITIES

    return list(UTILITIES)


@click.command(epilog="Example: raymm value --data DATA --checkpoint runs/sample --split test --out test.parquet")
@data_option
@data_setting_option
@click.option("--checkpoint", type=FOLDER, help="Folder of a finished run, or of an exported model.")
@click.option("--model", metavar="MODULE:FUNCTION", help="A model of your own: a function from the schema to it.")
@click.option(
    "--split", type=click.Choice(["train", "val", "test"]), default="test", show_default=True, help="What is valued."
)
@click.option("--out", type=FILE, required=True, help="Parquet file to write; a rerun goes on where it stopped.")
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
@json_option("summary")
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
    backend: str,
    actors: int,
    gpus_per_actor: float,
    html: Path | None,
    report: Path | None,
    as_json: bool,
) -> None:
    """Value every modality of every sample of a split."""
    from raymm.data.opening import open_data, parse_data_settings
    from raymm.models.valued import import_plugins, load_for, load_own, with_masking
    from raymm.storage.layout import index_folder, lock_of_file
    from raymm.storage.lock import writing
    from raymm.valuation.jobs import value_to_file

    if (checkpoint is None) == (model is None):
        raise click.UsageError("give one of --checkpoint and --model")
    own_plugins = import_plugins(plugin_names(plugins), checkpoint)
    dataset = open_data(
        data,
        index_folder(out),
        parse_data_settings(data_settings),
        lambda words: click.echo(f"note: {words}", err=True),
        known=[] if checkpoint is None else [index_folder(checkpoint)],
    )
    settings = {"utility": utility, "method": method, "budget": _budget(budget)}
    chosen = {key: setting for key, setting in settings.items() if setting is not None}
    job = load_own(model, dataset, split, chosen) if model else load_for(checkpoint or Path(), dataset, split, chosen)
    job = job.with_plugins(own_plugins).on_cluster(actors=actors, workers=1, gpus_per_actor=gpus_per_actor)
    tables: dict[str, ValuationTable] = {}
    with writing(lock_of_file(out), f"the table {out}"), _stream(job, backend, model) as stream:
        for name in (masking or "").split(","):
            masked = with_masking(job, name.strip(), dataset) if name else job
            path = out if not tables else out.with_name(f"{out.stem}-{name.strip()}{out.suffix}")
            tables[name.strip() or "as trained"] = value_to_file(masked, stream, path, _follow)
    _show(tables, out, as_json, dataset.schema.classes)
    _write_pages(next(iter(tables.values())), dataset, html, report)


@contextmanager
def _stream(job: "Valuing", backend: str, model: str | None) -> "Iterator[Stream]":
    """Where the work is done: this process, or actors of a cluster."""
    if backend == "local":
        from raymm.valuation.engine import stream_rows

        yield stream_rows
        return
    from raymm.cluster.connect import connect
    from raymm.cluster.valuation_pool import ActorPool

    with connect(job.config.cluster):
        pool = ActorPool(model=model)
        yield pool.stream
        pool.close()


def _follow(shards: Iterator[Any], total: int) -> Iterator[Any]:
    return follow(shards, total, "valuing blocks of samples")


def _show(tables: "dict[str, ValuationTable]", out: Path, as_json: bool, classes: Sequence[str]) -> None:
    from raymm.reports.valuation_stability import stability, stability_lines
    from raymm.reports.valuation_summary import summarise, summary_lines

    first = next(iter(tables.values()))
    summary = summarise(first, classes)
    compared = stability(tables) if len(tables) > 1 else []
    if as_json:
        click.echo(json.dumps({**summary, "maskings": compared}))
        return
    click.echo("\n".join([*summary_lines(summary), *stability_lines(compared)]))
    click.echo(f"wrote {len(first)} rows to {out}")


def _write_pages(table: "ValuationTable", dataset: "Dataset", html: Path | None, report: Path | None) -> None:
    if html:
        from raymm.reports.valuation_page import write_valuation_page

        write_valuation_page(html, table, dataset.schema.classes)
        click.echo(f"wrote {html}", err=True)
    if report:
        from raymm.reports.valuation_report import write_valuation_report

        command = shlex.join(["raymm", *sys.argv[1:]])
        title = f"What each modality contributes: {dataset.path.name}"
        write_valuation_report(report, table, dataset.schema.classes, title, command)
        click.echo(f"wrote {report / 'README.md'}", err=True)


def _budget(text: str | None) -> int | str | None:
    return int(text) if text and text.isdigit() else text
