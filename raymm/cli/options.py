"""Options that several verbs share, and how they become settings."""

import json
from collections.abc import Callable, Iterable
from math import isfinite
from pathlib import Path
from typing import Any

import click

from raymm.errors import ConfigError
from raymm.storage.local_path import local_path

__all__ = [
    "FILE",
    "FOLDER",
    "NamesOption",
    "UnlessOption",
    "backend_option",
    "chosen",
    "data_option",
    "data_setting_option",
    "experiment_option",
    "json_option",
    "method_option",
    "model_option",
    "noise_levels",
    "noise_option",
    "noise_overrides",
    "overrides_argument",
    "plugin_names",
    "plugins_option",
    "plugins_overrides",
    "print_config_option",
    "store_option",
    "workers_option",
]

Command = Callable[..., Any]


class LocalPath(click.Path):
    """A path of this machine, see `raymm.storage.local_path`."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path; a usage error for the address of an object store or server."""
        try:
            return super().convert(local_path(value), param, ctx)
        except ConfigError as cause:
            self.fail(str(cause), param, ctx)


FOLDER = LocalPath(path_type=Path, file_okay=False)
FILE = LocalPath(path_type=Path, dir_okay=False)


class UnlessOption(click.Option):
    """A required option that is not needed beside some flags, which are eager.

    Parameters
    ----------
    unless
        Names of the flags.
    """

    def __init__(self, *arguments: Any, unless: Iterable[str] = ("print_config",), **attributes: Any) -> None:
        super().__init__(*arguments, required=True, **attributes)
        self._unless = tuple(unless)

    def process_value(self, ctx: click.Context, value: Any) -> Any:
        """The value; None where it is not given and not needed."""
        try:
            return super().process_value(ctx, value)
        except click.MissingParameter:
            if any(ctx.params.get(name) for name in self._unless):
                return None
            raise


overrides_argument = click.argument("overrides", nargs=-1, metavar="[SECTION.FIELD=VALUE]...")

backend_option = click.option(
    "--backend",
    type=click.Choice(["local", "ray"]),
    default="ray",
    show_default=True,
    help="ray: the cluster of RAY_ADDRESS, or a Ray of its own; local: this process, with the same numbers.",
)

data_option = click.option(
    "--data",
    cls=UnlessOption,
    metavar="DATA",
    help="Data set that `raymm prepare` made; or package.module:NAME of your own Dataset, or other samples that stay "
    "where they are (docs/your_data.md).",
)

data_setting_option = click.option(
    "--data-setting",
    "data_settings",
    multiple=True,
    metavar="NAME=VALUE",
    help="Of samples that stay where they are, for example args.root=clips.",
)

experiment_option = click.option("--experiment", default="raymm", show_default=True, help="MLflow experiment.")

noise_option = click.option(
    "--noise", multiple=True, metavar="MODALITY=DB", help="White noise on a modality, e.g. audio=-10dB."
)

store_option = click.option(
    "--store", type=FOLDER, default="mlflow", show_default=True, help="Folder of the local MLflow store."
)


print_config_option = click.option(
    "--print-config", is_flag=True, is_eager=True, help="Print the settings that would be used as YAML, and end."
)


def json_option(what: str = "result", steps: bool = False) -> Callable[[Command], Command]:
    """`--json`, which prints `what` for programs, and before it the steps of long work, an object a line."""
    words = (
        f"Print JSON, an object a line: the steps, and at last the {what}." if steps else f"Print the {what} as JSON."
    )
    return click.option("--json", "as_json", is_flag=True, help=words)


def workers_option(what: str, default: int | None = None) -> Callable[[Command], Command]:
    """`--workers`; without a default the setting cluster.workers decides."""
    return click.option("--workers", type=click.IntRange(1), default=default, show_default=bool(default), help=what)


class NamesOption(click.Option):
    """An option whose help lists the names that are registered when it is shown.

    Parameters
    ----------
    names
        Called then; `{names}` in the help stands for what it returns.
    """

    def __init__(self, *arguments: Any, names: Callable[[], Iterable[str]], **attributes: Any) -> None:
        super().__init__(*arguments, **attributes)
        self._names = names

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Name and help, with the names of now."""
        record = super().get_help_record(ctx)
        return record and (record[0], record[1].replace("{names}", ", ".join(self._names())))


def _methods() -> list[str]:
    from raymm.config.registries import METHODS

    return METHODS.names()


method_option = click.option(
    "--method",
    "--strategy",  # as 0.1.0 called it
    "method",
    cls=NamesOption,
    names=_methods,
    help="{names}, or package.module:NAME.  [default: coalition]",
)

model_option = click.option(
    "--model",
    metavar="MODULE:NAME",
    help="A model of your own: a function build(schema, ...), as package.module:NAME or FILE.py:NAME; its arguments "
    "are model.args.NAME=VALUE.",
)

plugins_option = click.option(
    "--plugins",
    multiple=True,
    metavar="FILE_OR_MODULE",
    help="A .py file, or a module, that registers parts of your own; several with commas or by repeating it.",
)


def plugin_names(plugins: tuple[str, ...]) -> list[str]:
    """The plug-ins of an option that may be repeated and hold commas."""
    return [spec.strip() for given in plugins for spec in given.split(",") if spec.strip()]


def plugins_overrides(plugins: tuple[str, ...]) -> tuple[str, ...]:
    """The setting `plugins` from the option; nothing where it is not given."""
    specs = plugin_names(plugins)
    return (f"plugins={json.dumps(specs)}",) if specs else ()


def noise_levels(noise: tuple[str, ...]) -> dict[str, float]:
    """`audio=-10dB` to -10 of audio; raises `ConfigError` for anything else."""
    made = {}
    for item in noise:
        name, equals, level = item.partition("=")
        number = level.lower().removesuffix("db").strip()
        if not equals or not _is_number(number):
            raise ConfigError(f"--noise '{item}': write it as modality=level in dB, for example audio=-10dB")
        made[name] = float(number)
    return made


def noise_overrides(noise: tuple[str, ...]) -> tuple[str, ...]:
    """The levels of `noise_levels` as settings."""
    return tuple(f"view.noise_db.{name}={level}" for name, level in noise_levels(noise).items())


def chosen(**options: Any) -> tuple[str, ...]:
    """Overrides for the options that were given; `a__b` stands for `a.b`."""
    return tuple(f"{key.replace('__', '.')}={value}" for key, value in options.items() if value is not None)


def _is_number(text: str) -> bool:
    try:
        return isfinite(float(text))
    except ValueError:
        return False
