"""`raymm.study`: arms compared on data sets over seeds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from raymm.api.argument_types import check_least
from raymm.api.headings import study_heading
from raymm.api.public import public
from raymm.api.settings import Given
from raymm.api.showing import Showing, showing
from raymm.api.shown import Placed
from raymm.api.stores import Store
from raymm.api.study_data import opened
from raymm.api.study_inputs import study_settings
from raymm.api.study_progress import StudyProgress
from raymm.api.study_result import StudyResult
from raymm.api.watching import watching
from raymm.config.loading import Overrides
from raymm.data.opening import Data
from raymm.reports.run_pages import record_pages
from raymm.storage import layout
from raymm.storage.atomic import remove_unfinished
from raymm.storage.layout import lock_of_folder
from raymm.storage.lock import writing
from raymm.study.driver import run_study
from raymm.study.local_lanes import LocalLane, cores
from raymm.study.records import budgets_reached
from raymm.study.report import verdict_markdown, write_study_report
from raymm.study.settings import Match
from raymm.study.store import create_or_open
from raymm.study.tracking import StudyTracker
from raymm.tracking.base import ending

if TYPE_CHECKING:
    from raymm.api.progress import Progress
    from raymm.study.lanes import Lane
    from raymm.study.results import StudyResults
    from raymm.study.store import Study

__all__ = ["study"]


@public
def study(
    data: Data | Placed | Sequence[Data | Placed] = (),
    arms: str | Sequence[str] | Mapping[str, Mapping[str, Any] | None] = (),
    *,
    out: str | Path,
    seeds: str | Sequence[int] | None = None,
    file: str | Path | None = None,
    match: Match | None = None,
    to: str | None = None,
    tune: int | None = None,
    data_settings: Mapping[str, Any] | None = None,
    lanes: int | None = None,
    config: Given = None,
    settings: Overrides = (),
    plugins: Sequence[str] = (),
    noise: Mapping[str, float] | None = None,
    workers: int | None = None,
    backend: Literal["local", "ray"] = "local",
    store: str | Path | None = None,
    experiment: str = "raymm",
    pages: bool = False,
    progress: Showing = "auto",
) -> StudyResult:
    """Train arms on data sets over seeds and compare them on test, which every run reads once.

    The same call goes on with what was interrupted. A run that fails does not end the study; the result names it.

    Parameters
    ----------
    data
        Data sets: folders, or what `raymm.prepare` returned; or samples that stay where they are, as in
        `raymm.train`, of which OUT.data holds the indexes. A function is one of a module, which other processes find
        by its name.
    arms
        Methods (`"joint,sample"` or a list), or by name the settings of each arm.
    out
        Folder of the study.
    seeds
        Seeds of every arm on every data set: `range(5)`, or `"0-4"`.
    file
        Instead of these and of all settings: a YAML file such as that in the folder of a study.
    match, to
        Give every arm the epochs that cost what the arm `to` uses: "rows", "encodings", "seconds" or "cpu_seconds".
    tune
        Trials of every arm, chosen on validation.
    data_settings
        How samples that stay where they are are taken, the same for all of them.
    lanes
        Runs at the same time; default: as many as there is room for.
    config, settings, plugins, noise, workers
        Settings that all arms share, as in `raymm.train`.
    backend
        "local", processes of this machine, or "ray", actors on a cluster.
    store, experiment
        MLflow store (None: nothing is recorded) and experiment.
    pages
        Whether every run has its pages and its lowest samples there, as those of `raymm.train` do; seconds a run.
    progress
        Who is told of the runs.

    Raises
    ------
    ConfigError, DataError, CheckpointError
        For arguments, data or a folder that do not fit, before anything is trained.

    Examples
    --------
    >>> import raymm
    >>> raymm.study("data", out="studies/one")
    Traceback (most recent call last):
    raymm.errors.ConfigError: give data and arms, or file
    """
    check_least("study", 1, lanes=lanes)
    asked: dict[str, Any] = {"seeds": seeds, "match": match, "to": to, "tune": tune}
    shared: dict[str, Any] = {
        "config": config,
        "settings": settings,
        "plugins": plugins,
        "noise": noise,
        "workers": workers,
    }
    parsed = study_settings(data, arms, file=file, **asked, **shared)
    folder = Path(out)
    with showing(progress) as told, writing(lock_of_folder(folder), f"the study {folder}"):
        remove_unfinished(folder)
        job = create_or_open(folder, opened(parsed, folder, data_settings, told.on_note))
        if backend == "ray":
            from raymm.cluster.connect import require_cores

            require_cores(job.config.cluster)
        with _interruptible(folder):
            place = Store.of(store)
            record = StudyTracker(job, job.datasets(), place.tracker, experiment, record_pages if pages else None)
            results, report = _run(job, backend, lanes, place, record, told)
    return StudyResult(job.path, results, report, budgets_reached(job, results.runs))


def _run(
    job: Study, backend: str, count: int | None, store: Store, record: StudyTracker, told: Progress
) -> tuple[StudyResults, list[Path]]:
    """Run the study, recorded in the store, and write its report."""
    report: list[Path] = []
    said: list[str] = []
    record.begin()
    with ending(lambda status: record.close(status, report, "".join(said))):
        with _lanes(job, backend, count, store.uri) as lanes:
            for line in study_heading(job, record.datasets, backend, len(lanes), store.shown):
                told.on_line(line)
            progress = StudyProgress(job, record, len(lanes), told)
            with watching(progress.folders, told, progress.on_running, job.config.training.epochs):
                results = run_study(job, lanes, progress)
        if results.runs:
            report += write_study_report(results, job.path / layout.REPORT)
            said.append(verdict_markdown(results))
    return results, report


@contextmanager
def _lanes(job: Study, backend: str, count: int | None, tracking_uri: str | None) -> Iterator[list[Lane]]:
    """The lanes of a backend, which end with the block."""
    with ExitStack() as stack:
        if backend == "local":
            lanes = _local_lanes(job, count)
        else:
            stack.enter_context(_connected(job, tracking_uri))
            lanes = _ray_lanes(job, count)
        for lane in lanes:
            stack.callback(lane.close)
        yield lanes


def _local_lanes(job: Study, count: int | None) -> list[Lane]:
    return [LocalLane(job.path / layout.LANES / f"lane-{i + 1}.log") for i in range(count or cores())]


@contextmanager
def _connected(job: Study, tracking_uri: str | None) -> Iterator[None]:
    from raymm.cluster.connect import connect
    from raymm.cluster.preflight import preflight

    config = job.config
    with connect(config.cluster):
        preflight(config.cluster, job.path, tracking_uri, config.plugins)
        yield


def _ray_lanes(job: Study, count: int | None) -> list[Lane]:
    from raymm.cluster.lanes import RayLane, lanes_that_fit, start_trainer
    from raymm.cluster.standing_group import start_group_trainer

    cluster = job.config.cluster
    fits = lanes_that_fit(cluster)
    start = start_group_trainer if cluster.workers > 1 else start_trainer
    return [RayLane(cluster, start) for _ in range(min(count or fits, fits))]


@contextmanager
def _interruptible(out: Path) -> Iterator[None]:
    """Say how to go on after Ctrl-C or `ray job stop`."""
    try:
        yield
    except KeyboardInterrupt as cause:
        cause.args = (f"the same command goes on with {out}",)
        raise
