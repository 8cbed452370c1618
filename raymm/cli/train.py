"""`raymm train`: a training run, in one process or on Ray Train, tracked in MLflow."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import click

from raymm.cli.options import (
    FILE,
    FOLDER,
    UnlessOption,
    backend_option,
    data_option,
    data_setting_option,
    experiment_option,
    json_option,
    method_option,
    model_option,
    noise_levels,
    noise_option,
    overrides_argument,
    plugin_names,
    plugins_option,
    print_config_option,
    store_option,
    workers_option,
)
from raymm.cli.progress import printing, show_line, show_result

__all__ = ["train"]


@click.command(epilog="Example: raymm train --data DATA --method sample --out runs/sample training.epochs=30")
@data_option
@data_setting_option
@click.option(
    "--out",
    type=FOLDER,
    cls=UnlessOption,
    unless=("print_config", "check"),
    help="Folder of the run; an unfinished run there goes on.",
)
@method_option
@model_option
@plugins_option
@click.option("--seed", type=int, help="Decides everything that is random.")
@click.option("--epochs", type=int, help="Epochs in all; a short run has a short warm-up.")
@noise_option
@click.option("--config", type=FILE, help="YAML file of settings.")
@backend_option
@workers_option("Ray Train workers.")
@store_option
@experiment_option
@click.option(
    "--check",
    is_flag=True,
    is_eager=True,
    help="Say what would stop the run, and what it would take by its first batches; write nothing. Exit with 0 or 2.",
)
@print_config_option
@json_option(steps=True)
@overrides_argument
def train(
    data: str,
    data_settings: tuple[str, ...],
    out: Path,
    method: str | None,
    model: str | None,
    plugins: tuple[str, ...],
    seed: int | None,
    epochs: int | None,
    noise: tuple[str, ...],
    config: Path | None,
    backend: Literal["local", "ray"],
    workers: int | None,
    store: Path,
    experiment: str,
    check: bool,
    print_config: bool,
    as_json: bool,
    overrides: tuple[str, ...],
) -> None:
    """Train a model by a method, and value its modalities after each epoch."""
    import raymm
    from raymm.data.opening import parse_data_settings

    chosen: dict[str, Any] = {
        "method": method,
        "model": model,
        "seed": seed,
        "epochs": epochs,
        "noise": noise_levels(noise),
        "plugins": plugin_names(plugins),
        "workers": workers,
    }
    if print_config:
        _print(config, overrides, chosen)
        return
    chosen |= {
        "out": out,
        "config": config,
        "settings": overrides,
        "data_settings": parse_data_settings(data_settings),
        "backend": backend,
        "store": store,
    }
    if check:
        _check(data, chosen, as_json)
        return
    result = raymm.train(data, experiment=experiment, progress=printing(as_json), **chosen)
    if as_json:
        findings = [asdict(finding) for finding in result.findings]
        found = {"best_epoch": result.best_epoch, "metrics": result.metrics, "findings": findings}
        show_result({"run": str(result.folder), **found})
        return
    picked = f"picked epoch {result.best_epoch + 1} on validation; see {result.folder} and `raymm ui --store {store}`"
    for line in (*result.finding_lines(), picked, *result.test_lines()):
        show_line(line)


def _check(data: str, chosen: dict[str, Any], as_json: bool) -> None:
    import raymm

    found = raymm.check(data, **chosen)
    click.echo(json.dumps(found.to_dict()) if as_json else found.summary())
    click.get_current_context().exit(0 if found.ok else 2)


def _print(config: Path | None, overrides: tuple[str, ...], chosen: dict[str, Any]) -> None:
    from raymm.api.printed import config_yaml
    from raymm.api.settings import config_of, options_of

    click.echo(config_yaml(config_of(config, overrides, options_of(**chosen))), nl=False)
