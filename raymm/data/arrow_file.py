"""Tables in Arrow files of a committed folder: written atomically, compared with its manifest before being read."""

from pathlib import Path

import pyarrow as pa

from raymm.storage.atomic import atomic_path
from raymm.storage.directory import verify

__all__ = ["read_arrow", "write_arrow"]


def write_arrow(path: Path, table: pa.Table) -> None:
    """Write a table as one Arrow file, atomically."""
    with (
        atomic_path(path) as temporary,
        pa.OSFile(str(temporary), "wb") as sink,
        pa.ipc.new_file(sink, table.schema) as writer,
    ):
        writer.write_table(table)


def read_arrow(path: Path) -> pa.Table:
    """The table in a file of a committed folder, mapped; raises `DataError` where it was changed or is missing."""
    verify(path.parent, names=[path.name])
    with pa.memory_map(str(path)) as source:
        return pa.ipc.open_file(source).read_all()
