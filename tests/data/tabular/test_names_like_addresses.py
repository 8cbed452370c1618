"""Tables whose names look like addresses are read as the files that they are."""

import gzip
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from raymm.data.tabular.read import read_table

NAMES = ("run:1", "12:30", "file:x", "a%20b", "s3:x", "a b#c?d")


def written(path, table):
    rows = table.to_pylist()
    if path.suffix == ".parquet":
        with path.open("wb") as file:
            pq.write_table(table, file)
    elif path.suffix == ".arrow":
        with path.open("wb") as file, pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table)
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        text = "".join(f"{row['a']},{row['label']}\n" for row in ({"a": "a", "label": "label"}, *rows))
        path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("suffix", [".parquet", ".arrow", ".jsonl", ".csv", ".csv.gz"])
def test_a_table_is_read_by_its_relative_name(name, suffix, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = Path(f"{name}{suffix}")
    written(path, pa.table({"a": ["x.wav", "y.wav"], "label": ["p", "q"]}))
    found = read_table(path)
    assert found.columns.column("a").to_pylist() == ["x.wav", "y.wav"]
    assert found.columns.column("label").to_pylist() == ["p", "q"]
