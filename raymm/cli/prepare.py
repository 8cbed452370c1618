"""`raymm prepare`: raw media to a data set on disk."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from raymm.cli.options import (
    FILE,
    FOLDER,
    NamesOption,
    backend_option,
    json_option,
    plugin_names,
    plugins_option,
    workers_option,
)
from raymm.cli.progress import printing, show_result

if TYPE_CHECKING:
    from raymm.api.progress import Progress

__all__ = ["prepare"]


OPTIONS = {
    "manifest": "--manifest",
    "media_root": "--media-root",
    "modalities": "--modalities",
    "source": "--source",
    "root": "--root",
    "source_settings": "--source-setting",
}
"""Arguments of `raymm.prepare` that go together or do not, as options."""


def _sources() -> list[str]:
    from raymm.config.registries import SOURCES

    return SOURCES.names()


@click.command(
    epilog="Example: raymm prepare --manifest labels.csv --media-root clips --modalities audio,rgb,flow --out DATA"
)
@click.option("--manifest", type=FILE, help="CSV, Parquet, Arrow or JSON lines.")
@click.option("--media-root", type=FOLDER, help="Folder that the manifest's paths are relative to.")
@click.option("--allow-outside", is_flag=True, help="Also read what paths or links lead to outside of that folder.")
@click.option("--modalities", help="name, name:kind or name=package.module:KIND, with commas.")
@click.option(
    "--source", cls=NamesOption, names=_sources, help="Instead of a manifest: {names}, or package.module:NAME."
)
@click.option("--root", type=FOLDER, help="Folder of that data set, as it was published.")
@click.option("--source-setting", "source_settings", multiple=True, metavar="FIELD=VALUE", help="Its settings.")
@click.option("--out", type=FOLDER, required=True, help="Folder of the new data set.")
@click.option("--set", "settings", multiple=True, metavar="MODALITY.FIELD=VALUE", help="For example rgb.height=64.")
@click.option(
    "--sentence-encoder",
    "sentence_encoders",
    multiple=True,
    metavar="MODALITY=FOLDER",
    help="Store a text modality as vectors of a local sentence-transformers model (raymm[text]).",
)
@click.option("--classes", help="Label names in order, with commas; default: the sorted labels.")
@click.option(
    "--task",
    help="What the labels are: classification, multilabel, regression, or package.module:NAME; else guessed.",
)
@click.option(
    "--task-setting", "task_settings", multiple=True, metavar="FIELD=VALUE", help="For example separator=;."
)
@plugins_option
@click.option(
    "--on-bad-sample",
    type=click.Choice(["raise", "quarantine"]),
    default="raise",
    show_default=True,
    help="Stop and say what is wrong, or leave bad samples out and list them.",
)
@click.option("--group", help="Column of what splits keep whole, such as the speaker.  [default: group, if there]")
@click.option("--seed", type=int, default=0, show_default=True, help="Decides the splits where none are named.")
@backend_option
@workers_option("CPUs that Ray uses at least.", default=2)
@click.option("--dry-run", is_flag=True, help="Say what would be made, how large, how long and what is wrong.")
@json_option(steps=True)
def prepare(
    manifest: Path | None,
    media_root: Path | None,
    allow_outside: bool,
    modalities: str | None,
    source: str | None,
    root: Path | None,
    source_settings: tuple[str, ...],
    out: Path,
    settings: tuple[str, ...],
    sentence_encoders: tuple[str, ...],
    classes: str | None,
    task: str | None,
    task_settings: tuple[str, ...],
    plugins: tuple[str, ...],
    on_bad_sample: Literal["raise", "quarantine"],
    group: str | None,
    seed: int,
    backend: Literal["local", "ray"],
    workers: int,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Turn a manifest and a media folder, or a published data set, into a data set; a rerun continues it."""
    import raymm
    from raymm.api.prepare_from import check_inputs
    from raymm.config.plugins import load_plugins
    from raymm.data.labels import parse_task

    given = {"manifest": manifest, "media_root": media_root, "modalities": modalities, "source": source, "root": root}
    names = [name.strip() for name in classes.split(",")] if classes else None
    if dry_run:
        asked = {"seed": seed, "group": group, "allow_outside": allow_outside, "settings": settings}
        asked["sentence_encoders"] = sentence_encoders
        told = printing(as_json)
        load_plugins(plugin_names(plugins))
        wanted = {**given, "source_settings": source_settings}
        _look(wanted, asked, names, parse_task(task, task_settings), told, as_json)
        return
    check_inputs({**given, "source_settings": source_settings}, OPTIONS.__getitem__)
    made = raymm.prepare(
        manifest,
        media_root,
        modalities,
        source=source,
        root=root,
        out=out,
        source_settings=source_settings,
        allow_outside=allow_outside,
        settings=settings,
        sentence_encoders=sentence_encoders,
        classes=names,
        task=task,
        task_settings=task_settings,
        plugins=plugin_names(plugins),
        on_bad_sample=on_bad_sample,
        group=group,
        seed=seed,
        backend=backend,
        workers=workers,
        progress=printing(as_json),
    )
    if made.unchanged:
        click.echo(f"{out}: is finished, and nothing has changed since", err=True)
    if as_json:
        show_result({"out": str(made.folder), "rows": made.rows, "quarantined": sorted(made.quarantined)})
        return
    click.echo(made.summary())


def _look(
    given: dict[str, Any],
    asked: dict[str, Any],
    classes: list[str] | None,
    task: Any,
    told: "Progress",
    as_json: bool,
) -> None:
    """Show what would be made; problems end with code 2."""
    from raymm.api.outlook import outlook
    from raymm.api.showing import showing

    with showing(told):
        found = outlook(given, asked, classes, task, progress=told)
    if as_json:
        show_result(found.to_dict())
    else:
        click.echo(found.summary())
    if found.problems:
        raise SystemExit(2)
