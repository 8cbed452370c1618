"""`raymm sweep`: search a space of settings with Ray Tune, every trial a Ray Train run, compared in MLflow."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from raymm.cli.options import (
    FILE,
    FOLDER,
    chosen,
    data_setting_option,
    experiment_option,
    json_option,
    model_option,
    noise_levels,
    noise_option,
    noise_overrides,
    overrides_argument,
    plugin_names,
    plugins_option,
    plugins_overrides,
    print_config_option,
    store_option,
    workers_option,
)
from raymm.cli.progress import printing, show_result
from raymm.errors import ConfigError

if TYPE_CHECKING:
    from raymm.api.sweep_result import SweepResult

__all__ = ["sweep"]


@click.command(
    epilog="Example: raymm sweep --data DATA --space tune_spaces/fs_fm.py --out SWEEP --trials 20 --scheduler halving"
)
@click.option(
    "--data",
    metavar="DATA",
    help="Data set that `raymm prepare` made, or samples that stay where they are; with --resume: where it lies now.",
)
@data_setting_option
@click.option("--space", metavar="FILE[:FUNCTION]", help="Search space, as in tune_spaces/.")
@click.option("--out", type=FOLDER, help="Folder of a new sweep, or of one that comes from its mirror.")
@click.option(
    "--resume",
    metavar="SWEEP",
    help="Finish the pending trials of a sweep; s3://bucket/prefix/NAME, with --out, from its mirror.",
)
@click.option("--retry-failed", is_flag=True, help="With --resume: try trials that failed once more.")
@click.option("--trials", type=click.IntRange(1), help="Draws, of each point of a grid.  [default: 20]")
@click.option("--seeds", type=click.IntRange(1), help="Seeds of each trial; its score is their mean.  [default: 1]")
@click.option("--seed", type=click.IntRange(0), help="The first of them; it also decides the draws.  [default: 0]")
@click.option("--search", type=click.Choice(["random", "optuna"]), help="Random and grid, or TPE.  [default: random]")
@click.option(
    "--scheduler",
    type=click.Choice(["none", "halving", "asha", "median", "pbt"]),
    help="Scheduler that ends trials early.  [default: none]",
)
@click.option(
    "--grace",
    "grace_period",
    type=click.IntRange(1),
    help="Epochs that every trial gets.  [default: warm-up + 1; of halving by the number of trials]",
)
@click.option(
    "--reduction",
    "reduction_factor",
    type=click.IntRange(2),
    help="halving and asha: one in so many goes on.  [default: 3]",
)
@click.option(
    "--concurrent", "max_concurrent_trials", type=click.IntRange(1), help="Trials at once.  [default: as many as fit]"
)
@click.option("--own-warmup", is_flag=True, help="Every trial trains its own warm-up instead of sharing one.")
@model_option
@plugins_option
@noise_option
@click.option("--config", type=FILE, help="YAML file of settings.")
@workers_option("Ray Train workers of each trial.")
@store_option
@experiment_option
@click.option("--register", metavar="NAME", help="Register the best model under this name.")
@print_config_option
@json_option("trials", steps=True)
@overrides_argument
def sweep(
    data: str | None,
    data_settings: tuple[str, ...],
    space: str | None,
    out: Path | None,
    resume: str | None,
    retry_failed: bool,
    model: str | None,
    plugins: tuple[str, ...],
    noise: tuple[str, ...],
    config: Path | None,
    workers: int | None,
    store: Path,
    experiment: str,
    register: str | None,
    print_config: bool,
    as_json: bool,
    overrides: tuple[str, ...],
    **search: Any,
) -> None:
    """Search the settings of a space; trials are scored on validation, and each reads test once, at its end.

    The exit code is 1 where every trial failed.
    """
    import raymm
    from raymm.data.opening import parse_data_settings

    if not print_config:
        _check_folder(data, space, out, resume, retry_failed)
    if resume is not None:
        refused = (
            *chosen(model__build=model, cluster__workers=workers),
            *plugins_overrides(plugins),
            *noise_overrides(noise),
        )
        given = {"config": config, "data_settings": data_settings or None, **search}
        _refuse_settings(given, (*refused, *overrides))
    shared: dict[str, Any] = {
        "model": model,
        "plugins": plugin_names(plugins),
        "noise": noise_levels(noise),
        "workers": workers,
    }
    if print_config:
        _print(resume, config, overrides, shared, search["seed"] or 0)
        return
    result = raymm.sweep(
        data,
        space,
        out=out,
        resume=resume,
        retry_failed=retry_failed,
        data_settings=parse_data_settings(data_settings),
        config=config,
        settings=overrides,
        store=store,
        experiment=experiment,
        register=register,
        progress=printing(as_json),
        **shared,
        **search,
    )
    _show(result, store, as_json)
    if result.trials and all(trial.status == "failed" for trial in result.trials):
        again = f"raymm sweep --resume {result.folder} --retry-failed"
        click.echo(f"every trial failed; once the cause is mended, try them again by {again}", err=True)
        click.get_current_context().exit(1)


def _show(result: "SweepResult", store: Path, as_json: bool) -> None:
    if result.registered:
        click.echo(f"registered {result.registered}", err=True)
    if as_json:
        show_result({"sweep": str(result.folder), "metric": result.metric, "trials": result.table()})
        return
    click.echo(f"\n{result.summary()}\n\nsummary with plots: {result.report}")
    click.echo(f"compare in the browser: raymm ui --store {store}")


def _print(
    resume: str | None, config: Path | None, overrides: tuple[str, ...], shared: dict[str, Any], seed: int
) -> None:
    """The settings that trials share, before a space changes them."""
    from raymm.api.printed import config_yaml
    from raymm.api.settings import config_of, options_of
    from raymm.sweep.store import open_sweep
    from raymm.training.warmups import with_seed

    if resume is not None:
        click.echo(config_yaml(open_sweep(Path(resume)).config), nl=False)
        return
    click.echo(config_yaml(with_seed(config_of(config, overrides, options_of(**shared)), seed)), nl=False)


def _check_folder(
    data: str | None, space: str | None, out: Path | None, resume: str | None, retry_failed: bool
) -> None:
    """Raise `UsageError` for options that make neither a new sweep nor an earlier one."""
    from raymm.api.sweep_inputs import folder_of

    try:
        folder_of(data, space, out, resume, retry_failed, _spelled)
    except ConfigError as cause:
        raise click.UsageError(str(cause)) from cause


def _refuse_settings(options: dict[str, Any], settings: tuple[str, ...]) -> None:
    """A resumed sweep keeps its settings: refuse options that would change them."""
    from raymm.api.sweep_inputs import refuse_settings

    given = [name for name, value in options.items() if value is not None and value is not False]
    names = [option.opts[0] for option in sweep.params if option.name in given]
    try:
        refuse_settings([*names, *settings], _spelled)
    except ConfigError as cause:
        raise click.UsageError(str(cause)) from cause


def _spelled(name: str) -> str:
    return f"--{name.replace('_', '-')}"
