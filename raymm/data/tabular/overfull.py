"""What a table expands to: bounded by the size of its file before its cells become numbers and texts.

A file of Arrow says how many values its columns have, and compressed buffers how long they are, in the heads of its
messages (FlatBuffers, https://arrow.apache.org/docs/format/Columnar.html). Cells of views may share what they hold.
"""

import struct
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.ipc
from pyarrow import compute, types

from raymm.data.tabular.columns import bounds_of, is_bytes, is_list, is_text
from raymm.errors import DataError

__all__ = ["BYTES_A_VALUE", "LOOKED_AT", "Part", "bounded", "expanded", "held_by_arrow", "refuse_overfull"]

Part = TypeVar("Part", pa.RecordBatch, pa.Table)

FREE_VALUES = 2**24
"""Numbers and texts that any file may hold; a larger one, as many as it has bytes times `VALUES_A_BYTE`."""

VALUES_A_BYTE = 16

FREE_ROWS = 2**19
"""Rows that any file may hold; a larger one, as many as it has bytes times `ROWS_A_BYTE`."""

ROWS_A_BYTE = 0.5

LOOKED_AT = 2**26
"""Bytes of a file up to which it is looked through before it is read."""

BYTES_A_BYTE = 64
"""Of a larger file: what its cells may take in memory."""

BYTES_A_VALUE = 16
"""Bytes that count as a value where buffers are unpacked, or cells share their texts."""


REMEDY = "it is damaged, or its cells share what they hold: write it anew as CSV"


def refuse_overfull(path: Path, rows: int, values: float, remedy: str = REMEDY) -> None:
    """Refuse a small file that holds far more values than bytes: each would become a number or a text."""
    size = path.stat().st_size
    for count, what, most in (
        (values, "values", max(FREE_VALUES, VALUES_A_BYTE * size)),
        (rows, "rows", max(FREE_ROWS, int(ROWS_A_BYTE * size))),
    ):
        if count > most:
            raise DataError(
                f"{path}: says that it holds {count:.0f} {what} in {size} bytes, at most {most} may be; {remedy}"
            )


def bounded(path: Path, parts: Iterable[Part], most: int) -> Iterator[Part]:
    """Parts of a table, of a small file only until their cells take more than `most` bytes together."""
    size, taken = path.stat().st_size, 0
    most = max(most, BYTES_A_BYTE * size)
    for part in parts:
        nested = [name for name in part.schema.names if _shares_within(part.schema.field(name).type)]
        taken += part.nbytes + round(BYTES_A_VALUE * expanded(part.select(nested)))
        if taken > most:
            raise DataError(f"{path}: its cells take more than {most} bytes, and it has {size}; {REMEDY}")
        yield part


def expanded(batch: pa.RecordBatch | pa.Table) -> float:
    """How many values a valid batch has once each cell has its own; cells of a dictionary share theirs in Python too.

    Within lists they do not.

    >>> shared = pa.ListViewArray.from_arrays(pa.array([0, 0], pa.int32()), pa.array([3, 3], pa.int32()), [1, 2, 3])
    >>> expanded(pa.record_batch({"v": shared}))
    8.0
    """
    chunks = (chunk for column in batch.columns for chunk in getattr(column, "chunks", [column]))
    return float(sum(_values_of_cells(chunk).sum() for chunk in chunks))


def _values_of_cells(cells: pa.Array, within: bool = False) -> npt.NDArray[np.float64]:
    """Of each cell of a column, or of what lies within its cells."""
    kind = cells.type
    if isinstance(kind, pa.BaseExtensionType):
        return _values_of_cells(cells.storage, within)
    count = np.ones(len(cells))
    if is_list(kind):
        starts, ends, values = bounds_of(cells)
        before = np.concatenate([[0.0], np.cumsum(_values_of_cells(values, True))])
        count += before[ends] - before[starts]
    elif types.is_struct(kind):
        for inner in cells.flatten():
            count += _values_of_cells(inner, True)
    elif types.is_dictionary(kind) and within:
        words = _values_of_cells(cells.dictionary) + _letters(cells.dictionary)
        count = np.append(words, 1)[cells.indices.fill_null(-1).to_numpy(zero_copy_only=False)]
    elif types.is_string_view(kind) or types.is_binary_view(kind):
        views = np.frombuffer(cells.buffers()[1], np.int32).reshape(-1, 4)
        count += views[cells.offset : cells.offset + len(cells), 0] / BYTES_A_VALUE
    return count


def _shares_within(kind: pa.DataType) -> bool:
    """Whether what lies within cells is held by a dictionary."""
    inner = [kind.field(number).type for number in range(kind.num_fields)] if types.is_nested(kind) else []
    return any(types.is_dictionary(one) or _shares_within(one) for one in inner)


def _letters(words: pa.Array) -> npt.NDArray[np.float64] | float:
    """What texts or bytes count as beside one value each; 0 of numbers."""
    if not (is_text(words.type) or is_bytes(words.type)) or types.is_null(words.type):
        return 0.0
    lengths = compute.binary_length(words).fill_null(0)
    return lengths.to_numpy(zero_copy_only=False) / BYTES_A_VALUE


def held_by_arrow(source: pa.NativeFile, is_file: bool) -> float:
    """How many values an Arrow file, or stream, says that it has, by the lengths of columns and unpacked buffers.

    Raises
    ------
    pyarrow.ArrowInvalid, OSError, ValueError
        When it is damaged.
    """
    try:
        return sum(_held_by_message(message) for message in _messages(source, is_file))
    except struct.error:
        raise ValueError("a message is damaged") from None


def _messages(source: pa.NativeFile, is_file: bool) -> Iterator[pa.Message]:
    if not is_file:
        yield from pa.ipc.MessageReader.open_stream(source)
        return
    for place in _places(source):
        source.seek(place)
        yield pa.ipc.read_message(source)


DICTIONARIES, BATCHES = 2, 3
"""Fields of the footer of a file."""

DICTIONARY, BATCH = 2, 3
"""Types of messages."""


def _places(source: pa.NativeFile) -> list[int]:
    """Where the messages of a file begin, by its footer."""
    end = source.size() - 10  # behind the footer, its length and ARROW1
    source.seek(end)
    (length,) = struct.unpack("<i", source.read(4))
    if not 0 <= length <= end:
        raise ValueError("its footer is damaged")
    source.seek(end - length)
    footer = _Head(source.read(length))
    blocks = (footer.structs(footer.root, field, "<qi4xq") for field in (DICTIONARIES, BATCHES))
    return [place for found in blocks for place, _, _ in found]


def _held_by_message(message: pa.Message) -> float:
    head, body = _Head(message.metadata), message.body
    what, batch = head.number(head.root, 1, "<B"), head.inner(head.root, 2)
    if what == DICTIONARY:
        batch = head.inner(batch, 1)
    elif what != BATCH:
        return 0
    values = sum(length for length, _ in head.structs(batch, 1, "<qq"))
    if not head.inner(batch, 3):
        return values
    unpacked = (struct.unpack_from("<q", body, place)[0] for place, size in head.structs(batch, 2, "<qq") if size)
    return max(values, sum(max(size, 0) for size in unpacked) / BYTES_A_VALUE)


class _Head:
    """A table of FlatBuffers, and those within it, by their places; a place is 0 where a field is absent."""

    def __init__(self, content: Any) -> None:
        self._content = content
        self.root = self._at("<I", 0)

    def number(self, table: int, field: int, form: str) -> int:
        """A number in a field of a table."""
        place = self._place(table, field)
        return self._at(form, place) if place else 0

    def inner(self, table: int, field: int) -> int:
        """The table, or list, in a field of a table."""
        place = self._place(table, field)
        return place + self._at("<I", place) if place else 0

    def structs(self, table: int, field: int, form: str) -> list[tuple[Any, ...]]:
        """The items of a list in a field of a table."""
        place = self.inner(table, field)
        size = self._at("<I", place) * struct.calcsize(form) if place else 0
        return list(struct.iter_unpack(form, memoryview(self._content)[place + 4 : place + 4 + size]))

    def _place(self, table: int, field: int) -> int:
        fields = table - self._at("<i", table)
        entry = 4 + 2 * field
        offset = self._at("<H", fields + entry) if entry < self._at("<H", fields) else 0
        return table + offset if offset else 0

    def _at(self, form: str, place: int) -> int:
        return int(struct.unpack_from(form, self._content, place)[0])
