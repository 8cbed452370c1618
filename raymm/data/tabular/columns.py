"""Cells of Arrow columns: texts, numbers and lists as Python values, numeric lists as arrays over their memory.

NaN is a missing value, as null is. A column of lists or tensors of numbers is not copied: each cell is a view.
"""

import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import types

__all__ = [
    "arrays_of",
    "bounds_of",
    "holds_files",
    "holds_numbers",
    "is_bytes",
    "is_text",
    "kind_in_words",
    "plain",
    "values_of",
    "why_no_files",
]

DICTIONARY = re.compile(r"dictionary<values=([^,]+), indices=\w+, ordered=\d>")
"""How Arrow writes the type of cells that a dictionary holds; how they are held is of no use in a message."""

LISTS = (types.is_list, types.is_large_list, types.is_fixed_size_list, types.is_list_view, types.is_large_list_view)


def is_text(kind: pa.DataType) -> bool:
    """Whether cells are texts; a column of nulls alone is one of texts that are all missing."""
    return (
        types.is_string(kind)
        or types.is_large_string(kind)
        or types.is_string_view(kind)
        or types.is_null(kind)
        or (types.is_dictionary(kind) and is_text(kind.value_type))
    )


def is_bytes(kind: pa.DataType) -> bool:
    """Whether cells are bytes."""
    return (
        types.is_binary(kind)
        or types.is_large_binary(kind)
        or types.is_fixed_size_binary(kind)
        or types.is_binary_view(kind)
        or (types.is_dictionary(kind) and is_bytes(kind.value_type))
    )


def is_list(kind: pa.DataType) -> bool:
    """Whether cells are lists of any length."""
    return any(check(kind) for check in LISTS)


def holds_numbers(kind: pa.DataType) -> bool:
    """Whether cells are lists (of lists) of numbers, or tensors."""
    if isinstance(kind, pa.FixedShapeTensorType):
        return True
    if not is_list(kind):
        return False
    inner = kind.value_type
    return is_list(inner) or types.is_null(inner) or _is_number(inner)


FILE_FIELDS = {"bytes", "path"}
UNREAD_FIELDS = {"sampling_rate"}
"""Fields beside those of a file that say nothing which the file does not say itself."""


def holds_files(kind: pa.DataType) -> bool:
    """Whether cells are files as Hugging Face datasets hold them: their bytes, their path, or both.

    The field `sampling_rate` may stand beside them; the file's own rate counts.
    """
    return types.is_struct(kind) and not why_no_files(kind)


def why_no_files(kind: pa.StructType) -> str:
    """What keeps the structs of a column from being files, with a remedy; empty where they are files.

    >>> why_no_files(pa.struct({"path": pa.string(), "sampling_rate": pa.int64()}))
    ''
    """
    fields = {field.name: field.type for field in kind}
    if "array" in fields:
        return (
            "numbers that were decoded (array) are no file; keep the files, by Hugging Face's "
            "cast_column(NAME, Audio(decode=False)), or write each to a file and give its path"
        )
    if further := sorted(fields.keys() - FILE_FIELDS - UNREAD_FIELDS):
        return f"a file has the fields bytes and path (sampling_rate is not read); leave {', '.join(further)} out"
    if not fields.keys() & FILE_FIELDS:
        return "a file has the field path, bytes, or both"
    if "bytes" in fields and not (is_bytes(fields["bytes"]) or types.is_null(fields["bytes"])):
        return "JSON holds no bytes of files; give their path, or save the table as Parquet"
    if "path" in fields and not is_text(fields["path"]):
        return "the field path must be a text"
    return ""


def kind_in_words(kind: pa.DataType) -> str:
    """What the cells of a column are, for a message.

    >>> kind_in_words(pa.list_(pa.dictionary(pa.int32(), pa.string())))
    'lists (list<item: string>)'
    """
    if is_text(kind):
        return "texts"
    if is_bytes(kind):
        return "bytes"
    if isinstance(kind, pa.FixedShapeTensorType):
        return f"tensors ({kind})"
    told = DICTIONARY.sub(r"\1", str(kind))
    return f"lists ({told})" if is_list(kind) else f"{told} values"


def plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column without types that only a part of Arrow understands: extension types other than tensors, and runs."""
    kind = column.type
    if types.is_run_end_encoded(kind) and (is_text(kind.value_type) or types.is_primitive(kind.value_type)):
        return pa.chunked_array([pc.run_end_decode(chunk) for chunk in column.chunks], kind.value_type)
    if isinstance(kind, pa.BaseExtensionType) and not isinstance(kind, pa.FixedShapeTensorType):
        return plain(pa.chunked_array([chunk.storage for chunk in column.chunks], kind.storage_type))
    return column


def values_of(column: pa.ChunkedArray) -> list[Any]:
    """Cells as Python values; NaN is None, and bytes that are UTF-8 are text.

    Raises
    ------
    UnicodeDecodeError
        When bytes are no text.

    Examples
    --------
    >>> values_of(pa.chunked_array([[1.0, float("nan"), None]]))
    [1.0, None, None]
    >>> values_of(pa.chunked_array([pa.array(["a", "b", "a"]).dictionary_encode()]))
    ['a', 'b', 'a']
    """
    cells: list[Any] = []
    for chunk in column.chunks:
        if types.is_dictionary(chunk.type):
            known = values_of(pa.chunked_array([chunk.dictionary]))
            cells += [None if index is None else known[index] for index in chunk.indices.to_pylist()]
        else:
            cells += chunk.to_pylist()
    if types.is_floating(column.type):
        return [None if cell is None or math.isnan(cell) else cell for cell in cells]
    if is_bytes(column.type):
        return [cell.decode() if isinstance(cell, bytes) else cell for cell in cells]
    return cells


def arrays_of(column: pa.ChunkedArray) -> list[Any]:
    """Cells of a column of numbers, see `holds_numbers`: arrays; None where null; ragged ones as nested lists.

    A null within a list is NaN, which no data set stores.

    Examples
    --------
    >>> arrays_of(pa.chunked_array([[[1, 2], None, [3]]]))
    [array([1, 2]), None, array([3])]
    >>> arrays_of(pa.chunked_array([[[[1, 2], [3, 4]], [[1], [2, 3]]]]))
    [array([[1, 2],
           [3, 4]]), [[1], [2, 3]]]
    """
    return [cell for chunk in column.chunks for cell in _arrays(chunk)]


def _arrays(chunk: pa.Array) -> list[Any]:
    if isinstance(chunk.type, pa.FixedShapeTensorType):
        shaped = _tensors(chunk)
    else:
        starts, ends, inner = bounds_of(chunk)
        shaped = _slices(starts, ends, inner)
    valid = chunk.is_valid().to_numpy(zero_copy_only=False)
    return [
        None if not there else chunk[row].as_py() if cell is None else cell
        for row, (there, cell) in enumerate(zip(valid, shaped, strict=True))
    ]


def _tensors(chunk: pa.Array) -> Sequence[npt.NDArray[Any]]:
    """Cells of a tensor column, in the order of axes that a reader sees."""
    kind = chunk.type
    flat = _numbers(chunk.storage.values)
    width = kind.storage_type.list_size
    start = chunk.storage.offset * width
    order = kind.permutation or list(range(len(kind.shape)))
    stored = flat[start : start + len(chunk) * width].reshape(len(chunk), *kind.shape)
    return list(stored.transpose(0, *(1 + np.array(order))))


def bounds_of(chunk: pa.Array) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], pa.Array]:
    """Where each list begins and ends in the values of a list array; a null list is empty."""
    kind = chunk.type
    if types.is_fixed_size_list(kind):
        starts = (chunk.offset + np.arange(len(chunk), dtype=np.int64)) * kind.list_size
        ends = starts + kind.list_size
    elif types.is_list_view(kind) or types.is_large_list_view(kind):
        starts = chunk.offsets.to_numpy().astype(np.int64)
        ends = starts + chunk.sizes.to_numpy()
    else:
        offsets = chunk.offsets.to_numpy().astype(np.int64)
        starts, ends = offsets[:-1], offsets[1:]
    valid = chunk.is_valid().to_numpy(zero_copy_only=False)
    return starts, np.where(valid, ends, starts), chunk.values


def _slices(starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64], values: pa.Array) -> list[Any]:
    """The lists between some bounds as arrays; None for those that are ragged or hold no numbers."""
    block = _block(values)
    if block is not None:
        return [block[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
    if not is_list(values.type):
        return [None] * len(starts)
    inner = _slices(*bounds_of(values))
    known = [cell if there else None for cell, there in zip(inner, values.is_valid().to_pylist(), strict=True)]
    return [_stacked(known[start:end]) for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]


def _block(values: pa.Array) -> npt.NDArray[Any] | None:
    """All values as one array [len(values), ...]; None where lists differ in length or hold no numbers."""
    if _is_number(values.type) or types.is_null(values.type):
        return _numbers(values)
    if not is_list(values.type) or not len(values) or values.null_count:
        return None
    starts, ends, deeper = bounds_of(values)
    width = int(ends[0] - starts[0])
    if (ends - starts != width).any() or (starts[1:] != ends[:-1]).any():
        return None
    inner = _block(deeper)
    return None if inner is None else inner[starts[0] : ends[-1]].reshape(len(values), width, *inner.shape[1:])


def _stacked(parts: list[Any]) -> npt.NDArray[Any] | None:
    """Arrays of one shape as one; None where their shapes differ or one is missing."""
    if not parts or any(part is None for part in parts) or len({part.shape for part in parts}) > 1:
        return None
    return np.stack(parts)


def _numbers(values: pa.Array) -> npt.NDArray[Any]:
    """Numbers as an array, without a copy where none is null."""
    if types.is_null(values.type):
        return np.full(len(values), np.nan, np.float32)
    if types.is_decimal(values.type):
        values = values.cast(pa.float64())
    if values.null_count and not types.is_floating(values.type):
        values = values.cast(pa.int8() if types.is_boolean(values.type) else values.type).cast(pa.float64())
    return np.asarray(values.to_numpy(zero_copy_only=False))


def _is_number(kind: pa.DataType) -> bool:
    return types.is_integer(kind) or types.is_floating(kind) or types.is_boolean(kind) or types.is_decimal(kind)
