"""`raymm train`: a training run, in one process or on Ray Train, tracked in MLflow."""

import json
from dataclasses import asdict
from pathlib import Path

import click

from raymm.cli.options import (
    FOLDER,
    backend_option,
    chosen,
    experiment_option,
    json_option,
    method_option,
    noise_option,
    noise_overrides,
    overrides_argument,
    plugins_option,
    plugins_overrides,
    store_option,
    workers_option,
)

__all__ = ["train"]


@click.command(epilog="Example: raymm train --data DATA --method sample --out runs/sample training.epochs=30")
@click.option("--data", type=FOLDER, required=True, help="Data set that `raymm prepare` made.")
@click.option("--out", type=FOLDER, required=True, help="Folder of the run; an unfinished run there goes on.")
@method_option
@plugins_option
@click.option("--seed", type=int, help="Decides everything that is random.")
@click.option("--epochs", type=int, help="Epochs in all; a short run has a short warm-up.")
@noise_option
@click.option("--config", type=click.Path(path_type=Path, dir_okay=False), help="YAML file of settings.")
@backend_option
@workers_option("Ray Train workers.")
@store_option
@experiment_option
@json_option()
@overrides_argument
def train(
    data: Path,
    out: Path,
    method: str | None,
    plugins: tuple[str, ...],
    seed: int | None,
    epochs: int | None,
    noise: tuple[str, ...],
    config: Path | None,
    backend: str,
    workers: int | None,
    store: Path,
    experiment: str,
    as_json: bool,
    overrides: tuple[str, ...],
) -> None:
    """Train a model, value it after each epoch and re-sample what contributes too little."""
    from raymm.cli.tracked import train_tracked
    from raymm.cluster.connect import require_cores
    from raymm.config.loading import load
    from raymm.data.dataset import open_dataset
    from raymm.mirror.runs import open_mirrored
    from raymm.reports.diagnostics.of_run import findings_of
    from raymm.storage.layout import lock_of_folder
    from raymm.storage.lock import writing
    from raymm.tracking.metrics import is_of_split

    options = chosen(method__name=method, training__seed=seed, training__epochs=epochs, cluster__workers=workers)
    settings = load(config, (*options, *plugins_overrides(plugins), *noise_overrides(noise), *overrides))
    if backend == "ray":
        require_cores(settings.cluster)
    with writing(lock_of_folder(out), f"the run {out}"):
        dataset = open_dataset(data)
        run = open_mirrored(out, settings, dataset)
        result = train_tracked(run, dataset, backend, store, experiment, quiet=as_json)
    if as_json:
        findings = [asdict(finding) for finding in findings_of(run, dataset, result.history)]
        found = {"best_epoch": result.best_epoch, "metrics": result.metrics, "findings": findings}
        click.echo(json.dumps({"run": str(run.path), **found}))
        return
    click.echo(f"picked epoch {result.best_epoch + 1} on validation; see {run.path} and `raymm ui --store {store}`")
    for name, value in sorted(result.metrics.items()):
        if is_of_split(name, "test"):
            click.echo(f"  {name:<28} {value:.4f}")
