"""`raymm study`: arms compared on data sets over seeds; `raymm study oracle`: games of known value."""

import importlib
import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
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
from raymm.errors import ConfigError

if TYPE_CHECKING:
    from raymm.study.lanes import Lane
    from raymm.study.results import StudyResults
    from raymm.study.settings import StudySettings
    from raymm.study.store import Study

__all__ = ["study"]

ORACLE = "tests.oracle.command"
"""Where a checkout has the games of known value, their formulas and the comparison."""

EXAMPLE = "raymm study --data GRID --data IMU --arms joint,multitask,sample,random --seeds 0-4 --out STUDY"


class _Study(click.Command):
    """The verb, of which `oracle` as the first word is another command: games of known value."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """The context of the command that the words ask for; raises `ConfigError` where there are no games."""
        if args[:1] == ["oracle"]:
            return _oracle().make_context("oracle", args[1:], parent=_named(self, info_name, parent), **extra)
        return super().make_context(info_name, args or ["--help"], parent=parent, **extra)


def _named(command: click.Command, name: str | None, parent: click.Context | None) -> click.Context:
    return click.Context(command, info_name=name, parent=parent)


def _oracle() -> click.Command:
    try:
        command: click.Command = importlib.import_module(ORACLE).oracle
    except ModuleNotFoundError as cause:
        raise ConfigError(
            f"study oracle: {ORACLE} is not here ({cause}); the games of known value are tests, so run it in a "
            "checkout of raymm"
        ) from cause
    return command


@click.command(
    cls=_Study,
    epilog=f"Example: {EXAMPLE}\n\nGames of known value, in a checkout. Example: raymm study oracle --out oracle",
)
@click.option(
    "--data", multiple=True, metavar="DIR", help="Data set that `raymm prepare` made; repeat it for several."
)
@click.option("--arms", metavar="NAMES", help="Methods to compare, with commas; MINE=package.module:NAME names one.")
@click.option("--seeds", metavar="0-4", help="Seeds of every arm on every data set.  [default: 0-4]")
@click.option("--out", type=FOLDER, required=True, help="Folder of the study; an unfinished study there goes on.")
@click.option(
    "--from",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="YAML file with all settings of a study, such as that in its folder.",
)
@click.option(
    "--match",
    type=click.Choice(["none", "rows", "encodings", "seconds", "cpu_seconds"]),
    help="Give every arm the epochs that cost what the arm --to uses.  [default: none]",
)
@click.option(
    "--to", metavar="ARM", help="Arm whose budget the others get.  [default: sample, or the first that is not joint]"
)
@click.option("--tune", type=click.IntRange(0), help="Trials of every arm, chosen on validation.  [default: 0]")
@click.option(
    "--lanes", type=click.IntRange(1), help="Runs at the same time.  [default: as many as there is room for]"
)
@click.option(
    "--backend",
    type=click.Choice(["local", "ray"]),
    default="ray",
    show_default=True,
    help="ray: actors on the cluster of RAY_ADDRESS, or on a Ray of its own; local: processes, of the same numbers.",
)
@workers_option("Ray Train workers of each run; with 1, a lane trains its runs by itself.  [default: 1]")
@plugins_option
@noise_option
@click.option("--config", type=click.Path(path_type=Path, dir_okay=False), help="YAML file of settings of all arms.")
@store_option
@experiment_option
@json_option("runs")
@overrides_argument
def study(
    out: Path,
    file: Path | None,
    lanes: int | None,
    backend: str,
    store: Path,
    experiment: str,
    as_json: bool,
    **asked: Any,
) -> None:
    """Train arms on data sets over seeds and compare them on test, which every run reads once.

    The same command goes on with what was interrupted. The exit code is 1 where a run failed.
    """
    from raymm.cluster.connect import require_cores
    from raymm.storage.atomic import remove_unfinished
    from raymm.storage.layout import lock_of_folder
    from raymm.storage.lock import writing
    from raymm.study.store import create_or_open

    settings = _asked(file, asked)
    with writing(lock_of_folder(out), f"the study {out}"):
        remove_unfinished(out)
        job = create_or_open(out, settings)
        if backend == "ray":
            require_cores(job.config.cluster)
        with _interruptible(out):
            results, report = _run(job, backend, lanes, store, experiment, as_json)
    _show(job, results, report, as_json)
    if results.failed:
        click.get_current_context().exit(1)


def _run(
    job: "Study", backend: str, count: int | None, store: Path, experiment: str, quiet: bool
) -> "tuple[StudyResults, list[Path]]":
    """Run the study, recorded in MLflow, and write its report."""
    from raymm.cli.study_progress import Progress
    from raymm.storage import layout
    from raymm.study.driver import run_study
    from raymm.study.report import write_study_report
    from raymm.study.tracking import StudyTracker
    from raymm.tracking.base import ending
    from raymm.tracking.mlflow import MlflowTracker, store_of

    uri, artifacts = store_of(store)
    record = StudyTracker(job, job.datasets(), lambda folder: MlflowTracker(uri, folder, artifacts), experiment)
    report: list[Path] = []
    record.begin()
    with ending(lambda status: record.close(status, report)):
        with _lanes(job, backend, count, uri) as lanes:
            results = run_study(job, lanes, Progress(job, record, len(lanes), quiet))
        report += write_study_report(results, job.path / layout.REPORT) if results.runs else []
    return results, report


def _asked(file: Path | None, asked: dict[str, Any]) -> "StudySettings":
    """The settings of the study, of options or of a file; raises `UsageError` for both, or for neither."""
    from raymm.config.loading import read_settings
    from raymm.study.settings import parse_study, read_study_file

    if file is not None:
        given = [option.opts[0] for option in study.params if asked.get(option.name or "") and option.name != "file"]
        if given:
            raise click.UsageError(f"--from {file} has all settings of the study; leave out {', '.join(given)}")
        return parse_study(read_study_file(file), str(file))
    if not asked["data"] or not asked["arms"]:
        raise click.UsageError("give --data and --arms, or --from FILE")
    workers = chosen(cluster__workers=asked["workers"])
    overrides = (
        *workers,
        *plugins_overrides(asked["plugins"]),
        *noise_overrides(asked["noise"]),
        *asked["overrides"],
    )
    values = {
        "data": list(asked["data"]),
        "arms": [name.strip() for name in asked["arms"].split(",") if name.strip()],
        "settings": read_settings(asked["config"], overrides),
        **{name: asked[name] for name in ("seeds", "match", "to", "tune") if asked[name] is not None},
    }
    return parse_study(values, "study")


@contextmanager
def _lanes(job: "Study", backend: str, count: int | None, tracking_uri: str) -> "Iterator[list[Lane]]":
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


def _local_lanes(job: "Study", count: int | None) -> "list[Lane]":
    from raymm.storage import layout
    from raymm.study.local_lanes import LocalLane, cores

    return [LocalLane(job.path / layout.LANES / f"lane-{i + 1}.log") for i in range(count or cores())]


@contextmanager
def _connected(job: "Study", tracking_uri: str) -> Iterator[None]:
    from raymm.cluster.connect import connect
    from raymm.cluster.preflight import preflight

    config = job.config
    with connect(config.cluster):
        preflight(config.cluster, job.path, tracking_uri, config.plugins)
        yield


def _ray_lanes(job: "Study", count: int | None) -> "list[Lane]":
    from raymm.cluster.lanes import RayLane, lanes_that_fit

    cluster = job.config.cluster
    fits = lanes_that_fit(cluster)
    return [RayLane(cluster) for _ in range(min(count or fits, fits))]


@contextmanager
def _interruptible(out: Path) -> Iterator[None]:
    """Say how to go on after Ctrl-C or `ray job stop`."""
    try:
        yield
    except KeyboardInterrupt as cause:
        cause.args = (f"the same command goes on with {out}",)
        raise


def _show(job: "Study", results: "StudyResults", report: list[Path], as_json: bool) -> None:
    from raymm.study.records import budgets_reached
    from raymm.study.report import verdict_lines
    from raymm.study.summary import result_table

    if as_json:
        runs = [{**vars(run), "path": str(run.path), "history": len(run.history)} for run in results.runs]
        click.echo(json.dumps({"study": str(job.path), "runs": runs, "failed": results.failed}))
        return
    table = result_table(results, budgets_reached(job, results.runs))
    click.echo("\n".join(["", *table, "", *verdict_lines(results), *results.failed]))
    click.echo(f"report with plots: {report[0]}" if report else "no run has finished")
