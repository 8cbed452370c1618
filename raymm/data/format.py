"""The data set on disk: Arrow shards, one row a sample, memory-mapped, a manifest written last.

    DATA/shards/part-00000.arrow    sample_id, split, label, source, and one column a modality
    DATA/manifest.json              schema, statistics of the training split, checksums; written last

A modality column is a fixed-size list of numbers (text: a string); a missing modality is a null.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from raymm.data.arrow_file import write_arrow
from raymm.data.kinds.base import ModalitySpec, Statistics, Value
from raymm.data.media.given_array import MASKED
from raymm.data.plain_text import printable, text_trouble
from raymm.data.record import LONGEST_ID
from raymm.data.schema import FORMAT, SPLITS, Schema, arrow_schema
from raymm.data.shards import Shards
from raymm.errors import DataError, Problems
from raymm.storage import data_layout, layout
from raymm.storage.atomic import remove_unfinished
from raymm.storage.directory import commit_directory, is_committed
from raymm.storage.local_path import local_path
from raymm.storage.lock import writing

__all__ = [
    "Sample",
    "finish_dataset",
    "fitted_schema",
    "statistics_of",
    "write_dataset",
    "write_groups",
    "write_shard",
]

SHARD_ROWS = 256


@dataclass(frozen=True)
class Sample:
    """One row: `values` by modality name; a modality that is absent or None is missing.

    The label is the number of the class; of `multilabel` one bool a class, of `regression` one number a target. The
    group is what must not be torn apart by splits, such as the speaker.
    """

    sample_id: str
    split: str
    label: Any
    values: Mapping[str, Value]
    source: str = field(default="")
    group: str = field(default="")


def write_dataset(out: Path | str, samples: Iterable[Sample], schema: Schema) -> Path:
    """Write samples that are already in memory (or come from a generator) as a data set.

    Parameters
    ----------
    out
        A folder that does not hold a data set yet.
    samples
        Any iterable; at most `SHARD_ROWS` samples are held at a time.
    schema
        Names, kinds and shapes of the modalities, and the classes.

    Raises
    ------
    DataError
        When `out` already holds a data set, or naming every sample whose values do not fit the schema; nothing
        is then left behind that could be opened.
    LockedError
        When somebody else is writing into `out`.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> schema = Schema(modalities=[{"name": "pose", "kind": "vector", "size": 2}], classes=["sit", "stand"])
    >>> samples = [
    ...     Sample(f"{split}{label}", split, label, {"pose": np.array([label, 1.0])})
    ...     for split in SPLITS
    ...     for label in (0, 1)
    ... ]
    >>> write_dataset(tempfile.mkdtemp() + "/data", samples, schema).name
    'data'
    """
    out = local_path(out)
    with writing(layout.lock_of_folder(out), f"the data set {out}"):
        remove_unfinished(out)
        return _write_dataset(out, samples, schema)


def _write_dataset(out: Path, samples: Iterable[Sample], schema: Schema) -> Path:
    if is_committed(out):
        raise DataError(f"{out}: holds a data set already; choose another folder or remove it")
    for left in [*data_layout.shard_files(out), *data_layout.sidecar_files(out)]:  # of a process that was killed
        left.unlink()
    problems = Problems(str(out))
    seen: set[str] = set()
    groups: dict[str, str] = {}
    rows = iter(samples)
    number = 0
    while chunk := list(islice(rows, SHARD_ROWS)):
        for sample in chunk:
            shown = printable(sample.sample_id)
            if sample.sample_id in seen:
                problems.add(f"sample '{shown}': its id appears twice")
            seen.add(sample.sample_id)
            groups |= {sample.sample_id: sample.group} if sample.group else {}
            for trouble in check_sample(sample, schema):
                problems.add(f"sample '{shown}': {trouble}")
        if not problems.items:
            write_shard(data_layout.shard_file(out, number), chunk, schema)
        number += 1
    if not seen:
        problems.add("no samples were given")
    problems.raise_if_any(DataError)
    finish_dataset(out, schema, groups=groups)
    return out


def check_sample(sample: Sample, schema: Schema) -> list[str]:
    """What keeps a sample from being stored, in words; empty when nothing does."""
    found = [
        f"{name} {trouble}"
        for name, text in (("sample_id", sample.sample_id), ("source", sample.source), ("group", sample.group))
        if (trouble := _text_trouble(text))
    ]
    if isinstance(sample.sample_id, str | bytes) and not 0 < len(sample.sample_id) <= LONGEST_ID:
        found.append(f"its id has {len(sample.sample_id)} characters, 1 to {LONGEST_ID} are allowed")
    if sample.split not in SPLITS:
        found.append(f"split '{sample.split}' is not one of {', '.join(SPLITS)}")
    found += _check_label(sample.label, schema)
    unknown = set(sample.values) - set(schema.names)
    found += [f"modality '{name}' is not in the schema" for name in sorted(unknown)]
    present = 0
    for spec in schema.modalities:
        value = sample.values.get(spec.name)
        if value is not None:
            present += 1
            found += [f"{spec.name}: {trouble}" for trouble in _value_troubles(value, spec)]
    if not present:
        found.append("every modality is missing")
    return found


def _text_trouble(text: Any) -> str:
    """What keeps what a sample is called, or belongs to, from being written."""
    if isinstance(text, str):
        return text_trouble(text)
    return "" if isinstance(text, bytes) else f"is a {type(text).__name__}; give a text"


def _value_troubles(value: Any, spec: ModalitySpec) -> list[str]:
    """What keeps a value from being stored."""
    if np.ma.is_masked(value):
        return [MASKED]
    written = text_trouble(value) if isinstance(value, str) else ""
    return [written] if written else spec.check(value)


def _check_label(label: Any, schema: Schema) -> list[str]:
    try:
        trouble = schema.task.check(label, len(schema.classes))
    except (TypeError, ValueError):  # of another type: a number for several labels, or the other way round
        trouble = f"label {label!r} is no label of the task {schema.task.name}"
    return [trouble] if trouble else []


def write_shard(path: Path, samples: Sequence[Sample], schema: Schema) -> None:
    """Write samples (checked before) as one Arrow file, atomically."""
    columns: list[pa.Array] = [
        pa.array([sample.sample_id for sample in samples], pa.string()),
        pa.array([sample.split for sample in samples], pa.string()),
        schema.task.to_arrow(schema.task.array([sample.label for sample in samples], len(schema.classes))),
        pa.array([sample.source for sample in samples], pa.string()),
    ]
    columns += [spec.column([sample.values.get(spec.name) for sample in samples]) for spec in schema.modalities]
    write_arrow(path, pa.table(columns, schema=arrow_schema(schema)))


def finish_dataset(
    out: Path, schema: Schema, about: Mapping[str, Any] | None = None, groups: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Compute the statistics of the training split and write the manifest, which makes the data set exist.

    Parameters
    ----------
    about
        What else the manifest says.
    groups
        What samples belong to, by their ids; samples that are not there belong to none.
    """
    shards = Shards(out, schema)
    if groups:
        write_groups(
            data_layout.groups_file(out), [groups.get(sample_id, "") for sample_id in shards.sample_id.tolist()]
        )
    else:
        data_layout.groups_file(out).unlink(missing_ok=True)
    schema = fitted_schema(out, shards, schema)
    manifest = {
        "format": FORMAT,
        "schema": schema.model_dump(mode="json"),
        "rows": len(shards),
        "statistics": statistics_of(shards, schema),
        **(about or {}),
    }
    return commit_directory(out, manifest, without=[data_layout.VIEWS])


def write_groups(path: Path, groups: Sequence[str]) -> None:
    """Write the group of each row, empty where it has none, in the order of the rows."""
    write_arrow(path, pa.table({"group": pa.array(groups, pa.string())}))


def fitted_schema(out: Path, shards: Any, schema: Schema) -> Schema:
    """The schema with what its task keeps of the training labels (`raymm.tasks.Task.fitted`)."""
    labels = shards.label[shards.in_split("train")]
    try:
        task = schema.task.fitted(labels) if len(labels) else schema.task
    except DataError as cause:
        raise DataError(f"{out}: {cause}") from None
    return schema if task is schema.task else schema.model_copy(update={"task": task})


def statistics_of(shards: Any, schema: Schema) -> dict[str, Statistics]:
    """What each modality keeps of the training split, see `ModalitySpec.statistics`."""
    train = shards.in_split("train")
    statistics = {}
    for position, spec in enumerate(schema.modalities):
        rows = train[shards.present[train, position]]
        found = spec.statistics(partial(shards.read, spec.name), rows)
        if found is not None:
            statistics[spec.name] = found
    return statistics
