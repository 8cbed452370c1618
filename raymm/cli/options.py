"""Options that several verbs share, and how they become settings."""

from pathlib import Path
from typing import Any

import click

from raymm.errors import ConfigError

__all__ = ["FOLDER", "noise_overrides", "overrides_argument"]

FOLDER = click.Path(path_type=Path, file_okay=False)

overrides_argument = click.argument("overrides", nargs=-1, metavar="[SECTION.FIELD=VALUE]...")


def noise_overrides(noise: tuple[str, ...]) -> tuple[str, ...]:
    """`audio=-10dB` to `view.noise_db.audio=-10`; raises `ConfigError` for anything else."""
    made = []
    for item in noise:
        name, equals, level = item.partition("=")
        number = level.lower().removesuffix("db").strip()
        if not equals or not _is_number(number):
            raise ConfigError(f"--noise '{item}': write it as modality=level in dB, for example audio=-10dB")
        made.append(f"view.noise_db.{name}={float(number)}")
    return tuple(made)


def chosen(**options: Any) -> tuple[str, ...]:
    """Overrides for the options that were given; `a__b` stands for `a.b`."""
    return tuple(f"{key.replace('__', '.')}={value}" for key, value in options.items() if value is not None)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
