"""Columns of a valuation table as they lie in a file, and back: numbers, lists, packed bits, and texts.

Texts and bits are read as dictionaries, in which what stands twice takes its room once.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pyarrow import compute

from raymm.data.row_checks import strings_of

__all__ = [
    "as_column",
    "bytes_of",
    "lists",
    "longest",
    "numbers",
    "packed_bits",
    "rows_of_bytes",
    "texts",
]


def texts(column: pa.ChunkedArray, widest: float) -> npt.NDArray[Any]:
    """Texts of a dictionary, "" for null; references to them where the longest has more letters than `widest`."""
    if longest(column) <= widest:
        return strings_of(column.cast(pa.string()).fill_null(""))
    return _spread(column, lambda words: np.array([*words.to_pylist(), ""], object))


def longest(column: pa.ChunkedArray) -> int:
    """Letters of the longest text of a dictionary."""
    return compute.max(compute.utf8_length(column.combine_chunks().dictionary)).as_py() or 0


def _spread(column: pa.ChunkedArray, words_of: Callable[[pa.Array], npt.NDArray[Any]]) -> npt.NDArray[Any]:
    """The values of a dictionary's rows by those of its words; of null the last one."""
    whole = column.combine_chunks()
    return words_of(whole.dictionary)[whole.indices.fill_null(-1).to_numpy()]


def lists(values: npt.NDArray[np.float64] | None) -> pa.Array | None:
    """Rows of numbers [N, K] as one column; None where there are none."""
    if values is None or not values.shape[1]:
        return None
    return pa.FixedSizeListArray.from_arrays(pa.array(np.ravel(values)), values.shape[1])


def numbers(column: pa.ChunkedArray) -> npt.NDArray[np.float64]:
    """The inverse of `lists`."""
    return np.array(column.combine_chunks().flatten().to_numpy()).reshape(len(column), column.type.list_size)


def rows_of_bytes(packed: npt.NDArray[np.uint8]) -> pa.Array:
    """Packed bits [N, bytes] as a column."""
    content = pa.py_buffer(np.ascontiguousarray(packed))
    fixed = pa.Array.from_buffers(pa.binary(packed.shape[1]), len(packed), [None, content])
    return fixed.cast(pa.binary())


def packed_bits(column: pa.ChunkedArray, bits: int) -> npt.NDArray[np.uint8]:
    """The inverse of `rows_of_bytes`, of a dictionary: `bits` of them a row."""
    return _spread(
        column, lambda words: np.frombuffer(b"".join(words.to_pylist()), np.uint8).reshape(-1, bytes_of(bits))
    )


def bytes_of(bits: int) -> int:
    """Bytes that packed bits take."""
    return -(-bits // 8)


def as_column(values: Any, kind: pa.DataType) -> pa.Array:
    """Values as an array of Arrow, NaN as null."""
    return values if isinstance(values, pa.Array) else pa.array(values, kind, from_pandas=True)
