"""The folder of an index: what is known of samples whose values stay where they are.

    INDEX/index.arrow       sample_id, split, label, source, group, content, and true or null a modality
    INDEX/manifest.json     schema, statistics of the training split, the source, checksums; written last

It is opened as any data set is, also by other processes, and its digest is a function of what was found: labels, ids,
splits, what tells contents apart, and the code that reads them; not of where they lie.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from raymm.config.registries import ITEMS
from raymm.data.format import statistics_of
from raymm.data.indexed.base import ItemReader, ItemSource, Kept, Listing, Say
from raymm.data.indexed.rows import IDENTITY, IndexedRows
from raymm.data.schema import Schema
from raymm.errors import ConfigError, DataError
from raymm.storage import layout
from raymm.storage.atomic import atomic_path, remove_unfinished
from raymm.storage.directory import commit_directory, verify
from raymm.storage.lock import writing

__all__ = ["INDEX_FORMAT", "make_index", "move_source", "open_index", "source_of"]

INDEX_FORMAT = 2
"""Of an index; data sets of shards are of format 1."""


def make_index(folder: Path, source: ItemSource, say: Say = lambda _: None) -> Path:
    """Look at all samples of a source once and write down what is known of them; returns the folder.

    Raises
    ------
    ConfigError, DataError
        With every mistake at once; nothing is then left that could be opened.
    """
    with writing(layout.lock_of_folder(folder), f"the index {folder}"):
        remove_unfinished(folder)
        listing = source.listing(say)
        table = _table(listing)
        rows = IndexedRows(folder, listing.schema, table, lambda _: listing.reader, shared=False)
        statistics = statistics_of(rows, listing.schema)
        with (
            atomic_path(layout.index_file(folder)) as temporary,
            pa.OSFile(str(temporary), "wb") as sink,
            pa.ipc.new_file(sink, table.schema) as writer,
        ):
            writer.write_table(table)
        manifest: dict[str, Any] = {
            "format": INDEX_FORMAT,
            "schema": listing.schema.model_dump(mode="json"),
            "rows": len(rows),
            "statistics": statistics,
            "source": source.about,
        }
        commit_directory(folder, manifest, without=[layout.VIEWS])
    return folder


def open_index(path: Path, schema: Schema, about: Mapping[str, Any]) -> tuple[IndexedRows, list[str]]:
    """The rows of an index, and the group of each; the source itself is opened when a value is read.

    Raises
    ------
    DataError
        When the index was changed after it was written, or names no source.
    """
    file = layout.index_file(path)
    verify(path, names=[file.name])
    with pa.memory_map(str(file)) as stored:
        table = pa.ipc.open_file(stored).read_all().combine_chunks()
    source = source_of(about, path)
    rows = IndexedRows(path, schema, table, _Opened(source), shared=source.shared)
    return rows, table.column("group").to_pylist()


def source_of(about: Mapping[str, Any], path: Path) -> ItemSource:
    """The source that an index names."""
    try:
        kind: type[ItemSource] = ITEMS.get(about["kind"])
        return kind(about["where"], about["settings"])
    except (ConfigError, KeyError, TypeError) as cause:
        raise DataError(f"{path}/{layout.MANIFEST}: its source cannot be used ({cause})") from cause


def move_source(folder: Path, manifest: dict[str, Any], source: ItemSource) -> None:
    """Write down where the samples of an index lie now."""
    rest = {key: value for key, value in manifest.items() if key not in {"files", "checksum"}}
    commit_directory(folder, {**rest, "source": source.about}, without=[layout.VIEWS])


class _Opened:
    """Opens a source for a reader; an object of a class, so that it can be sent to other processes."""

    def __init__(self, source: ItemSource) -> None:
        self._source = source

    def __call__(self, kept: Kept) -> ItemReader:
        return self._source.reopen(kept)


def _table(listing: Listing) -> pa.Table:
    """The columns of an index."""
    samples, schema = listing.samples, listing.schema
    if not samples:
        raise DataError("no samples were found")
    label = schema.task.array([sample.label for sample in samples], len(schema.classes))
    columns: dict[str, Any] = {
        "sample_id": pa.array([sample.sample_id for sample in samples], pa.string()),
        "split": pa.array([sample.split for sample in samples], pa.string()),
        "label": schema.task.to_arrow(label),
        "source": pa.array([sample.source for sample in samples], pa.string()),
        "group": pa.array([sample.group for sample in samples], pa.string()),
        "content": pa.array([sample.content for sample in samples], pa.string()),
    }
    for name in schema.names:
        columns[name] = pa.array([True if name in sample.present else None for sample in samples], pa.bool_())
    identity = json.dumps(listing.identity, sort_keys=True).encode()
    return pa.table(list(columns.values()), names=list(columns), metadata={IDENTITY: identity})
