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

from raymm.errors import DataError, Problems

if TYPE_CHECKING:
    from raymm.data.schema import Schema
    from raymm.tasks.labels import Labels

__all__ = ["LONGEST_ID", "GatheredRows", "gather", "strings_of"]

LONGEST_ID = 1_000
"""Characters of a sample's id."""

GROUP = 512
"""Shards that are gathered at a time; their mappings are then given back."""

PIECE = 16_384
"""Strings that are converted at a time."""

SHOWN = 20
"""Mistakes of a kind that are named one by one."""


@dataclass(frozen=True)
class GatheredRows:
    """Columns of all rows: ids and splits [N], labels of the task's type, presence [N, n]; and rows of each shard."""

    sample_id: npt.NDArray[np.str_]
    split: npt.NDArray[np.str_]
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
        strings_of(table.column("sample_id")),
        _few_strings(table.column("split"), schema.splits),
        np.concatenate([schema.task.array([], len(schema.classes)), *labels]),
        np.concatenate(present),
        counts,
    )
    _check_labels(rows, schema, problems)
    for row in _some(problems, np.flatnonzero(~rows.present.any(axis=1))):
        problems.add(f"sample '{rows.sample_id[row]}': every modality is missing")
    problems.raise_if_any(DataError)
    del table, tables, labels
    pa.default_memory_pool().release_unused()  # what looking for repeated ids took is many times what is kept
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


def _few_strings(column: pa.ChunkedArray, known: Sequence[str]) -> npt.NDArray[np.str_]:
    """A column of strings that are among a few known ones: an array of references to these."""
    place = pc.index_in(column, pa.array(known)).to_numpy()
    return np.array(known, object)[place]


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
    if not problems.items and pc.count_distinct(ids).as_py() != len(ids):
        counts = pc.value_counts(ids)
        twice = counts.filter(pc.greater(counts.field("counts"), 1))
        for entry in _some(problems, twice.to_pylist()):
            problems.add(f"sample '{entry['values']}': its id appears {entry['counts']} times")
    unknown = pc.invert(pc.is_in(table.column("split"), pa.array([*schema.splits, None])))
    for row in _some(problems, _true(unknown)):
        split = table.column("split")[row]
        problems.add(f"sample '{ids[row]}': split '{split}' is not one of {', '.join(schema.splits)}")


def _check_labels(rows: GatheredRows, schema: Schema, problems: Problems) -> None:
    """Each different label once, named with the first sample that has it."""
    different, first = np.unique(rows.label, axis=0, return_index=True)
    wrong = (
        (row, trouble)
        for label, row in zip(different, first, strict=True)
        if (trouble := schema.task.check(label, len(schema.classes)))
    )
    for row, trouble in islice(wrong, SHOWN):
        problems.add(f"sample '{rows.sample_id[row]}': {trouble}")


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
