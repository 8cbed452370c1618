"""`raymm value`: the valuation table of a trained model on a split."""

import json
from pathlib import Path

import click

from raymm.cli.options import FOLDER

__all__ = ["value"]


@click.command(epilog="Example: raymm value --data DATA --checkpoint runs/sample --split test --out test.parquet")
@click.option("--data", type=FOLDER, required=True, help="Data set with the modalities of the model.")
@click.option("--checkpoint", type=FOLDER, required=True, help="Folder of a finished run, or of an exported model.")
@click.option("--split", type=click.Choice(["train", "val", "test"]), default="test", show_default=True)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), required=True, help="Parquet file to write.")
@click.option("--utility", help="count, correct, probability, log_probability or margin; default: the run's.")
@click.option("--backend", type=click.Choice(["local", "ray"]), default="ray", show_default=True)
@click.option("--actors", type=click.IntRange(1), default=2, show_default=True, help="Ray valuation actors.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def value(
    data: Path,
    checkpoint: Path,
    split: str,
    out: Path,
    utility: str | None,
    backend: str,
    actors: int,
    as_json: bool,
) -> None:
    """Value every modality of every sample of a split."""
    from raymm.data import open_dataset
    from raymm.studies.summary import summarise, summary_lines
    from raymm.studies.valuing import load_for
    from raymm.valuation import write_table

    dataset = open_dataset(data, check=True)
    job = load_for(checkpoint, dataset, split, utility)
    if backend == "local":
        from raymm.training.value import value_rows

        table = value_rows(job.model, job.view, job.rows, job.config)
    else:
        from raymm.distributed.cluster import connect
        from raymm.distributed.value import ActorPool

        cluster = job.config.cluster.model_copy(update={"actors": actors, "workers": 1})
        with connect(cluster):
            table = ActorPool(actors)(job.model, job.view, job.rows, job.config)
    write_table(out, table)
    summary = summarise(table)
    click.echo(
        json.dumps(summary) if as_json else "\n".join([*summary_lines(summary), f"wrote {len(table)} rows to {out}"])
    )
