"""Rows whose values are read one by one from where they lie, each once a batch; the last ones stay in memory."""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from raymm.data.indexed.base import ItemReader, Kept
from raymm.data.row_checks import gather, strings_of
from raymm.errors import DataError, Problems

if TYPE_CHECKING:
    from raymm.data.schema import Schema
    from raymm.tasks.labels import Labels

__all__ = ["CACHE_BYTES", "IDENTITY", "IndexedRows"]

CACHE_BYTES = 2**28
"""Bytes of values that a process keeps, at most."""

IDENTITY = b"raymm"
"""Key of the facts about a source in the metadata of an index."""

Rows = npt.NDArray[np.int64]
Stored = dict[str, Any]


class IndexedRows:
    """`SampleRows` over an index, and a source that is opened when the first value is read.

    Parameters
    ----------
    path, schema
        The folder of the index, and what its rows hold.
    table
        The columns of the index, see `raymm.data.indexed.index`.
    open_reader
        Makes the reader, in every process anew.
    shared
        Whether other processes can; else they get a copy of the reader of this one.

    Raises
    ------
    DataError
        When rows do not fit the schema, see `raymm.data.row_checks.gather`.
    """

    def __init__(
        self, path: Path, schema: Schema, table: pa.Table, open_reader: Callable[[Kept], ItemReader], *, shared: bool
    ) -> None:
        self._path, self._schema, self._open_reader, self._shared = path, schema, open_reader, shared
        self._position = {name: position for position, name in enumerate(schema.names)}
        rows = gather(table.to_batches, schema, path)
        self._splits = rows.split
        self.label: Labels = rows.label
        self.present: npt.NDArray[np.bool_] = rows.present
        self._ids, self._sources = table.column("sample_id"), table.column("source")
        self._content = table.column("content")
        self._identity = json.loads((table.schema.metadata or {}).get(IDENTITY, b"{}"))
        self._reader: ItemReader | None = None
        self._cache: OrderedDict[int, Stored] = OrderedDict()
        self._cached_bytes = 0
        self._ready: dict[int, Stored] = {}

    def __len__(self) -> int:
        return len(self.label)

    @cached_property
    def sample_id(self) -> npt.NDArray[np.str_]:
        """Ids of all samples, strings [N]; kept once they were asked for."""
        return strings_of(self._ids)

    @cached_property
    def split(self) -> npt.NDArray[np.str_]:
        """Splits of all samples, strings [N]; kept once they were asked for."""
        return self._splits.of()

    def ids(self, rows: Rows) -> npt.NDArray[np.str_]:
        """Ids of samples."""
        return strings_of(self._ids.take(pa.array(rows)))

    def splits(self, rows: Rows) -> npt.NDArray[np.str_]:
        """Splits of samples."""
        return self._splits.of(rows)

    def in_split(self, split: str) -> Rows:
        """Sample numbers of a split, in order."""
        return self._splits.rows(split)

    @property
    def kept(self) -> Kept:
        """What the index has of its source."""
        columns = (self._schema, self.sample_id, self.split, self.label, self._content.to_pylist())
        return Kept(str(self._path), *columns, self._identity)

    def open(self) -> ItemReader:
        """The source, compared with the index when it is opened; raises `DataError` where it is another one now."""
        if self._reader is None:
            self._reader = self._open_reader(self.kept)
        return self._reader

    def prefetch(self, rows: Rows, kept: npt.NDArray[np.bool_]) -> None:
        """Read samples that are asked for next, [B], with the modalities [B, n] that are needed of each at once."""
        needed: dict[int, set[str]] = {}
        for row, keep in zip(rows.tolist(), kept.tolist(), strict=True):
            needed.setdefault(row, set()).update(compress(self._position, keep))
        self._ready = {row: self._fetch(row, names) for row, names in needed.items()}

    def read(self, name: str, rows: Rows) -> npt.NDArray[Any]:
        """Values of one modality, `[len(rows), *shape]` in the stored type; zeros where it is missing.

        Raises
        ------
        DataError
            Naming the sample that cannot be read, or that is another one than the index says.
        """
        spec = self._schema[name]
        out = np.zeros((len(rows), *spec.shape), spec.dtype)
        for place, value in self._values(name, rows):
            out[place] = value
        return out

    def read_text(self, name: str, rows: Rows) -> list[str]:
        """Strings of a text modality, empty where it is missing; errors as `read`."""
        out = [""] * len(rows)
        for place, value in self._values(name, rows):
            out[place] = value
        return out

    def sources(self, rows: Rows) -> list[str]:
        """The file of each sample; empty where there is none."""
        return [self._sources[row].as_py() for row in rows.tolist()]

    def verify(self, rows: Rows) -> None:
        """Each value is checked when it is read."""

    def __getstate__(self) -> dict[str, Any]:
        reader = None if self._shared else self._reader
        return {**self.__dict__, "_reader": reader, "_cache": OrderedDict(), "_cached_bytes": 0, "_ready": {}}

    def _values(self, name: str, rows: Rows) -> Iterable[tuple[int, Any]]:
        """Where a row stands, and its value, of those that have the modality."""
        there = self.present[rows, self._position[name]]
        for place in np.flatnonzero(there).tolist():
            row = int(rows[place])
            found = self._ready.get(row)
            yield place, (found if found is not None and name in found else self._fetch(row, {name}))[name]

    def _fetch(self, row: int, names: set[str]) -> Stored:
        """Stored values of a sample, of these modalities at least as far as it has them."""
        known = self._cache.pop(row, {})
        lacking = {name for name in names - known.keys() if self.present[row, self._position[name]]}
        if lacking:
            new = self._checked(row, lacking, self.open().read(row, lacking))
            known = {**known, **new}
            self._cached_bytes += sum(map(_size, new.values()))
        if known:
            self._cache[row] = known
        while self._cached_bytes > CACHE_BYTES and len(self._cache) > 1:
            _, dropped = self._cache.popitem(last=False)
            self._cached_bytes -= sum(map(_size, dropped.values()))
        return known

    def _checked(self, row: int, lacking: set[str], values: Mapping[str, Any]) -> Stored:
        """Values as they are stored, each checked as if it was written."""
        stored: Stored = {}
        problems = Problems(f"sample '{self._ids[row]}'")
        for name, position in self._position.items():
            value = values.get(name)
            if (value is not None) != bool(self.present[row, position]) and (value is not None or name in lacking):
                problems.add(f"{name}: is {'there' if value is not None else 'missing'} now, which it was not before")
            elif value is not None:
                spec = self._schema[name]
                problems.extend(f"{name}: {trouble}" for trouble in spec.check(value))
                stored[name] = value
        problems.raise_if_any(DataError)
        return {
            name: value if self._schema[name].is_text else self._schema[name].stored(value)
            for name, value in stored.items()
        }


def _size(value: Any) -> int:
    return value.nbytes if isinstance(value, np.ndarray) else len(value)
