"""`raymm.write_dataset`: samples in memory, or of a `torch.utils.data.Dataset`, as a data set on disk."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from raymm.api.argument_types import check_types
from raymm.api.columns import Columns
from raymm.api.prepared import Prepared
from raymm.api.public import with_worded_refusals
from raymm.api.settings import listed, written
from raymm.api.showing import Showing, showing
from raymm.config.argument_lists import classes_in
from raymm.config.arguments import named_arguments
from raymm.data.dataset import open_dataset
from raymm.data.format import Sample
from raymm.data.format import write_dataset as write_samples
from raymm.data.indexed import live
from raymm.data.indexed.base import Listing
from raymm.data.indexed.own import OwnDataset
from raymm.data.schema import Schema
from raymm.errors import ConfigError, DataError
from raymm.storage.local_path import local_path

__all__ = ["write_dataset"]


@named_arguments
@with_worded_refusals
def write_dataset(
    out: str | Path,
    data: Any,
    schema: Schema | None = None,
    *,
    labels: Sequence[Any] | None = None,
    splits: Sequence[str] | None = None,
    ids: Sequence[str] | None = None,
    sources: Sequence[str] | None = None,
    groups: Sequence[str] | None = None,
    modalities: str | Sequence[str] | Mapping[str, str] | None = None,
    settings: Sequence[str] | Mapping[str, Any] = (),
    classes: Sequence[str] | None = None,
    task: str | None = None,
    task_settings: Sequence[str] | Mapping[str, Any] = (),
    seed: int = 0,
    progress: Showing = "auto",
) -> Prepared:
    """Write samples as a data set, which `raymm.train` and the others then open.

    Parameters
    ----------
    out
        A folder that holds no data set yet.
    data
        By the name of the modality an array or tensor [N, ...], or N values or texts of which None is missing; or a
        `torch.utils.data.Dataset` whose items are dictionaries (docs/your_data.md); or samples, with their `schema`.
    schema
        Of samples (`raymm.data.Sample`) alone.
    labels, splits, ids, sources, groups
        Of the N samples of columns: labels are names or numbers of classes, or lists of names; an array or data frame
        [N, 1], as `frame[["y"]]` is one, is one label a sample, unless `task` is "multilabel". Splits are "train",
        "val" and "test", drawn by `seed` where they are not given, groups being kept whole; sources are files.
    modalities, settings
        Kinds by name, and their settings, as in `raymm.prepare`; default: by shapes and types.
    classes, task, task_settings
        As in `raymm.prepare`.
    progress
        Who is told of what was guessed, and how far it is.

    Raises
    ------
    ConfigError, DataError
        With every argument, column or value that does not fit; nothing is then left that could be opened.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> import raymm
    >>> columns = {"pose": np.random.default_rng(0).normal(size=(12, 3)), "said": ["yes", "no", None] * 4}
    >>> raymm.write_dataset(tempfile.mkdtemp() + "/data", columns, labels=[0, 1] * 6).rows
    12
    """
    check_types("write_dataset", {"out": out}, {"out": str | Path})
    folder = local_path(out)
    of_columns = {"ids": ids, "splits": splits, "sources": sources, "groups": groups}
    with showing(progress) as told:
        if schema is not None:
            _refuse(_given(labels=labels, splits=splits, ids=ids, sources=sources, groups=groups, classes=classes))
            write_samples(folder, _samples_in(data, schema), schema)
        else:
            named = None if classes is None else classes_in(classes)
            own = {
                "modalities": listed(modalities),
                "set": written(settings),
                "classes": named,
                "task": task,
                "task_settings": written(task_settings, "task_settings"),
                "seed": seed,
            }
            found = OwnDataset(_kept(data, labels, of_columns, _has_one_label(task, named)), own).listing(
                told.on_note
            )
            rows = told.follow(_samples(found), len(found.samples), "writing samples")
            write_samples(folder, rows, found.schema)
    dataset = open_dataset(folder)
    return Prepared(dataset.path, dataset.schema, len(dataset), ())


def _has_one_label(task: str | None, classes: Sequence[Any] | None) -> bool:
    """Whether labels [N, 1] are one a sample, and do not say of a single label whether a sample has it."""
    return task in {None, "classification", "regression"} and (classes is None or len(classes) > 1)


def _kept(data: Any, labels: Sequence[Any] | None, told: Mapping[str, Any], one_label: bool) -> str:
    """The key of a map-style data set of what was given."""
    if hasattr(data, "iloc") or hasattr(data, "to_pylist"):
        raise ConfigError(
            f"write_dataset: data is a {type(data).__name__}; give a mapping from names of modalities to columns, "
            'such as {"pose": frame[["x", "y"]].to_numpy()}'
        )
    if not isinstance(data, Mapping):
        _refuse(_given(labels=labels, **told))
        return live.keep(data)
    if labels is None:
        raise ConfigError("write_dataset: columns need labels, one a sample; give labels=")
    return live.keep(Columns(data, labels, told, one_label=one_label), "write_dataset")


def _samples_in(data: Any, schema: Any) -> Iterable[Sample]:
    """The samples that were given beside a schema."""
    if not isinstance(schema, Schema):
        raise ConfigError(f"write_dataset: schema is a {type(schema).__name__}; give a raymm.data.Schema")
    if isinstance(data, str | bytes | Mapping) or not isinstance(data, Iterable):
        raise ConfigError(
            f"write_dataset: data is a {type(data).__name__}; with a schema, give raymm.data.Sample objects"
        )
    for number, sample in enumerate(data):
        if not isinstance(sample, Sample):
            raise DataError(f"write_dataset: sample {number} is a {type(sample).__name__}; give a raymm.data.Sample")
        yield sample


def _samples(found: Listing) -> Iterator[Sample]:
    for row, about in enumerate(found.samples):
        values = found.reader.read(row, about.present)
        kept = {name: values[name] for name in about.present}
        yield Sample(about.sample_id, about.split, about.label, kept, about.source, about.group)


def _given(**arguments: Any) -> list[str]:
    return [name for name, value in arguments.items() if value is not None and value != ()]


def _refuse(given: list[str]) -> None:
    if given:
        raise ConfigError(f"write_dataset: {', '.join(given)} belong to columns; samples and items say it themselves")
