"""Data sets and models that are damaged, and committed again, so that checksums do not tell."""

import json

import pyarrow as pa

from raymm.storage import commit_directory, data_layout, layout

__all__ = ["commit_again", "set_cells", "spoil_shard", "train_words"]


def commit_again(folder, **more):
    """Write the manifest anew over what is there; `more` replaces what it says."""
    about = json.loads((folder / layout.MANIFEST).read_text())
    kept = {key: value for key, value in about.items() if key not in {"files", "checksum"}}
    commit_directory(folder, {**kept, **more}, without=[data_layout.VIEWS])


def spoil_shard(data, change, number=0):
    """Replace the table of a shard by `change(table)`."""
    file = data_layout.shard_file(data, number)
    table = change(pa.ipc.open_file(pa.BufferReader(file.read_bytes())).read_all())
    with pa.OSFile(str(file), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    commit_again(data)


def set_cells(name, cells):
    """A change of a table: cells of a column by row; every other one stays."""

    def change(table):
        column = table.column(name)
        values = column.to_pylist()
        for row, value in cells.items():
            values[row] = value
        position = table.schema.get_field_index(name)
        return table.set_column(position, pa.field(name, column.type), pa.array(values, column.type))

    return change


def train_words(data, *more):
    """The words that train on a data set, beside it."""
    words = ["train", "--data", data, "--out", data.parent / "run", "--store", data.parent / "mlflow"]
    return [*words, "--backend", "local", "--epochs", "3", *more]
