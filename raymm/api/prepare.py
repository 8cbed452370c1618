"""`raymm.prepare`: raw media to a data set on disk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from raymm.api.argument_types import check_least
from raymm.api.preparation import Asked, plan_preparation
from raymm.api.prepare_from import check_inputs, from_source, given_manifest
from raymm.api.prepared import Prepared
from raymm.api.public import public
from raymm.api.settings import Fields, listed, named, written
from raymm.api.showing import Showing, showing
from raymm.config.plugins import load_plugins
from raymm.counts import counted
from raymm.data.labels import parse_task
from raymm.data.lengths import length_lines, summary_of
from raymm.data.prepare import all_remarks

if TYPE_CHECKING:
    from raymm.api.progress import Progress
    from raymm.data.prepare import ChunkReport
    from raymm.data.schema import Schema

__all__ = ["prepare"]


@public
def prepare(
    manifest: str | Path | None = None,
    media_root: str | Path | None = None,
    modalities: str | Sequence[str] | Mapping[str, str] | None = None,
    *,
    out: str | Path,
    source: str | None = None,
    root: str | Path | None = None,
    source_settings: Fields = (),
    allow_outside: bool = False,
    settings: Fields = (),
    sentence_encoders: Sequence[str] | Mapping[str, str | Path] = (),
    classes: Sequence[str] | None = None,
    task: str | None = None,
    task_settings: Fields = (),
    plugins: Sequence[str] = (),
    on_bad_sample: Literal["raise", "quarantine"] = "raise",
    group: str | None = None,
    seed: int = 0,
    backend: Literal["local", "ray"] = "local",
    workers: int = 2,
    progress: Showing = "auto",
) -> Prepared:
    """Turn a manifest and a media folder, or a published data set, into a data set; a second call continues it.

    Parameters
    ----------
    manifest, media_root
        CSV, Parquet, Arrow or JSON lines, and the folder that its paths are relative to.
    modalities
        The columns that are modalities: `"audio,lips:rgb"`, `["audio", "lips:rgb"]` or
        `{"audio": "audio", "lips": "rgb"}`.
    out
        Folder of the data set.
    source, root, source_settings
        Instead of these three: a published data set by name, the folder that it lies in, and settings of the source.
    allow_outside
        Also read what paths or links lead to outside of `media_root`.
    settings
        Of modalities: `{"rgb.height": 64}`.
    sentence_encoders
        Text modalities that are stored as vectors of a local sentence-transformers model, and the model's folder.
    classes
        Names of the labels in order; default: the sorted labels.
    task, task_settings
        What the labels are; default: guessed.
    plugins
        Files or modules that register parts of your own.
    on_bad_sample
        "raise" what is wrong, or "quarantine": leave bad samples out and list them.
    group
        Column of what splits keep whole, such as the speaker; default: the column `group`, where there is one.
    seed
        Decides the splits where none are named.
    backend, workers
        "local", this process, or "ray", with so many CPUs at least.
    progress
        Who is told; "auto" shows a bar on a terminal or in a notebook, None nothing.

    Returns
    -------
    What the data set holds, and which samples were left out.

    Raises
    ------
    ConfigError, DataError
        With every mistake in the arguments, the manifest or the files at once.

    Examples
    --------
    >>> import raymm
    >>> raymm.prepare("labels.csv", out="data")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    raymm.errors.ConfigError: missing media_root, modalities; a published data set is prepared by ...
    """
    check_least("prepare", 0, seed=seed)
    check_least("prepare", 1, workers=workers)
    kinds, own = listed(modalities), written(source_settings, "source_settings")
    given = {"manifest": manifest, "media_root": media_root, "modalities": kinds, "source": source, "root": root}
    check_inputs({**given, "source_settings": own})
    load_plugins(named(plugins))
    parsed = parse_task(task, written(task_settings, "task_settings"))
    asked = Asked(
        Path(out), seed, group, allow_outside, written(settings), written(sentence_encoders, "sentence_encoders")
    )
    with showing(progress) as told:
        if source is None:
            material = given_manifest(Path(manifest or ""), Path(media_root or ""), kinds or "")
        else:
            material = from_source(source, Path(root or ""), own, kinds, seed, asked.out, told.on_note)
        material = material.labelled(classes, parsed)
        plan = plan_preparation(material, asked, told)
        before = plan.finished()
        reports = plan.make(backend, workers, on_bad_sample, told) if before is None else before
        _remark(reports, plan.schema, told)
    return Prepared.of(asked.out, plan.schema, reports, unchanged=before is not None)


def _remark(reports: list[ChunkReport], schema: Schema, told: Progress) -> None:
    """Tell of lengths that vary, and what the kinds of modality remarked."""
    for line in length_lines(summary_of([report.lengths for report in reports]), schema):
        told.on_note(line)
    rows = sum(report.rows for report in reports)
    for modality, remark, count in all_remarks(reports):
        told.on_note(f"{modality}: {count} of {counted(rows, 'sample is', 'samples are')} {remark}")
