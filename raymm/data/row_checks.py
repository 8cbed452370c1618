"""The columns of a data set that are kept in memory, gathered from its shards, and what can be wrong with them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from raymm.data.record import LONGEST_ID
from raymm.errors import DataError, Problems

if TYPE_CHECKING:
    from raymm.data.schema import Schema
    from raymm.tasks.labels import Labels

__all__ = ["GatheredRows", "gather", "strings_of"]

GROUP = 512
"""Shards that are gathered at a time; their mappings are then given back."""

PIECE = 16_384
"""Strings that are converted at a time."""

SHOWN = 20
"""Mistakes of a kind that are named one by one."""


@dataclass(frozen=True)
class Splits:
    """The split of each sample, a byte a sample.

    Attributes
    ----------
    code
        Position of its split among `names`, int8 [N].
    """

    code: npt.NDArray[np.int8]
    names: tuple[str, ...]

    def rows(self, split: str) -> npt.NDArray[np.int64]:
        """Sample numbers of a split, in order."""
        return np.flatnonzero(self.code == (self.names.index(split) if split in self.names else -1))

    def of(self, rows: npt.NDArray[np.int64] | slice = slice(None)) -> npt.NDArray[np.str_]:
        """The names of some samples, or of all: references to the few that there are."""
        return np.array(self.names, object)[self.code[rows]]


@dataclass(frozen=True)
class GatheredRows:
    """Columns of all rows: splits, labels of the task's type, presence [N, n]; and rows of each shard."""

    split: Splits
    label: Labels
    present: npt.NDArray[np.bool_]
    counts: list[int]


def gather(batches: Iterable[pa.RecordBatch], schema: Schema, path: Path) -> GatheredRows:
    """Copy ids, splits, labels and presence out of shards, and check them.

    Raises
    ------
    DataError
        Naming the samples, when an id is empty, too long or there twice, a split is unknown, a label is missing or
        outside the classes, or a sample has no modality.
    """
    counts: list[int] = []
    tables, present = [], [np.empty((0, len(schema.names)), np.bool_)]
    remaining = iter(batches)
    while group := list(islice(remaining, GROUP)):
        counts += [batch.num_rows for batch in group]
        present += [_presence(batch, schema) for batch in group]
        tables.append(pa.Table.from_batches(group).select(["sample_id", "split", "label"]).combine_chunks())
    table = pa.concat_tables(tables) if tables else None
    if table is None or not len(table):
        raise DataError(f"{path}: holds no samples; prepare the data set again")
    problems = Problems(str(path))
    _check_text(table, schema, problems)
    problems.raise_if_any(DataError)
    labels = [schema.task.from_arrow(chunk) for chunk in table.column("label").chunks]
    rows = GatheredRows(
        _splits_of(table.column("split"), schema.splits),
        np.concatenate([schema.task.array([], len(schema.classes)), *labels]),
        np.concatenate(present),
        counts,
    )
    ids = table.column("sample_id")
    _check_labels(rows.label, ids, schema, problems)
    for row in _some(problems, np.flatnonzero(~rows.present.any(axis=1))):
        problems.add(f"sample '{ids[row]}': every modality is missing")
    problems.raise_if_any(DataError)
    del table, tables, labels, ids
    pa.default_memory_pool().release_unused()  # the ids took more than what is kept
    return rows


def _presence(batch: pa.RecordBatch, schema: Schema) -> npt.NDArray[np.bool_]:
    columns = [batch.column(name).is_valid().to_numpy(zero_copy_only=False) for name in schema.names]
    return np.stack(columns, axis=1)


def strings_of(column: pa.ChunkedArray) -> npt.NDArray[np.str_]:
    """A column of strings as one array, made piece by piece: strings of Python take many times their place."""
    out = np.empty(len(column), f"<U{max(1, pc.max(pc.utf8_length(column)).as_py() or 0)}")
    for start in range(0, len(column), PIECE):
        out[start : start + PIECE] = column.slice(start, PIECE).to_numpy()
    return out


def _splits_of(column: pa.ChunkedArray, known: Sequence[str]) -> Splits:
    """A column of strings that are all among the known ones."""
    place = pc.index_in(column, pa.array(known)).to_numpy()
    return Splits(place.astype(np.int8), tuple(known))


def _check_text(table: pa.Table, schema: Schema, problems: Problems) -> None:
    """Ids and splits, and labels that are null."""
    ids = table.column("sample_id")
    for name in ("sample_id", "split", "label"):
        for row in _some(problems, _true(_null_within(table.column(name)))):
            problems.add(f"row {row}: its {name} is missing")
    lengths = pc.utf8_length(ids)
    for row in _some(problems, _true(pc.equal(lengths, 0))):
        problems.add(f"row {row}: its sample_id is empty")
    for row in _some(problems, _true(pc.greater(lengths, LONGEST_ID))):
        problems.add(f"row {row}: its sample_id has {lengths[row]} characters, at most {LONGEST_ID} are allowed")
    if not problems.items and _may_repeat(ids):
        counts = pc.value_counts(ids)
        twice = counts.filter(pc.greater(counts.field("counts"), 1))
        for entry in _some(problems, twice.to_pylist()):
            problems.add(f"sample '{entry['values']}': its id appears {entry['counts']} times")
    unknown = pc.invert(pc.is_in(table.column("split"), pa.array([*schema.splits, None])))
    for row in _some(problems, _true(unknown)):
        split = table.column("split")[row]
        problems.add(f"sample '{ids[row]}': split '{split}' is not one of {', '.join(schema.splits)}")


def _may_repeat(ids: pa.ChunkedArray) -> bool:
    """Whether two ids have one hash; else all differ. A table of the ids themselves would be many times as large."""
    hashes = np.empty(len(ids), np.int64)
    for start in range(0, len(ids), PIECE):
        part = ids.slice(start, PIECE).to_pylist()
        hashes[start : start + len(part)] = [hash(one) for one in part]
    hashes.sort()
    return bool((hashes[1:] == hashes[:-1]).any())


def _check_labels(labels: Labels, ids: pa.ChunkedArray, schema: Schema, problems: Problems) -> None:
    """Each different label once, named with the first sample that has it."""
    different, first = np.unique(labels, axis=0, return_index=True)
    wrong = (
        (row, trouble)
        for label, row in zip(different, first, strict=True)
        if (trouble := schema.task.check(label, len(schema.classes)))
    )
    for row, trouble in islice(wrong, SHOWN):
        problems.add(f"sample '{ids[row]}': {trouble}")


def _null_within(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Where a value, or an entry of a list, is null."""
    null = column.is_null()
    if not pa.types.is_fixed_size_list(column.type):
        return null
    lists = column.combine_chunks()
    size = column.type.list_size
    start = lists.offset * size
    inner = lists.values.slice(start, len(lists) * size).is_null().to_numpy(zero_copy_only=False)
    return pc.or_(null, pa.array(inner.reshape(-1, size).any(axis=1)))


def _true(condition: pa.ChunkedArray) -> npt.NDArray[np.int64]:
    return np.flatnonzero(condition.fill_null(False).to_numpy(zero_copy_only=False))


def _some(problems: Problems, found: Any) -> Iterator[Any]:
    """The first of some mistakes; the rest is counted."""
    yield from found[:SHOWN]
    if len(found) > SHOWN:
        problems.add(f"... and {len(found) - SHOWN} more of this kind")
