"""`raymm study`: arms compared on data sets over seeds; `raymm study oracle`: games of known value."""

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from raymm.cli.options import (
    FILE,
    FOLDER,
    UnlessOption,
    data_setting_option,
    experiment_option,
    json_option,
    noise_levels,
    noise_option,
    overrides_argument,
    plugin_names,
    plugins_option,
    print_config_option,
    store_option,
    workers_option,
)
from raymm.cli.progress import printing, show_result
from raymm.errors import ConfigError

if TYPE_CHECKING:
    from raymm.api.study_result import StudyResult

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
    "--data",
    multiple=True,
    metavar="DATA",
    help="Data set that `raymm prepare` made, or samples that stay where they are; repeat it for several.",
)
@data_setting_option
@click.option("--arms", metavar="NAMES", help="Methods to compare, with commas; MINE=package.module:NAME names one.")
@click.option("--seeds", metavar="0-4", help="Seeds of every arm on every data set.  [default: 0-4]")
@click.option("--out", type=FOLDER, cls=UnlessOption, help="Folder of the study; an unfinished study there goes on.")
@click.option(
    "--from",
    "file",
    type=FILE,
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
@click.option("--config", type=FILE, help="YAML file of settings of all arms.")
@store_option
@experiment_option
@click.option("--pages", is_flag=True, help="Record the pages of every run in MLflow too; seconds a run.")
@print_config_option
@json_option("runs", steps=True)
@overrides_argument
def study(
    out: Path,
    file: Path | None,
    lanes: int | None,
    backend: Literal["local", "ray"],
    store: Path,
    experiment: str,
    pages: bool,
    print_config: bool,
    as_json: bool,
    **asked: Any,
) -> None:
    """Train arms on data sets over seeds and compare them on test, which every run reads once.

    The same command goes on with what was interrupted. The exit code is 1 where a run failed.
    """
    import raymm
    from raymm.data.opening import parse_data_settings

    _check(file, asked)
    chosen: dict[str, Any] = {
        "file": file,
        "config": asked["config"],
        "settings": asked["overrides"],
        "plugins": plugin_names(asked["plugins"]),
        "noise": noise_levels(asked["noise"]),
        **{name: asked[name] for name in ("seeds", "match", "to", "tune", "workers")},
    }
    if print_config:
        _print(asked["data"], asked["arms"], chosen)
        return
    result = raymm.study(
        asked["data"],
        asked["arms"] or (),
        out=out,
        data_settings=parse_data_settings(asked["data_settings"]),
        lanes=lanes,
        backend=backend,
        store=store,
        experiment=experiment,
        pages=pages,
        progress=printing(as_json),
        **chosen,
    )
    _show(result, as_json)
    if result.failed:
        click.get_current_context().exit(1)


def _print(data: tuple[str, ...], arms: str | None, chosen: dict[str, Any]) -> None:
    from raymm.api.printed import study_yaml
    from raymm.api.study_inputs import study_settings

    click.echo(study_yaml(study_settings(data, arms or (), **chosen)), nl=False)


def _check(file: Path | None, asked: dict[str, Any]) -> None:
    """Raise `UsageError` for options beside a file that has them all, or where there is neither."""
    if file is not None:
        given = [option.opts[0] for option in study.params if asked.get(option.name or "") and option.name != "file"]
        if given:
            raise click.UsageError(f"--from {file} has all settings of the study; leave out {', '.join(given)}")
    elif not asked["data"] or not asked["arms"]:
        raise click.UsageError("give --data and --arms, or --from FILE")


def _show(result: "StudyResult", as_json: bool) -> None:
    if as_json:
        runs = [{**vars(run), "path": str(run.path), "history": len(run.history)} for run in result.runs]
        show_result({"study": str(result.folder), "runs": runs, "failed": result.failed})
        return
    click.echo(f"\n{result.summary()}")
    click.echo(f"report with plots: {result.report[0]}" if result.report else "no run has finished")
