"""Media files that a table holds itself: the `{bytes, path}` columns of Hugging Face datasets, or plain bytes.

In JSON lines such columns hold paths alone.

The bytes of a cell are written to a folder as a file that is named by their SHA-256, and the cell becomes its path.
Equal bytes are one file, with the suffix of its first name, so that a recording in two splits is noticed, and a
second reading changes nothing.
"""

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa

from raymm.data.tabular.columns import holds_files, is_bytes, plain
from raymm.errors import DataError
from raymm.storage.atomic import write_bytes

__all__ = ["Embedded"]

DIGITS = 32
"""Of the SHA-256 in a name."""


class Embedded:
    """Writes the files of some columns, batch by batch.

    Parameters
    ----------
    columns
        Columns that name media files; all others stay as they are.
    folder
        Where files are written; None refuses them.

    Attributes
    ----------
    names
        What each written file was called: its path in the table, else its own name.
    """

    def __init__(self, columns: Sequence[str], folder: Path | None) -> None:
        self.names: dict[str, str] = {}
        self._files: dict[str, Path] = {}
        self._columns = columns
        self._folder = folder

    def in_schema(self, schema: pa.Schema) -> list[str]:
        """The columns that hold files."""
        return [
            name for name in self._columns if name in schema.names and _holds_files(name, schema.field(name).type)
        ]

    def replace(self, batch: pa.RecordBatch | pa.Table) -> pa.RecordBatch | pa.Table:
        """Rows with paths in the place of files.

        Raises
        ------
        DataError
            When there are files and no folder for them.
        """
        for name in self.in_schema(batch.schema):
            cells = self._paths(name, batch.column(name))
            place = batch.schema.get_field_index(name)
            batch = batch.set_column(place, pa.field(name, pa.string()), pa.array(cells, pa.string()))
        return batch

    def _paths(self, name: str, column: pa.Array | pa.ChunkedArray) -> list[str | None]:
        """Of the cells of a column; what a dictionary holds once is looked at once."""
        if isinstance(column, pa.ChunkedArray):
            return [path for chunk in column.chunks for path in self._paths(name, chunk)]
        if isinstance(column, pa.DictionaryArray):
            known = self._paths(name, column.dictionary)
            return [None if index is None else known[index] for index in column.indices.to_pylist()]
        cells = (cell.as_py() for cell in column)
        return [None if cell is None else self._path(name, cell) for cell in cells]

    def _path(self, column: str, cell: Any) -> str | None:
        content, path = (cell, None) if isinstance(cell, bytes) else (cell.get("bytes"), cell.get("path"))
        if content is None:
            return path
        if self._folder is None:
            raise DataError(f"column '{column}' holds files as bytes, and no folder is given to write them to")
        digest = hashlib.sha256(content).hexdigest()[:DIGITS]
        own = self._folder.absolute() / f"{digest}{PurePosixPath(path or '').suffix.lower()}"
        file = self._files.setdefault(digest, own)  # one file, whatever suffixes its names have
        if not file.is_file() or file.stat().st_size != len(content):
            write_bytes(file, content)
            os.utime(file, (0, 0))  # what is prepared from it is known by name, size and time
        self.names[str(file)] = path or file.name
        return str(file)


def _holds_files(name: str, kind: pa.DataType) -> bool:
    """Bytes in the column `file` are paths that were written as bytes."""
    if isinstance(kind, pa.BaseExtensionType):
        kind = plain(pa.chunked_array([], kind)).type
    return holds_files(kind) or (is_bytes(kind) and name != "file")
