"""`raymm sweep`: search a space of settings with Ray Tune, every trial a Ray Train run, compared in MLflow."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from raymm.cli.options import (
    FOLDER,
    chosen,
    experiment_option,
    json_option,
    noise_option,
    noise_overrides,
    overrides_argument,
    plugins_option,
    plugins_overrides,
    store_option,
    workers_option,
)
from raymm.storage import layout
from raymm.storage.atomic import remove_unfinished
from raymm.storage.layout import lock_of_folder
from raymm.storage.lock import writing

if TYPE_CHECKING:
    from raymm.data.dataset import Dataset
    from raymm.sweep.rows import TrialRow
    from raymm.sweep.store import Sweep, SweepConfig
    from raymm.sweep.tracking import SweepCallback

__all__ = ["sweep"]


@click.command(
    epilog="Example: raymm sweep --data DATA --space tune_spaces/fs_fm.py --out SWEEP --trials 20 --scheduler asha"
)
@click.option("--data", type=FOLDER, help="Data set that `raymm prepare` made; with --resume: where it lies now.")
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
    type=click.Choice(["none", "asha", "median", "pbt"]),
    help="Scheduler that ends trials early.  [default: none]",
)
@click.option(
    "--grace", "grace_period", type=click.IntRange(1), help="Epochs that every trial gets.  [default: warm-up + 1]"
)
@click.option(
    "--reduction", "reduction_factor", type=click.IntRange(2), help="asha: one in so many goes on.  [default: 3]"
)
@click.option(
    "--concurrent", "max_concurrent_trials", type=click.IntRange(1), help="Trials at once.  [default: as many as fit]"
)
@click.option("--own-warmup", is_flag=True, help="Every trial trains its own warm-up instead of sharing one.")
@plugins_option
@noise_option
@click.option("--config", type=click.Path(path_type=Path, dir_okay=False), help="YAML file of settings.")
@workers_option("Ray Train workers of each trial.")
@store_option
@experiment_option
@click.option("--register", metavar="NAME", help="Register the best model under this name.")
@json_option("trials")
@overrides_argument
def sweep(
    data: Path | None,
    space: str | None,
    out: Path | None,
    resume: str | None,
    retry_failed: bool,
    plugins: tuple[str, ...],
    noise: tuple[str, ...],
    config: Path | None,
    workers: int | None,
    store: Path,
    experiment: str,
    register: str | None,
    as_json: bool,
    overrides: tuple[str, ...],
    **search: Any,
) -> None:
    """Search the settings of a space; trials are scored on validation, and each reads test once, at its end."""
    settings = (*chosen(cluster__workers=workers), *plugins_overrides(plugins), *noise_overrides(noise), *overrides)
    folder = _folder(data, space, out, resume, retry_failed)
    if resume is not None:
        _refuse_settings(config, settings, search)
    with writing(lock_of_folder(folder), f"the sweep {folder}"):
        remove_unfinished(folder)
        if resume is not None:
            job, drawn_from = _resumed(_found(resume, out), data, space, retry_failed)
        else:
            job, drawn_from = _new(data or Path(), space or "", folder, config, settings, search)
        with _interruptible(job):
            rows = _run(job, drawn_from, store, experiment, quiet=as_json)
        _register(job, register, store, experiment)
    _show(job, rows, store, as_json)


def _folder(data: Path | None, space: str | None, out: Path | None, resume: str | None, retry_failed: bool) -> Path:
    """The folder of the sweep; raises `UsageError` for options that make neither a new sweep nor an earlier one."""
    if resume is not None:
        if out is None and "://" in resume:
            raise click.UsageError(f"--resume {resume}: give --out, the folder to bring the sweep to")
        return out or Path(resume)
    if retry_failed:
        raise click.UsageError("--retry-failed tries the trials of a sweep again; give --resume SWEEP")
    if data is None or space is None or out is None:
        raise click.UsageError("give --data, --space and --out for a new sweep, or --resume SWEEP")
    return out


def _sweep_config(space: str, search: dict[str, Any]) -> "SweepConfig":
    from raymm.sweep.store import SweepConfig

    first = search.pop("seed") or 0
    count = search.pop("seeds") or 1
    own = search.pop("own_warmup")
    given = {name: value for name, value in search.items() if value is not None}
    return SweepConfig(space=space, seeds=tuple(range(first, first + count)), share_warmup=not own, **given)


def _new(
    data: Path, space: str, out: Path, config: Path | None, settings: tuple[str, ...], search: dict[str, Any]
) -> "tuple[Sweep, dict[str, Any]]":
    """Check everything, write the trials, and only then sweep.json."""
    from raymm.cluster.connect import require_cores
    from raymm.config.loading import load
    from raymm.data.dataset import open_dataset
    from raymm.mirror.sweeps import refuse_other_sweep
    from raymm.sweep.schedule import check_scheduler
    from raymm.sweep.search import check_draws, write_all
    from raymm.sweep.space import load_space
    from raymm.sweep.store import commit_sweep, new_sweep
    from raymm.training.warmups import with_seed

    sweep_config = _sweep_config(space, search)
    base = with_seed(load(config, settings), sweep_config.seeds[0])  # imports the plug-ins, which may bring kinds
    require_cores(base.cluster)
    dataset = open_dataset(data)
    if sweep_config.scheduler == "pbt":  # a trial may continue from any epoch of another one
        base = base.model_copy(update={"training": base.training.model_copy(update={"keep": base.training.epochs})})
    drawn_from = load_space(space, base, dataset.schema)
    check_scheduler(sweep_config, base, drawn_from)
    job = new_sweep(out, sweep_config, base, dataset)
    refuse_other_sweep(job)
    drawn = check_draws(job, drawn_from, dataset)
    if sweep_config.search != "optuna":
        write_all(job, drawn)
    commit_sweep(job)
    return job, drawn_from


def _found(resume: str, out: Path | None) -> "Sweep":
    """The sweep in its folder, updated from its mirror, or copied to --out from its mirror."""
    from raymm.mirror.sweep_fetch import catch_up, fetch_sweep
    from raymm.sweep.store import open_sweep

    if out is not None:
        return fetch_sweep(resume, out)
    job = open_sweep(Path(resume))
    catch_up(job)
    return job


def _resumed(
    job: "Sweep", data: Path | None, space: str | None, retry_failed: bool
) -> "tuple[Sweep, dict[str, Any]]":
    from raymm.errors import DataError
    from raymm.sweep.space import load_space
    from raymm.sweep.store import move_data, reset_failed

    if data is not None:
        job = move_data(job, data)
    elif not job.data.exists():
        raise DataError(f"{job.data}: the data set of this sweep is not there; give --data DATA, where it lies now")
    if retry_failed:
        reset_failed(job)
    needed = job.settings.search == "optuna" or job.settings.scheduler == "pbt"
    return job, load_space(space or job.settings.space, job.config, job.dataset().schema) if needed else {}


def _refuse_settings(config: Path | None, settings: tuple[str, ...], search: dict[str, Any]) -> None:
    """A resumed sweep keeps its settings: refuse options that would change them."""
    given = [name for name, value in {"config": config, **search}.items() if value is not None and value is not False]
    names = [option.opts[0] for option in sweep.params if option.name in given]
    if names or settings:
        raise click.UsageError(
            f"--resume goes on with the sweep as it was made; leave out {', '.join([*names, *settings])}"
        )


def _run(job: "Sweep", space: dict[str, Any], store: Path, experiment: str, quiet: bool) -> "list[TrialRow]":
    """Run the sweep, recorded in MLflow and copied to its mirror."""
    from raymm.cli.sweep_progress import Progress
    from raymm.mirror.sweeps import mirrored_sweep
    from raymm.sweep.tracking import SweepTracker
    from raymm.tracking.base import ending
    from raymm.tracking.mlflow import MlflowTracker, store_of

    uri, artifacts = store_of(store)
    dataset: Dataset = job.dataset()
    record = SweepTracker(job, dataset, lambda folder: MlflowTracker(uri, folder, artifacts), experiment)
    with mirrored_sweep(job) as with_mirror:
        record.begin()
        rows: list[TrialRow] = []
        with ending(lambda status: rows.extend(record.close(status))):
            _train(job, space, uri, with_mirror(Progress(job, record, quiet)))
        return rows


def _train(job: "Sweep", space: dict[str, Any], tracking_uri: str, callback: "SweepCallback") -> None:
    from raymm.cluster.connect import connect
    from raymm.cluster.preflight import preflight
    from raymm.sweep.driver import run_sweep
    from raymm.sweep.trial import TRAINABLES

    with connect(job.config.cluster):
        preflight(job.config.cluster, job.path, tracking_uri, job.config.plugins)
        run_sweep(job, space, callback, TRAINABLES)


@contextmanager
def _interruptible(job: "Sweep") -> Iterator[None]:
    """Say how to resume after Ctrl-C or `ray job stop`."""
    try:
        yield
    except KeyboardInterrupt as cause:
        cause.args = (f"go on with: raymm sweep --resume {job.path}",)
        raise


def _register(job: "Sweep", name: str | None, store: Path, experiment: str) -> None:
    from raymm.sweep.saved import SavedBest
    from raymm.sweep.tracking import tracking_key
    from raymm.tracking.mlflow import register_model, store_of

    best = job.path / layout.SUMMARY / layout.BEST
    if name is None or not best.exists():
        return
    about = SavedBest.read(best)
    tags = {"raymm.sweep": job.name, "raymm.trial": about.trial}
    version = register_model(store_of(store)[0], experiment, tracking_key(job, about.key), name, tags)
    click.echo(f"registered the model of {about.trial} as {name}, version {version}: models:/{name}@best", err=True)


def _show(job: "Sweep", rows: "list[TrialRow]", store: Path, as_json: bool) -> None:
    from raymm.sweep.summary import sweep_lines, sweep_table

    if as_json:
        click.echo(json.dumps({"sweep": str(job.path), "metric": job.metric, "trials": sweep_table(rows)}))
        return
    click.echo("\n".join(["", *sweep_lines(rows, job.metric), ""]))
    click.echo(f"summary with plots: {job.path / layout.SUMMARY / layout.SUMMARY_MD}")
    click.echo(f"compare in the browser: raymm ui --store {store}")
