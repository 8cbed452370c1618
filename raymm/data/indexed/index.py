"""The folder of an index: what is known of samples whose values stay where they are.

    INDEX/index.arrow       sample_id, split, label, source, group, content, and true or null a modality
    INDEX/members.arrow     of tar archives: where each file lies in them
    INDEX/manifest.json     schema, statistics of the training split, the source, checksums; written last

It is opened as any data set is, also by other processes, and its digest is a function of what was found: labels, ids,
splits, what tells contents apart, and the code that reads them; not of where they lie.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from raymm.config.registries import ITEMS
from raymm.data.arrow_file import read_arrow
from raymm.data.indexed.rows import IndexedRows
from raymm.errors import ConfigError, DataError
from raymm.storage import data_layout, layout

if TYPE_CHECKING:
    from raymm.data.indexed.base import ItemReader, ItemSource, Kept
    from raymm.data.schema import Schema

__all__ = ["INDEX_FORMAT", "open_index"]

INDEX_FORMAT = 2
"""Of an index; data sets of shards are of format 1."""


def open_index(path: Path, schema: Schema, about: Mapping[str, Any]) -> tuple[IndexedRows, list[str]]:
    """The rows of an index, and the group of each; the source itself is opened when a value is read.

    Raises
    ------
    DataError
        When the index was changed after it was written, or names no source.
    """
    table = read_arrow(data_layout.index_file(path)).combine_chunks()
    source = _source_of(about, path)
    rows = IndexedRows(path, schema, table, _Opened(source), shared=source.shared)
    return rows, table.column("group").to_pylist()


def _source_of(about: Mapping[str, Any], path: Path) -> ItemSource:
    """The source that an index names."""
    try:
        kind: type[ItemSource] = ITEMS.get(about["kind"])
        return kind(about["where"], about["settings"])
    except (ConfigError, KeyError, TypeError) as cause:
        raise DataError(f"{path}/{layout.MANIFEST}: its source cannot be used ({cause})") from cause


class _Opened:
    """Opens a source for a reader; an object of a class, so that it can be sent to other processes."""

    def __init__(self, source: ItemSource) -> None:
        self._source = source

    def __call__(self, kept: Kept) -> ItemReader:
        return self._source.reopen(kept)
