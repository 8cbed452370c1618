"""The Arrow files of a data set: mapped into memory when they are read, and checked before a row of them is used.

A data set may have more shards than a process may have mappings (65,530 on most systems), so at most `MAPPED` are
mapped at a time, and those that were not used for the longest time go first. The first time that a process reads from
a shard, the checksum of the whole shard is compared with the manifest, over the very mapping that is then read: a
changed bit is found before the row that holds it is used, and no process reads all shards before it starts.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from raymm.data.row_checks import GatheredRows, gather, strings_of
from raymm.errors import DataError
from raymm.storage import data_layout, layout
from raymm.storage.directory import CHANGED, differs

if TYPE_CHECKING:
    from raymm.data.schema import Schema
    from raymm.tasks.labels import Labels

__all__ = ["MAPPED", "Shards"]

MAPPED = 30_000
"""Shards that a process has mapped at a time: below half of the usual limit, for other mappings come with them."""

REMEDY = "bring back a good copy of it, or prepare the data set again"

Rows = npt.NDArray[np.int64]
Entries = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class _Mapped:
    """A shard in memory: its columns of texts, and the numbers of each modality that is not text, [rows, *shape]."""

    texts: dict[str, pa.Array]
    blocks: dict[str, npt.NDArray[Any]]


class Shards:
    """The rows of all shards, numbered in the order of the files.

    Parameters
    ----------
    path, schema
        The folder of the data set, and what its rows hold.
    files
        Size and checksums of every file of the data set, by name, as its manifest has them: the shards among them are
        read, and no others. None: all shards that are there, unchecked, for the one who writes them.
    checked
        Whether all files were compared with the manifest just now.

    Attributes
    ----------
    label
        Of the task's type: int64 [N], bool [N, K], or float64 [N, K].
    present
        bool [N, n]: False where a modality is missing.

    Raises
    ------
    DataError
        When a shard is missing, has another size or no readable rows, or rows do not fit the schema (an id twice, an
        unknown split, a label outside the classes, no modality).
    """

    def __init__(self, path: Path, schema: Schema, files: Entries | None = None, *, checked: bool = False) -> None:
        self._path, self._schema, self._arrow_schema = path, schema, schema.of_shard
        self._files = files
        self._names = data_layout.shard_names(path, files)
        self._unchecked = np.full(len(self._names), files is not None and not checked)
        self._mapped: OrderedDict[int, _Mapped] = OrderedDict()
        rows = self._gather()
        self._starts = np.cumsum([0, *rows.counts])
        self._splits = rows.split
        self.label: Labels = rows.label
        self.present: npt.NDArray[np.bool_] = rows.present

    def __len__(self) -> int:
        return int(self._starts[-1])

    @cached_property
    def sample_id(self) -> npt.NDArray[np.str_]:
        """Ids of all samples, strings [N]: read when they are first asked for, and kept from then on."""
        columns = (pa.chunked_array([batch.column("sample_id")]) for batch in self._batches())
        return np.concatenate([strings_of(column) for column in columns])

    @cached_property
    def split(self) -> npt.NDArray[np.str_]:
        """Splits of all samples, strings [N]; kept once they were asked for."""
        return self._splits.of()

    def ids(self, rows: Rows) -> npt.NDArray[np.str_]:
        """Ids of samples, from the shards; errors as `read`."""
        return np.array(self.read_text("sample_id", rows), np.str_)

    def splits(self, rows: Rows) -> npt.NDArray[np.str_]:
        """Splits of samples."""
        return self._splits.of(rows)

    def in_split(self, split: str) -> Rows:
        """Sample numbers of a split, in order."""
        return self._splits.rows(split)

    def read(self, name: str, rows: Rows) -> npt.NDArray[Any]:
        """Values of one modality, `[len(rows), *shape]` in the stored type; zeros where it is missing.

        Raises
        ------
        DataError
            When a shard of these rows was changed after it was written.
        """
        spec = self._schema[name]
        out = np.empty((len(rows), *spec.shape), spec.dtype)
        for shard, where, local in self._locate(rows):
            out[where] = self._open(shard).blocks[name][local]
        return out

    def read_text(self, name: str, rows: Rows) -> list[str]:
        """Strings of a text modality, empty where it is missing; errors as `read`."""
        out = np.full(len(rows), "", dtype=object)
        for shard, where, local in self._locate(rows):
            taken = self._open(shard).texts[name].take(pa.array(local))
            out[where] = taken.fill_null("").to_numpy(zero_copy_only=False)
        return list(out)

    def sources(self, rows: Rows) -> list[str]:
        """The source files of samples, as the manifest named them; errors as `read`."""
        return self.read_text("source", rows)

    def verify(self, rows: Rows) -> None:
        """Compare the shards of some rows with the manifest, unless this process did so before; errors as `read`."""
        if self._unchecked.any():
            shards = np.unique(np.searchsorted(self._starts, rows, side="right") - 1)
            for shard in shards[self._unchecked[shards]]:
                self._open(int(shard))

    def prefetch(self, rows: Rows, kept: npt.NDArray[np.bool_]) -> None:
        """Modalities are read one by one."""

    def _locate(self, rows: Rows) -> Iterator[tuple[int, Rows, Rows]]:
        """For each shard of some rows: its number, where in `rows` they stand, and which rows of it they are."""
        shards = np.searchsorted(self._starts, rows, side="right") - 1
        order = np.argsort(shards, kind="stable")
        found, begin = np.unique(shards[order], return_index=True)
        pieces = np.split(order, begin[1:])[: len(found)]  # no rows are one piece to it, of nothing
        for shard, where in zip(found.tolist(), pieces, strict=True):
            yield shard, where, rows[where] - self._starts[shard]

    def _open(self, number: int) -> _Mapped:
        found = self._mapped.pop(number, None)
        if found is None:
            found = self._checked(number)
            if len(self._mapped) >= MAPPED:
                self._mapped.popitem(last=False)
        self._mapped[number] = found
        return found

    def _checked(self, number: int) -> _Mapped:
        """Map a shard, and compare it with the manifest when that was not done before."""
        name = self._names[number]
        content = self._map(name)
        if self._unchecked[number] and self._differs(name, content):
            raise DataError(f"{self._path / name}: {CHANGED}; {REMEDY}")
        batch = self._rows(name, content)
        expected = self._starts[number + 1] - self._starts[number]
        if batch.num_rows != expected:  # another file since it was gathered
            raise DataError(f"{self._path / name}: has {batch.num_rows} rows, {expected} were there before; {REMEDY}")
        self._unchecked[number] = False
        specs = self._schema.modalities
        texts = ["sample_id", "source", *(spec.name for spec in specs if spec.is_text)]
        blocks = {spec.name: _block(batch.column(spec.name), spec.shape) for spec in specs if not spec.is_text}
        return _Mapped({name: batch.column(name) for name in texts}, blocks)

    def _gather(self) -> GatheredRows:
        """The columns of all rows that are kept in memory, shard by shard, without keeping the mappings."""
        try:
            return gather(self._batches, self._schema, self._path)
        except DataError:
            self._refuse_changed()  # which may be why
            raise

    def _batches(self) -> Iterator[pa.RecordBatch]:
        """The rows of each shard, mapped while they are looked at; checksums are not compared."""
        return (self._rows(name, self._map(name)) for name in self._names)

    def _refuse_changed(self) -> None:
        for name in self._names:
            if self._differs(name, self._map(name)):
                raise DataError(f"{self._path / name}: {CHANGED}; {REMEDY}")

    def _map(self, name: str) -> pa.Buffer:
        file = f"{self._path}/{name}"
        try:
            with pa.memory_map(file, "r") as source:
                content = source.read_buffer()
        except FileNotFoundError:
            raise DataError(f"{file}: is missing; {REMEDY}") from None
        except (pa.ArrowInvalid, OSError) as cause:
            raise DataError(f"{file}: cannot be read ({cause}); {REMEDY}") from cause
        written = content.size if self._files is None else self._files[name]["bytes"]
        if content.size != written:
            raise DataError(f"{file}: has {content.size} bytes, {written} were written; {REMEDY}")
        return content

    def _differs(self, name: str, content: pa.Buffer) -> bool:
        return self._files is not None and differs(content, self._files[name])

    def _rows(self, name: str, content: pa.Buffer) -> pa.RecordBatch:
        """The rows in the content of a shard, their columns and offsets checked."""
        file = self._path / name
        try:
            reader = pa.ipc.open_file(content)
            batch = reader.get_batch(0)
            if batch.schema.equals(self._arrow_schema):
                _check_offsets(batch)
        except (pa.ArrowException, OSError, IndexError, ValueError) as cause:
            trouble = CHANGED if self._differs(name, content) else f"not a readable Arrow file ({cause})"
            raise DataError(f"{file}: {trouble}; {REMEDY}") from cause
        if not batch.schema.equals(self._arrow_schema) or reader.num_record_batches != 1:
            trouble = _difference(batch.schema, self._arrow_schema) or "it is in more than one part"
            raise DataError(f"{file}: {CHANGED if self._differs(name, content) else trouble}; {REMEDY}")
        return batch


def _difference(found: pa.Schema, wanted: pa.Schema) -> str:
    """The first columns that are not those of the schema, in words; empty where all are."""
    told = f"the schema in {layout.MANIFEST} says"
    for column in wanted:
        if found.get_all_field_indices(column.name) != [wanted.get_field_index(column.name)]:
            return f"its columns are {', '.join(found.names)}; {told} {', '.join(wanted.names)}"
        if not found.field(column.name).equals(column):
            return f"its column '{column.name}' is {found.field(column.name).type}; {told} {column.type}"
    more = found.names[len(wanted) :]
    return f"it has {', '.join(more)} as well; {told} no such columns" if more else ""


def _check_offsets(batch: pa.RecordBatch) -> None:
    """Raise `ArrowInvalid` where a column points outside of the file."""
    batch.validate()
    for name in ("sample_id", "split"):
        batch.column(name).validate(full=True)


def _block(column: pa.Array, shape: Sequence[int]) -> npt.NDArray[Any]:
    """A fixed-size list column as one array [rows, *shape] over the mapped file."""
    width = math.prod(shape)
    values = column.values.to_numpy(zero_copy_only=True)
    start = column.offset * width
    return values[start : start + len(column) * width].reshape(len(column), *shape)
