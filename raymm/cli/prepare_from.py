"""What `raymm prepare` works on: a manifest that is given, or one that is made of a published data set."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from raymm.cli.options import FOLDER, NamesOption
from raymm.errors import ConfigError, Problems
from raymm.storage import layout

if TYPE_CHECKING:
    from raymm.data.manifest import Kinds
    from raymm.tasks.base import Task

__all__ = ["FromSource", "from_source", "given_manifest", "source_options"]

Command = Callable[..., Any]


def _sources() -> list[str]:
    from raymm.config.registries import SOURCES

    return SOURCES.names()


def source_options(command: Command) -> Command:
    """`--source`, `--root` and `--source-setting`."""
    for option in (
        click.option(
            "--source-setting", "source_settings", multiple=True, metavar="FIELD=VALUE", help="Its settings."
        ),
        click.option("--root", type=FOLDER, help="Folder of that data set, as it was published."),
        click.option(
            "--source",
            cls=NamesOption,
            names=_sources,
            help="Instead of a manifest: {names}, or package.module:NAME.",
        ),
    ):
        command = option(command)
    return command


@dataclass(frozen=True)
class FromSource:
    """What a source has for `raymm prepare`, its manifest written."""

    manifest: Path
    root: Path
    kinds: "Kinds"
    classes: list[str] | None
    task: "Task"
    sets: tuple[str, ...]


def from_source(
    source: str,
    root: Path | None,
    settings: Sequence[str],
    modalities: str | None,
    seed: int,
    out: Path,
    manifest: tuple[Path | None, Path | None],
    say: Callable[[str], None],
) -> FromSource:
    """Find the files of a published data set and write the manifest; `manifest` are the options that do not go."""
    from raymm.data.sources import collect, write_collection
    from raymm.data.sources.base import parse_source_settings
    from raymm.tasks.registry import get_task

    problems = Problems("--source")
    for name, given in zip(("--manifest", "--media-root"), manifest, strict=True):
        if given is not None:
            problems.add(f"makes its own manifest: leave out {name}")
    if root is None:
        problems.add("add --root: the folder of the data set")
    problems.raise_if_any(ConfigError)
    assert root is not None
    found = collect(source, root, parse_source_settings(settings), modalities, seed)
    path = write_collection(found, out)
    for note in found.notes:
        say(note)
    if found.left_out:
        say(f"{layout.left_out_file(out)} names what is left out")
    return FromSource(path, root, dict(found.kinds), [*found.classes] or None, get_task(), tuple(found.sets))


def given_manifest(
    manifest: Path | None,
    media_root: Path | None,
    modalities: str | None,
    root: Path | None,
    source_settings: Sequence[str],
) -> "tuple[Path, Path, Kinds]":
    """The manifest, the media root and the kinds of modality that the options name.

    Raises
    ------
    ConfigError
        With every option that is missing, or that belongs to a source.
    """
    from raymm.data.schema_inference import parse_kinds

    problems = Problems("")
    options = {"--manifest": manifest, "--media-root": media_root, "--modalities": modalities}
    missing = [name for name, given in options.items() if given is None]
    if missing:
        problems.add(f"missing {', '.join(missing)}; a published data set is prepared by --source NAME --root FOLDER")
    for name, given in {"--root": root, "--source-setting": source_settings or None}.items():
        if given is not None:
            problems.add(f"{name} belongs to --source; name one")
    problems.raise_if_any(ConfigError)
    assert manifest is not None
    assert media_root is not None
    assert modalities is not None
    return manifest, media_root, parse_kinds(modalities)
