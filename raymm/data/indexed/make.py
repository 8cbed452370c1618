"""Make an index: look at all samples of a source once, and write down what is known of them."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa

from raymm.data.arrow_file import write_arrow
from raymm.data.format import fitted_schema, statistics_of
from raymm.data.indexed.base import ItemSource, Listing, Say
from raymm.data.indexed.index import INDEX_FORMAT
from raymm.data.indexed.rows import IDENTITY, IndexedRows
from raymm.errors import DataError
from raymm.storage import data_layout, layout
from raymm.storage.atomic import remove_unfinished
from raymm.storage.directory import commit_directory
from raymm.storage.lock import writing

__all__ = ["make_index", "move_source"]


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
        write_arrow(data_layout.index_file(folder), table)
        for name, found in listing.files.items():
            write_arrow(folder / f"{name}.arrow", found)
        manifest: dict[str, Any] = {
            "format": INDEX_FORMAT,
            "schema": fitted_schema(folder, rows, listing.schema).model_dump(mode="json"),
            "rows": len(rows),
            "statistics": statistics,
            "source": source.about,
        }
        commit_directory(folder, manifest, without=[data_layout.VIEWS])
    return folder


def move_source(folder: Path, manifest: dict[str, Any], source: ItemSource) -> None:
    """Write down where the samples of an index lie now."""
    rest = {key: value for key, value in manifest.items() if key not in {"files", "checksum"}}
    commit_directory(folder, {**rest, "source": source.about}, without=[data_layout.VIEWS])


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
    if taken := [name for name in schema.names if name in columns]:
        raise DataError(
            f"modality '{taken[0]}': the index of samples that stay where they are has a column of that name; rename "
            f"it, or copy the samples (raymm.write_dataset, raymm prepare); taken are {', '.join(columns)}"
        )
    for name in schema.names:
        columns[name] = pa.array([True if name in sample.present else None for sample in samples], pa.bool_())
    identity = json.dumps(listing.identity, sort_keys=True).encode()
    return pa.table(list(columns.values()), names=list(columns), metadata={IDENTITY: identity})
