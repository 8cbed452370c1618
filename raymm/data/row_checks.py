"""The columns of a data set that are kept in memory, gathered from its shards, and what can be wrong with them."""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
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
GROUP_ROWS = 65_536
"""Shards that are gathered at a time, fewer where they have that many rows; their mappings are then given back."""

PIECE = 16_384
"""Strings that are converted at a time."""

SHOWN = 20
"""Mistakes of a kind that are named one by one."""

TEXTS = ("sample_id", "split", "label")


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


Batches = Callable[[], Iterable[pa.RecordBatch]]
"""Gives the rows of each shard, in order."""


def gather(batches: Batches, schema: Schema, path: Path) -> GatheredRows:
    """Copy splits, labels and presence out of shards, and check them and the ids.

    Only a group of shards is looked at at a time, and of an id its hash is kept meanwhile: beside what is returned
    that takes 8 bytes a row. Where two hashes are equal, the shards are read once more.

    Raises
    ------
    DataError
        Naming the samples, when an id is empty, too long or there twice, a split is unknown, a label is missing or
        outside the classes, or a sample has no modality.
    """
    gathering = _Gathering(schema)
    for group in _groups(batches()):
        gathering.add(group)
    if not gathering.rows:
        raise DataError(f"{path}: holds no samples; prepare the data set again")
    mistakes, problems = gathering.mistakes, Problems(str(path))
    if not mistakes.any_of(*IDS):
        mistakes.add(
            TWICE, _repeated(gathering.hashes, batches), "sample '{0[0]}': its id appears {0[1]} times".format
        )
    for kinds in ((*IDS, TWICE, SPLIT), (LABEL, PRESENT)):
        mistakes.tell(problems, kinds)
        problems.raise_if_any(DataError)
    gathered = gathering.gathered()
    pa.default_memory_pool().release_unused()
    return gathered


IDS = ("no sample_id", "no split", "no label", "empty id", "long id")
TWICE, SPLIT, LABEL, PRESENT = "id twice", "split", "label", "no modality"
"""Kinds of mistakes, in the order in which they are told."""


class _Mistakes:
    """The first mistakes of each kind in words, and how many there are."""

    def __init__(self) -> None:
        self._said: dict[str, list[str]] = defaultdict(list)
        self._count: Counter[str] = Counter()

    def add(self, kind: str, found: Sequence[Any], say: Callable[[Any], str]) -> None:
        """Count what was found, and say as many as are shown."""
        self._said[kind] += map(say, found[: SHOWN - len(self._said[kind])])
        self._count[kind] += len(found)

    def any_of(self, *kinds: str) -> bool:
        """Whether there is a mistake of these kinds."""
        return any(self._count[kind] for kind in kinds)

    def tell(self, problems: Problems, kinds: Iterable[str]) -> None:
        """Add the mistakes of some kinds to others."""
        for kind in kinds:
            problems.extend(self._said[kind])
            if (more := self._count[kind] - SHOWN) > 0:
                problems.add(f"... and {more} more of this kind")


class _Gathering:
    """What was gathered of the groups of shards that were added so far."""

    def __init__(self, schema: Schema) -> None:
        self.rows = 0
        self.mistakes = _Mistakes()
        self.hashes = array("q")
        self._schema = schema
        self._counts: list[int] = []
        self._codes: list[npt.NDArray[np.int8]] = []
        self._labels: list[Labels] = [schema.task.array([], len(schema.classes))]
        self._present: list[npt.NDArray[np.bool_]] = []
        self._wrong: set[bytes] = set()

    def add(self, group: Sequence[pa.RecordBatch]) -> None:
        """Check the rows of a group, and keep what is needed of them."""
        table = pa.Table.from_batches(group).select(TEXTS).combine_chunks()
        ids = table.column("sample_id")
        self._check_text(table)
        for start in range(0, len(ids), PIECE):
            self.hashes.extend(map(hash, ids.slice(start, PIECE).to_pylist()))
        present = np.concatenate([_presence(batch, self._schema) for batch in group])
        absent = np.flatnonzero(~present.any(axis=1)).tolist()
        self.mistakes.add(PRESENT, absent, lambda row: f"sample '{ids[row]}': every modality is missing")
        if not self.mistakes.any_of(*IDS, SPLIT):
            place = pc.index_in(table.column("split"), pa.array(self._schema.splits))
            self._codes.append(place.to_numpy().astype(np.int8))
            self._labels.append(self._schema.task.from_arrow(table.column("label")))
            self._check_labels(self._labels[-1], ids)
        self._present.append(present)
        self._counts += [batch.num_rows for batch in group]
        self.rows += len(table)

    def gathered(self) -> GatheredRows:
        """All of it, where there was no mistake."""
        splits = Splits(np.concatenate(self._codes), tuple(self._schema.splits))
        return GatheredRows(splits, np.concatenate(self._labels), np.concatenate(self._present), self._counts)

    def _check_text(self, table: pa.Table) -> None:
        """Ids and splits, and labels that are null."""
        ids, splits, _ = table.columns
        lengths, known, add = pc.utf8_length(ids), self._schema.splits, self.mistakes.add
        for kind, name in zip(IDS, TEXTS, strict=False):
            add(kind, _true(_null_within(table.column(name))), self._at_row(f"its {name} is missing"))
        _, _, _, empty, long = IDS
        add(empty, _true(pc.equal(lengths, 0)), self._at_row("its sample_id is empty"))
        too_long = "its sample_id has {} characters, at most {} are allowed"
        for row in _true(pc.greater(lengths, LONGEST_ID)):
            add(long, [row], self._at_row(too_long.format(lengths[row], LONGEST_ID)))
        unknown = _true(pc.invert(pc.is_in(splits, pa.array([*known, None]))))
        add(
            SPLIT, unknown, lambda row: f"sample '{ids[row]}': split '{splits[row]}' is not one of {', '.join(known)}"
        )

    def _at_row(self, trouble: str) -> Callable[[int], str]:
        """Says a trouble of a row of the group that is looked at."""
        return lambda row: f"row {self.rows + row}: {trouble}"

    def _check_labels(self, labels: Labels, ids: pa.ChunkedArray) -> None:
        """Each different label once, named with the first sample that has it."""
        different, first = np.unique(labels, axis=0, return_index=True)
        for label, row in zip(different, first, strict=True):
            trouble = self._schema.task.check(label, len(self._schema.classes))
            if trouble and label.tobytes() not in self._wrong:
                self._wrong.add(label.tobytes())
                self.mistakes.add(LABEL, [f"sample '{ids[row]}': {trouble}"], str)


def _groups(batches: Iterable[pa.RecordBatch]) -> Iterator[list[pa.RecordBatch]]:
    """Consecutive shards, some at a time."""
    group: list[pa.RecordBatch] = []
    rows = 0
    for batch in batches:
        group.append(batch)
        rows += batch.num_rows
        if len(group) == GROUP or rows >= GROUP_ROWS:
            yield group
            group, rows = [], 0
    if group:
        yield group


def _presence(batch: pa.RecordBatch, schema: Schema) -> npt.NDArray[np.bool_]:
    columns = [batch.column(name).is_valid().to_numpy(zero_copy_only=False) for name in schema.names]
    return np.stack(columns, axis=1)


def _repeated(hashes: array[int], batches: Batches) -> list[tuple[str, int]]:
    """The ids that are there more than once, and how often: only ids of equal hashes can be."""
    ordered = np.frombuffer(hashes, np.int64)
    ordered.sort()
    twice = set(ordered[1:][ordered[1:] == ordered[:-1]].tolist())
    if not twice:
        return []
    counts = Counter(
        one for batch in batches() for one in batch.column("sample_id").to_pylist() if hash(one) in twice
    )
    return [(one, count) for one, count in counts.items() if count > 1]


def strings_of(column: pa.ChunkedArray) -> npt.NDArray[np.str_]:
    """A column of strings as one array, made piece by piece: strings of Python take many times their place."""
    out = np.empty(len(column), f"<U{max(1, pc.max(pc.utf8_length(column)).as_py() or 0)}")
    for start in range(0, len(column), PIECE):
        out[start : start + PIECE] = column.slice(start, PIECE).to_numpy()
    return out


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


def _true(condition: pa.ChunkedArray) -> list[int]:
    return np.flatnonzero(condition.fill_null(False).to_numpy(zero_copy_only=False)).tolist()
