"""Read arrays that a manifest cell points to: `file.npy`, `file.npz#key`, or one row of it, `file.npz#key[12]`."""

import re
import zipfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from raymm.data.media.problem import MediaError

__all__ = ["array_file", "read_array", "shape_of"]

CELL = re.compile(r"(?P<file>[^#]+)(#(?P<key>[^\[\]]+)(\[(?P<row>\d+)\])?)?")


def array_file(cell: str) -> str:
    """The file that a cell points to."""
    return cell.partition("#")[0]


def read_array(cell: str, path: Path) -> npt.NDArray[np.float32]:
    """The float32 array that a cell points to, in the file at `path`.

    Raises
    ------
    MediaError
        When the cell is not of the form, or the file, key or row is not there or not numbers.
    """
    match = CELL.fullmatch(cell)
    if match is None:
        raise MediaError(f"'{cell}' is not of the form file.npy, file.npz#key or file.npz#key[row]")
    try:
        array = _load(str(path), match["key"], path.stat().st_mtime_ns)
        if match["row"] is not None:
            array = array[int(match["row"])]
    except (OSError, ValueError, zipfile.BadZipFile, EOFError) as cause:
        raise MediaError(f"cannot be read as an array ({cause})") from cause
    except KeyError:
        raise MediaError(f"holds no array '{match['key']}'") from None
    except IndexError:
        raise MediaError(f"has no row {match['row']} in '{match['key']}'") from None
    if array.dtype.kind not in "fiub":
        raise MediaError(f"holds {array.dtype}, not numbers")
    return np.asarray(array, np.float32)


def shape_of(cell: Any, media_root: Path) -> tuple[int, ...]:
    """Shape of the array that a cell names or, as nested lists, is; raises `MediaError` as `read_array` does."""
    if isinstance(cell, str):
        return read_array(cell, media_root / array_file(cell)).shape
    shape: tuple[int, ...] = ()
    while isinstance(cell, list):
        shape = (*shape, len(cell))
        cell = cell[0] if cell else None
    return shape


@lru_cache(maxsize=16)
def _load(path: str, key: str | None, changed: int) -> npt.NDArray[Any]:
    """An array, cached for the next rows of the same file until the file changes."""
    del changed
    loaded = np.load(path, allow_pickle=False)
    if isinstance(loaded, np.ndarray):
        if key is not None:
            raise ValueError("a .npy file holds one array, so leave out the key")
        return loaded
    with loaded:
        if key is None:
            raise ValueError(f"a .npz file holds several arrays: add #key, one of {', '.join(loaded.files)}")
        return np.asarray(loaded[key])
