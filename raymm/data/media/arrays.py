"""Read arrays that a manifest cell points to: `file.npy`, `file.npz#key`, or one row of it, `file.npz#key[12]`."""

import math
import os
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tokenize import TokenError
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from raymm.data.media.problem import MediaError, refuse_pointer
from raymm.data.media.root import MediaRoot

__all__ = ["UNREADABLE", "array_file", "read_array", "shape_of"]

EXPANSION = 100
"""How many times larger than its packed form an array may be, beyond `FREE` bytes."""

FREE = 2**28

UNREADABLE = (
    *(OSError, EOFError, ValueError, TypeError, SyntaxError, RuntimeError, RecursionError, MemoryError),
    *(zipfile.BadZipFile, zlib.error, TokenError),
)
"""What NumPy and zipfile raise on a damaged file; a header is a literal of Python."""

NPY = b"\x93NUMPY"
"""First bytes of a .npy file."""

OF_HEADER = "its header is longer than that of any array of numbers"
"""What is said where NumPy says how a file that is trusted could be read, which no setting does."""

HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
"""How the header of each version of .npy is read; a later version holds no plain numbers."""

CELL = re.compile(r"(?P<file>[^#]+)(#(?P<key>[^\[\]]+)(\[(?P<row>\d+)\])?)?")


def array_file(cell: str) -> str:
    """The file that a cell points to."""
    return cell.partition("#")[0]


def read_array(cell: str, path: Path) -> npt.NDArray[np.float32]:
    """The float32 array that a cell points to, in the file at `path`.

    Raises
    ------
    MediaError
        When the cell is not of the form, the file, key or row is not there or not numbers, or the file says that it
        holds more than it does.
    """
    key, row = _parts(cell)
    with _readable(key, row):
        array = _load(str(path), key, path.stat().st_mtime_ns)
        if row is not None:
            array = array[row]
    _check_numbers(array.dtype)
    with np.errstate(over="ignore"):  # what is too large for float32 becomes infinite, which no data set stores
        return np.asarray(array, np.float32)


def shape_of(cell: Any, media_root: MediaRoot) -> tuple[int, ...]:
    """Shape of the array that a cell names or is; of a file, only the header is read.

    Raises
    ------
    MediaError
        As `read_array` does.
    """
    if isinstance(cell, str):
        return _shape_in_file(cell, media_root / array_file(cell))
    if isinstance(cell, np.ndarray):
        return cell.shape
    shape: tuple[int, ...] = ()
    while isinstance(cell, list):
        shape = (*shape, len(cell))
        cell = cell[0] if cell else None
    return shape


def _parts(cell: str) -> tuple[str | None, int | None]:
    """Key and row of a cell, as far as it names them."""
    match = CELL.fullmatch(cell)
    if match is None:
        raise MediaError(f"'{cell}' is not of the form file.npy, file.npz#key or file.npz#key[row]")
    return match["key"], None if match["row"] is None else int(match["row"])


def _shape_in_file(cell: str, path: Path) -> tuple[int, ...]:
    key, row = _parts(cell)
    refuse_pointer(path)
    with _readable(key, row):
        header = _open(str(path), key)
    _check_numbers(header.dtype)
    if row is None:
        return header.shape
    if not header.shape or row >= header.shape[0]:
        raise MediaError(f"has no row {row} in '{key}'")
    return header.shape[1:]


def _check_numbers(dtype: np.dtype[Any]) -> None:
    if dtype.kind not in "fiub":
        raise MediaError(f"holds {dtype}, not numbers")


@contextmanager
def _readable(key: str | None, row: int | None) -> Iterator[None]:
    """What goes wrong inside as `MediaError`."""
    try:
        yield
    except UNREADABLE as cause:
        words = OF_HEADER if "max_header_size" in str(cause) else " ".join(str(cause).split())[:200]
        raise MediaError(f"cannot be read as an array ({words})") from cause
    except KeyError:
        raise MediaError(f"holds no array '{key}'") from None
    except IndexError:
        raise MediaError(f"has no row {row} in '{key}'") from None


@dataclass(frozen=True)
class _Header:
    """What an array file says of its content."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]


@lru_cache(maxsize=16)
def _load(path: str, key: str | None, changed: int) -> npt.NDArray[Any]:
    """An array, cached for the next rows of the same file until the file changes."""
    del changed
    header = _open(path, key)
    _check_numbers(header.dtype)
    loaded = np.load(path, allow_pickle=False)
    if isinstance(loaded, np.ndarray):
        return loaded
    with loaded:
        return np.asarray(loaded[key])


def _open(path: str, key: str | None) -> _Header:
    """The header of an array; the file must be as long as it says."""
    with Path(path).open("rb") as file:
        if file.read(len(NPY)) == NPY:
            if key is not None:
                raise ValueError("a .npy file holds one array, so leave out the key")
            file.seek(0)
            return _header(file, os.fstat(file.fileno()).st_size)
    if not zipfile.is_zipfile(path):
        raise ValueError("it is no .npy or .npz file")
    with zipfile.ZipFile(path) as archive:
        names = [name.removesuffix(".npy") for name in archive.namelist()]
        if key is None:
            raise ValueError(f"a .npz file holds several arrays: add #key, one of {', '.join(names)}")
        if names.count(key) > 1:
            raise ValueError(f"it holds {names.count(key)} arrays called '{key}'")
        info = archive.getinfo(f"{key}.npy")
        if info.file_size > max(FREE, EXPANSION * info.compress_size):
            raise ValueError(f"'{key}' says that it has {info.file_size} bytes, packed in {info.compress_size}")
        with archive.open(info) as member:
            return _header(member, info.file_size)


def _header(file: IO[bytes], size: int) -> _Header:
    """The header of an .npy file of `size` bytes."""
    version = np.lib.format.read_magic(file)
    if version not in HEADERS:
        raise ValueError(f"a .npy file of version {version[0]}.{version[1]}")
    shape, _, dtype = HEADERS[version](file)
    if dtype.kind in "fiub" and math.prod(shape) * dtype.itemsize > size:
        raise ValueError(f"it says that it holds {list(shape)} numbers of {dtype}, and has {size} bytes")
    return _Header(shape, dtype)
