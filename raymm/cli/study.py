"""`raymm study`: arms compared on data sets over seeds; `raymm study oracle`: games of known value."""

import importlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from raymm.cli.options import (
    FOLDER,
    json_option,
    noise_option,
    noise_overrides,
    overrides_argument,
    plugins_option,
    plugins_overrides,
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
    "--from", "file", type=click.Path(path_type=Path, dir_okay=False), help="A study.yaml with all settings."
)
@click.option(
    "--match",
    type=click.Choice(["none", "rows", "encodings", "seconds", "cpu_seconds"]),
    help="Give every arm the epochs that cost what the arm --to uses.  [default: none]",
)
@click.option("--to", metavar="ARM", help="Arm whose budget the others get.  [default: sample, or the first]")
@click.option("--tune", type=click.IntRange(0), help="Trials of every arm, chosen on validation.  [default: 0]")
@click.option("--lanes", type=click.IntRange(1), help="Runs at the same time.  [default: as many as there are cores]")
@click.option(
    "--backend",
    type=click.Choice(["local"]),
    default="local",
    show_default=True,
    help="local: processes of this machine.",
)
@plugins_option
@noise_option
@click.option("--config", type=click.Path(path_type=Path, dir_okay=False), help="YAML file of settings of all arms.")
@json_option("runs")
@overrides_argument
def study(
    out: Path,
    file: Path | None,
    lanes: int | None,
    backend: str,
    as_json: bool,
    **asked: Any,
) -> None:
    """Train arms on data sets over seeds and compare them on test, which every run reads once.

    The same command goes on with what was interrupted. The exit code is 1 where a run failed.
    """
    from raymm.cli.study_progress import Progress
    from raymm.storage.atomic import remove_unfinished
    from raymm.storage.layout import lock_of_folder
    from raymm.storage.lock import writing
    from raymm.study.driver import run_study
    from raymm.study.failures import read_failures
    from raymm.study.session import Silent
    from raymm.study.store import create_or_open

    settings = _asked(file, asked)
    with writing(lock_of_folder(out), f"the study {out}"):
        remove_unfinished(out)
        job = create_or_open(out, settings)
        with _interruptible(out), _lanes(job, backend, lanes) as places:
            results = run_study(job, places, Progress(job, Silent(), len(places), quiet=as_json))
    _show(job, results, as_json)
    if read_failures(job):
        click.get_current_context().exit(1)


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
    overrides = (*plugins_overrides(asked["plugins"]), *noise_overrides(asked["noise"]), *asked["overrides"])
    values = {
        "data": list(asked["data"]),
        "arms": [name.strip() for name in asked["arms"].split(",") if name.strip()],
        "settings": read_settings(asked["config"], overrides),
        **{name: asked[name] for name in ("seeds", "match", "to", "tune") if asked[name] is not None},
    }
    return parse_study(values, "study")


@contextmanager
def _lanes(job: "Study", backend: str, count: int | None) -> "Iterator[list[Lane]]":
    """The lanes of a backend, which end with the block."""
    from raymm.study.local_lanes import cores

    lanes = [_lane(job, backend, number) for number in range(count or cores())]
    try:
        yield lanes
    finally:
        for lane in lanes:
            lane.close()


def _lane(job: "Study", backend: str, number: int) -> "Lane":
    from raymm.storage import layout
    from raymm.study.local_lanes import LocalLane

    del backend
    return LocalLane(job.path / layout.LANES / f"lane-{number + 1}.log")


@contextmanager
def _interruptible(out: Path) -> Iterator[None]:
    """Say how to go on after Ctrl-C or `ray job stop`."""
    try:
        yield
    except KeyboardInterrupt as cause:
        cause.args = (f"the same command goes on with {out}",)
        raise


def _show(job: "Study", results: "StudyResults", as_json: bool) -> None:
    from raymm.storage import layout
    from raymm.study.records import budgets_reached
    from raymm.study.report import verdict_lines, write_study_report
    from raymm.study.summary import result_table

    report = write_study_report(results, job.path / layout.REPORT) if results.runs else []
    if as_json:
        runs = [{**vars(run), "path": str(run.path), "history": len(run.history)} for run in results.runs]
        click.echo(json.dumps({"study": str(job.path), "runs": runs, "failed": results.failed}))
        return
    table = result_table(results, budgets_reached(job, results.runs))
    click.echo("\n".join(["", *table, "", *verdict_lines(results), *results.failed]))
    click.echo(f"report with plots: {report[0]}" if report else "no run has finished")
