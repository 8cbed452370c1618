"""`raymm prepare`: raw media to a data set on disk."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from raymm.cli.options import FOLDER, backend_option, json_option, plugin_names, plugins_option, workers_option
from raymm.cli.prepare_from import from_source, given_manifest, source_options
from raymm.cli.progress import follow
from raymm.storage import layout
from raymm.storage.atomic import remove_unfinished
from raymm.storage.lock import writing

if TYPE_CHECKING:
    from raymm.data.prepare import Chunk, ChunkReport, OnBad
    from raymm.data.schema import Schema

__all__ = ["prepare"]


@click.command(
    epilog="Example: raymm prepare --manifest labels.csv --media-root clips --modalities audio,rgb,flow --out DATA"
)
@click.option(
    "--manifest", type=click.Path(path_type=Path, dir_okay=False), help="CSV, Parquet, Arrow or JSON lines."
)
@click.option("--media-root", type=FOLDER, help="Folder that the manifest's paths are relative to.")
@click.option("--allow-outside", is_flag=True, help="Also read what paths or links lead to outside of that folder.")
@click.option("--modalities", help="name, name:kind or name=package.module:KIND, with commas.")
@source_options
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
@click.option("--task", help="What the labels are: classification, multilabel, or package.module:NAME; else guessed.")
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
@json_option()
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
    on_bad_sample: str,
    group: str | None,
    seed: int,
    backend: str,
    workers: int,
    as_json: bool,
) -> None:
    """Turn a manifest and a media folder, or a published data set, into a data set; a rerun continues it."""
    from raymm.config.plugins import load_plugins
    from raymm.data.labels import parse_task
    from raymm.data.lengths import length_lines, summary_of
    from raymm.data.manifest import load_manifest
    from raymm.data.media.text_embeddings import parse_encoders
    from raymm.data.media_root import files_of, require_some_media
    from raymm.data.prepare import all_remarks, chunks_of, finish, finished_reports, groups_of, rows_of_shards
    from raymm.data.schema_inference import build_schema

    load_plugins(plugin_names(plugins))
    given = parse_task(task, task_settings)
    names = [name.strip() for name in classes.split(",")] if classes else None
    if source is None:
        manifest, media_root, kinds = given_manifest(manifest, media_root, modalities, root, source_settings)
    else:
        found = from_source(source, root, source_settings, modalities, seed, out, (manifest, media_root), _note)
        manifest, media_root, kinds = found.manifest, found.root, found.kinds
        names, given, settings = names or found.classes, given or found.task, (*found.sets, *settings)
    encoders = parse_encoders(sentence_encoders, kinds)
    files = layout.embedded_folder(out)
    loaded = load_manifest(manifest, media_root, kinds, names, seed, given, files, allow_outside, group)
    for note in loaded.notes:
        _note(note)
    require_some_media(files_of(loaded.records, kinds), media_root, manifest.parent)
    schema = build_schema(kinds, loaded, media_root, settings, encoders, _note)
    chunks = chunks_of(loaded.records, encoders, rows_of_shards(loaded.records, schema, out))
    reports = finished_reports(chunks, schema, media_root, out)
    if reports is not None:
        click.echo(f"{out}: is finished, and nothing has changed since", err=True)
    else:
        with writing(layout.lock_of_folder(out), f"the data set {out}"):
            remove_unfinished(out)
            reports = _run(chunks, schema, media_root.absolute(), out.absolute(), backend, workers)
            on_bad: OnBad = "raise" if on_bad_sample == "raise" else "quarantine"
            finish(out, schema, reports, on_bad, groups_of(loaded.records))
    for line in length_lines(summary_of([report.lengths for report in reports]), schema):
        _note(line)
    for modality, remark, count in all_remarks(reports):
        _note(f"{modality}: {count} of {sum(report.rows for report in reports)} samples are {remark}")
    _show(reports, schema, out, as_json)


def _note(words: str) -> None:
    click.echo(f"note: {words}", err=True)


def _run(
    chunks: Sequence["Chunk"], schema: "Schema", media_root: Path, out: Path, backend: str, workers: int
) -> list["ChunkReport"]:
    """Prepare all chunks, here or on Ray, and show how far it is."""
    if backend == "local":
        from raymm.data.prepare import run_here

        return list(follow(run_here(chunks, schema, media_root, out), len(chunks), "preparing"))
    from raymm.cluster.connect import connect
    from raymm.cluster.prepare import run_on_ray
    from raymm.config.cluster import ClusterConfig

    with connect(ClusterConfig(workers=workers)):
        return list(follow(run_on_ray(chunks, schema, media_root, out), len(chunks), "preparing"))


def _show(reports: list["ChunkReport"], schema: "Schema", out: Path, as_json: bool) -> None:
    """What the data set holds, and what was left out of it."""
    rows, bad = sum(report.rows for report in reports), {item.sample_id for r in reports for item in r.bad}
    if as_json:
        click.echo(json.dumps({"out": str(out), "rows": rows, "quarantined": sorted(bad)}))
        return
    shapes = ", ".join(f"{spec.name} {list(spec.shape) or 'text'}" for spec in schema.modalities)
    click.echo(f"{rows} samples, {len(schema.classes)} classes: {shapes}")
    if bad:
        click.echo(f"{len(bad)} samples were left out; {out / layout.QUARANTINE} says why")
