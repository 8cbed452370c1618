"""`raymm.sweep`: search a space of settings with Ray Tune, every trial a Ray Train run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from raymm.api.argument_types import check_least
from raymm.api.headings import sweep_heading
from raymm.api.public import public
from raymm.api.settings import Given, config_of, options_of
from raymm.api.showing import Showing, showing
from raymm.api.shown import Placed, place_of
from raymm.api.stores import Store
from raymm.api.sweep_inputs import folder_of, refuse_settings
from raymm.api.sweep_progress import SweepProgress
from raymm.api.sweep_result import SweepResult
from raymm.api.watching import watching
from raymm.config.loading import Overrides
from raymm.data.opening import Data, open_data, place_in_words
from raymm.errors import ConfigError, DataError
from raymm.mirror.sweep_fetch import catch_up, fetch_sweep
from raymm.mirror.sweeps import mirrored_sweep, refuse_other_sweep
from raymm.reports.run_pages import record_pages
from raymm.storage import data_layout, layout
from raymm.storage.atomic import remove_unfinished
from raymm.storage.layout import lock_of_folder
from raymm.storage.lock import writing
from raymm.sweep.saved import SavedBest
from raymm.sweep.store import (
    SweepConfig,
    commit_sweep,
    has_ended,
    move_data,
    new_sweep,
    open_sweep,
    reset_failed,
)
from raymm.sweep.tracked_runs import tracking_key
from raymm.sweep.tracking import SweepTracker
from raymm.tracking.base import ending
from raymm.training.warmups import with_seed

if TYPE_CHECKING:
    from raymm.api.progress import Progress
    from raymm.config.sections import Config
    from raymm.data.dataset import Dataset
    from raymm.sweep.rows import TrialRow
    from raymm.sweep.store import Sweep
    from raymm.sweep.tracking import SweepCallback

__all__ = ["sweep"]


@public
def sweep(
    data: Data | Placed | None = None,
    space: str | None = None,
    *,
    out: str | Path | None = None,
    resume: str | Path | Placed | None = None,
    retry_failed: bool = False,
    data_settings: Mapping[str, Any] | None = None,
    trials: int | None = None,
    seeds: int | None = None,
    seed: int | None = None,
    search: Literal["random", "optuna"] | None = None,
    scheduler: Literal["none", "halving", "asha", "median", "pbt"] | None = None,
    grace_period: int | None = None,
    reduction_factor: int | None = None,
    max_concurrent_trials: int | None = None,
    own_warmup: bool = False,
    config: Given = None,
    settings: Overrides = (),
    model: Callable[..., Any] | str | None = None,
    plugins: Sequence[str] = (),
    noise: Mapping[str, float] | None = None,
    workers: int | None = None,
    store: str | Path | None = None,
    experiment: str = "raymm",
    register: str | None = None,
    progress: Showing = "auto",
) -> SweepResult:
    """Search the settings of a space; trials are scored on validation, and each reads test once, at its end.

    Parameters
    ----------
    data, space, out
        Data set, search space (`"FILE.py"` or `"FILE.py:function"`, see `tune_spaces/`), and folder of a new sweep.
    resume, retry_failed
        A sweep whose pending trials are run, in its folder or at its mirror (with `out`, where to bring it to); and
        whether those that failed are tried again. `data` then says where the data set lies now, and `space` where its
        space does, which only an optimiser and population based training read again.
    data_settings
        How samples that stay where they are are taken, as in `raymm.train`; of these OUT.data becomes the index.
    trials, seeds, seed
        Draws of each point of a grid (20); seeds of each trial (1), whose mean is its score; the first of them (0).
    search, scheduler, grace_period, reduction_factor, max_concurrent_trials, own_warmup
        How values are chosen and trials end early, see `raymm.sweep.store.SweepConfig`; `own_warmup` lets every trial
        train its own warm-up.
    config, settings, model, plugins, noise, workers
        Settings that all trials share, as in `raymm.train`.
    store, experiment, register
        MLflow store (None: nothing is recorded) and experiment, and a name to register the best model under.
    progress
        Who is told of the trials.

    Raises
    ------
    ConfigError, DataError, CheckpointError
        For arguments, a space, data or a folder that do not fit, before anything is trained.
    ClusterError
        When no trial fits on the cluster.

    Examples
    --------
    >>> import raymm
    >>> raymm.sweep("data", out="sweeps/one")
    Traceback (most recent call last):
    raymm.errors.ConfigError: give data, space and out for a new sweep, or resume SWEEP
    """
    check_least("sweep", 0, seed=seed)
    check_least("sweep", 1, trials=trials, seeds=seeds, grace_period=grace_period)
    check_least("sweep", 1, max_concurrent_trials=max_concurrent_trials)
    check_least("sweep", 2, reduction_factor=reduction_factor)
    earlier = None if resume is None else str(resume.folder if isinstance(resume, Placed) else resume)
    lies = None if data is None else _place(data)
    folder = folder_of(lies, space, out, earlier, retry_failed)
    plan = {
        "trials": trials,
        "seeds": seeds,
        "seed": seed,
        "search": search,
        "scheduler": scheduler,
        "grace_period": grace_period,
        "reduction_factor": reduction_factor,
        "max_concurrent_trials": max_concurrent_trials,
        "own_warmup": own_warmup,
    }
    shared: dict[str, Any] = {"config": config, "settings": settings, "model": model, "plugins": plugins}
    shared |= {"noise": noise, "workers": workers, "data_settings": data_settings}
    if earlier is not None:
        planned = [name for name, value in plan.items() if value is not None and value is not False]
        refuse_settings([*planned, *(name for name, value in shared.items() if value)])
    if register is not None and store is None:
        raise ConfigError("register needs a store, in which the model is registered; give both")
    kept = Store.of(store)
    with showing(progress) as told, writing(lock_of_folder(folder), f"the sweep {folder}"):
        remove_unfinished(folder)
        if earlier is not None:
            job, drawn_from = _resumed(_found(earlier, out), lies, space, retry_failed, told.on_note)
        else:
            base = config_of(config, settings, options_of(model=model, workers=workers, plugins=plugins, noise=noise))
            dataset = partial(open_data, lies, data_layout.index_folder(folder), data_settings, told.on_note)
            job, drawn_from = _new(dataset, _sweep_config(space or "", plan), folder, base)
        with _interruptible(job):
            rows = _run(job, drawn_from, kept, experiment, told)
        registered = _register(job, register, kept, experiment)
    return SweepResult(job, rows, registered)


def _sweep_config(space: str, plan: dict[str, Any]) -> SweepConfig:
    first, count = plan.pop("seed") or 0, plan.pop("seeds") or 1
    own = plan.pop("own_warmup")
    given = {name: value for name, value in plan.items() if value is not None}
    return SweepConfig(space=space, seeds=tuple(range(first, first + count)), share_warmup=not own, **given)


def _place(data: Data | Placed) -> str | Path:
    """A path, or a name that the workers find too."""
    place: Any = place_of(data)
    return place if isinstance(place, str | Path) else place_in_words(place)


def _new(data: Callable[[], Dataset], plan: SweepConfig, out: Path, config: Config) -> tuple[Sweep, dict[str, Any]]:
    """Check everything, write the trials, and only then sweep.json."""
    from raymm.cluster.connect import require_cores
    from raymm.sweep.schedule import check_scheduler
    from raymm.sweep.search import check_draws, write_all
    from raymm.sweep.space import load_space

    base = with_seed(config, plan.seeds[0])
    require_cores(base.cluster)
    dataset = data()
    if plan.scheduler == "pbt":  # a trial may continue from any epoch of another one
        base = base.model_copy(update={"training": base.training.model_copy(update={"keep": base.training.epochs})})
    drawn_from = load_space(plan.space, base, dataset.schema)
    check_scheduler(plan, base, drawn_from)
    job = new_sweep(out, plan, base, dataset)
    refuse_other_sweep(job)
    drawn = check_draws(job, drawn_from, dataset)
    if plan.search != "optuna":
        write_all(job, drawn)
    commit_sweep(job)
    return job, drawn_from


def _found(resume: str, out: str | Path | None) -> Sweep:
    """The sweep in its folder, updated from its mirror, or copied to `out` from its mirror."""
    if out is not None:
        return fetch_sweep(resume, Path(out))
    job = open_sweep(Path(resume))
    catch_up(job)
    return job


def _resumed(
    job: Sweep,
    data: str | Path | None,
    space: str | None,
    retry_failed: bool,
    on_note: Callable[[str], None],
) -> tuple[Sweep, dict[str, Any]]:
    from raymm.sweep.space import load_space

    if data is not None:
        job = move_data(job, Path(data))
    elif not job.data.exists():
        raise DataError(f"{job.data}: the data set of this sweep is not there; give --data DATA, where it lies now")
    if retry_failed:
        reset_failed(job)
    needed = job.settings.search == "optuna" or job.settings.scheduler == "pbt"
    if space is not None and not needed:
        on_note(f"{space} is not read: all trials of this sweep are drawn; a new sweep draws others")
    return job, load_space(space or job.settings.space, job.config, job.dataset().schema) if needed else {}


def _run(job: Sweep, space: dict[str, Any], store: Store, experiment: str, told: Progress) -> list[TrialRow]:
    """Run the sweep, recorded in the store and copied to its mirror."""
    record = SweepTracker(job, job.dataset(), store.tracker, experiment, record_pages)
    with mirrored_sweep(job) as with_mirror:
        record.begin()
        rows: list[TrialRow] = []
        with ending(lambda status: rows.extend(record.close(status))):
            for line in sweep_heading(job, record.dataset, store.shown):
                told.on_line(line)
            progress = SweepProgress(job, record, told)
            with watching(progress.folders, told, progress.on_running, job.config.training.epochs):
                _train(job, space, store.uri, with_mirror(progress))
        return rows


def _train(job: Sweep, space: dict[str, Any], tracking_uri: str | None, callback: SweepCallback) -> None:
    from raymm.cluster.connect import connect
    from raymm.cluster.preflight import preflight
    from raymm.sweep.driver import run_sweep
    from raymm.sweep.trial import TRAINABLES

    if has_ended(job):
        return  # a Ray would be started for nothing
    with connect(job.config.cluster):
        preflight(job.config.cluster, job.path, tracking_uri, job.config.plugins)
        run_sweep(job, space, callback, TRAINABLES)


@contextmanager
def _interruptible(job: Sweep) -> Iterator[None]:
    """Say how to resume after Ctrl-C or `ray job stop`."""
    try:
        yield
    except KeyboardInterrupt as cause:
        cause.args = (f"go on with: raymm sweep --resume {job.path}",)
        raise


def _register(job: Sweep, name: str | None, store: Store, experiment: str) -> str:
    """Register the model of the best trial, where a name is given and a trial has finished; what was registered."""
    from raymm.tracking.mlflow import register_model

    best = job.path / layout.SUMMARY / layout.BEST
    if name is None or store.uri is None or not best.exists():
        return ""
    about = SavedBest.read(best)
    tags = {"raymm.sweep": job.name, "raymm.trial": about.trial}
    version = register_model(store.uri, experiment, tracking_key(job, about.key), name, tags)
    return f"the model of {about.trial} as {name}, version {version}: models:/{name}@best"
