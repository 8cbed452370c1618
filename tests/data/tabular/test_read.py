"""Tables of every format hold the same rows; what is damaged, ambiguous or too large is said."""

import csv
import gzip
import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raymm.data.tabular.csv_text import read_csv
from raymm.data.tabular.read import read_table
from raymm.errors import DataError
from tests.limits import within_limits

ROWS = [{"file": f"ü {n}.wav", "label": "ab"[n % 2], "text": f'says "{n}", twice'} for n in range(6)]


def text_of(rows=ROWS, delimiter=",", end="\r\n"):
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), delimiter=delimiter, lineterminator=end)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def read(folder, name, content):
    path = folder / name
    path.write_bytes(content)
    return read_table(path)


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-be", "cp1252"]
)
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_every_dialect_holds_the_same_rows(tmp_path, encoding, delimiter, end):
    mark = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff", "utf-32-be": b"\0\0\xfe\xff"}.get(encoding, b"")
    found = read(tmp_path, "m.csv", mark + text_of(delimiter=delimiter, end=end).encode(encoding))
    assert found.columns.to_pylist() == ROWS
    said = " ".join(found.notes)
    assert ("read as Windows-1252" in said) == (encoding == "cp1252")
    assert ("separated by" in said) == (delimiter != ",")


def as_parquet(table):
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def as_arrow(table, new):
    sink = io.BytesIO()
    with new(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


CONTENT = {
    "m.tsv": text_of(delimiter="\t").encode(),
    "m.CSV": text_of().encode(),
    "m": text_of().encode(),
    "m.txt": text_of().encode(),
    "m.csv.gz": gzip.compress(text_of().encode()),
    "m.tsv.GZ": gzip.compress(text_of(delimiter="\t").encode()),
    "m.jsonl": "\n".join(map(json.dumps, ROWS)).encode(),
    "m.ndjson": "\n".join(map(json.dumps, ROWS)).encode(),
    "m.JSONL.gz": gzip.compress("\n".join(map(json.dumps, ROWS)).encode()),
    "m.parquet": as_parquet(pa.Table.from_pylist(ROWS)),
    "m.PARQUET": as_parquet(pa.Table.from_pylist(ROWS)),
    "m.pq": as_parquet(pa.Table.from_pylist(ROWS)),
    "m.arrow": as_arrow(pa.Table.from_pylist(ROWS), pa.ipc.new_file),
    "stream.arrow": as_arrow(pa.Table.from_pylist(ROWS), pa.ipc.new_stream),
    "m.feather": as_arrow(pa.Table.from_pylist(ROWS), pa.ipc.new_file),
    "in-fact-parquet.csv": as_parquet(pa.Table.from_pylist(ROWS)),
}


@pytest.mark.parametrize("name", CONTENT)
def test_every_format_holds_the_same_rows(tmp_path, name):
    assert read(tmp_path, name, CONTENT[name]).columns.to_pylist() == ROWS


SUFFIXES = [name.partition(".")[2] for name in CONTENT if name.startswith("m.") and name == name.lower()]


@settings(max_examples=25)
@given(
    suffix=st.sampled_from(SUFFIXES),
    large=st.lists(st.booleans(), min_size=10, max_size=10),
    start=st.sampled_from(["m", "M.v2", ".m", "m.csv", "ü m"]),
)
def test_suffixes_in_drawn_capitals_are_understood(tmp_path_factory, suffix, large, start):
    spelt = "".join(letter.upper() if big else letter for letter, big in zip(suffix, large, strict=False))
    assert (
        read(tmp_path_factory.getbasetemp(), f"{start}.{spelt}", CONTENT[f"m.{suffix}"]).columns.to_pylist() == ROWS
    )


@pytest.mark.parametrize(
    "columns",
    [
        {"label": [1, 2], "v": [[1.0], [2.0]]},
        {"label": ["a", "b"]},
        {"a.b": ["x", "y"], "a": [1, 2], "label": [3, 4]},
        {"label": [], "v": []},
        {"v": [{"x": 1}, {"x": 2}], "label": ["a", None]},
    ],
)
def test_parquet_of_any_columns(tmp_path, columns):
    table = pa.table(columns)
    found = read(tmp_path, "m.parquet", as_parquet(table)).columns
    assert sorted(found.column_names) == sorted(columns)
    assert found.select(list(columns)).to_pydict() == table.to_pydict()


CELL = st.text(st.characters(codec="utf-8", exclude_characters="\x00\ufeff"), max_size=12)


@settings(max_examples=150, deadline=None)
@given(
    rows=st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=8),
    delimiter=st.sampled_from(",;\t"),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_cells_are_what_the_csv_module_wrote(tmp_path_factory, rows, delimiter, encoding, end):
    dicts = [dict(zip(("label", "b", "c"), row, strict=True)) for row in rows]
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator=end, quoting=csv.QUOTE_ALL)
    writer.writerow(["label", "b", "c"])
    writer.writerows(rows)
    table, _ = read_csv(tmp_path_factory.getbasetemp() / "m.csv", text.getvalue().encode(encoding))
    assert table.to_pylist() == dicts


@pytest.mark.parametrize("size", [10, 10**5, 3 * 10**6])
def test_cells_in_quotes_hold_line_breaks_at_any_size(tmp_path, size):
    rows = [{"label": label, "text": f"first {'w ' * (size // 2)}\nsecond"} for label in "abc"]
    assert read(tmp_path, "m.csv", text_of(rows).encode()).columns.to_pylist() == rows


def test_many_rows_with_line_breaks_are_all_there(tmp_path):
    rows = [{"label": "ab"[n % 2], "text": f"first {'w ' * 60}\nsecond {n}"} for n in range(12_000)]
    assert read(tmp_path, "m.csv", text_of(rows).encode()).columns.to_pylist() == rows


def test_blanks_around_names_and_columns_without_a_name_do_not_count(tmp_path):
    table = read(tmp_path, "m.csv", b"\n file , label,,\na.wav,x,,\nb.wav,y,,\n").columns
    assert table.column_names == ["file", "label"]
    assert table.column("file").to_pylist() == ["a.wav", "b.wav"]


def refused(folder, name, content):
    with pytest.raises(DataError) as caught:
        read(folder, name, content)
    assert str(caught.value).startswith(f"{folder / name}: ")
    return str(caught.value)


def test_rows_of_another_length_are_named_all_at_once(tmp_path):
    said = refused(tmp_path, "m.csv", b"file,label\na,x\nb\n\nc,y,z\n")
    assert "row 2 has 1 cells, the header 2: b" in said
    assert "row 3 has 3 cells, the header 2: c,y,z" in said


@pytest.mark.parametrize("stray", ['a,"open\nb,y\nc,z\n', 'a,"closed" early\nb,y\n', 'a,x\nb,"open'])
def test_a_quote_that_is_not_closed_does_not_swallow_rows(tmp_path, stray):
    said = refused(tmp_path, "m.csv", b"file,label\n" + stray.encode())
    assert "a cell that begins with a quote does not end with one" in said
    assert "line " in said


def test_a_quote_within_a_cell_is_a_letter(tmp_path):
    table = read(tmp_path, "m.csv", b'label,text\na,5" disk\nb,x\n').columns
    assert table.column("text").to_pylist() == ['5" disk', "x"]


def test_bytes_that_are_no_text_are_placed(tmp_path):
    said = refused(tmp_path, "m.csv", b"label,text\na,\xe9\nb,\x81\n")
    assert "is not UTF-8 (byte 0xe9 in line 2), nor Windows-1252; save it as UTF-8" in said
    (note,) = read(tmp_path, "m.csv", b"label,text\n" + b"a,x\n" * 300_000 + b"b,\xe9\n").notes
    assert "byte 0xe9 in line 300002" in note
    assert "zero bytes" in refused(tmp_path, "m.csv", "label,text\na,b\n".encode("utf-16-le"))


LINES = "\n".join(json.dumps(row, ensure_ascii=False) for row in ROWS)


@settings(max_examples=25)
@given(
    suffix=st.sampled_from(["csv", "jsonl", "jsonl.gz"]),
    encoding=st.sampled_from(
        ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "cp1252"]
    ),
)
def test_text_of_any_encoding_is_read_or_named_for_what_it_is(tmp_path_factory, suffix, encoding):
    folder = tmp_path_factory.getbasetemp()
    content = (text_of() if suffix == "csv" else LINES).encode(encoding)
    content = gzip.compress(content) if suffix.endswith("gz") else content
    if encoding.endswith(("le", "be")):
        said = refused(folder, f"m.{suffix}", content)
        assert "holds zero bytes, as UTF-16 and UTF-32 without a byte order mark do; save it as UTF-8" in said
    elif encoding == "cp1252" and suffix != "csv":
        assert "is not UTF-8 (byte 0xfc in line 1); save it as UTF-8" in refused(folder, f"m.{suffix}", content)
    else:
        assert read(folder, f"m.{suffix}", content).columns.to_pylist() == ROWS


@settings(max_examples=15)
@given(
    suffix=st.sampled_from(["csv", "jsonl"]),
    rows=st.integers(300, 400),
    zeros=st.integers(1, 5000),
    end=st.booleans(),
)
def test_zero_bytes_are_named_with_their_line(tmp_path_factory, suffix, rows, zeros, end):
    line = b"a,x\n" if suffix == "csv" else b'{"label": "a", "text": "x"}\n'
    content = (b"label,text\n" if suffix == "csv" else b"") + rows * line
    place = content.count(b"\n") + 1
    content += bytes(zeros) + (b"" if end else line)
    said = refused(tmp_path_factory.getbasetemp(), f"m.{suffix}", content)
    assert f"holds {zeros} zero bytes, from line {place} on, and text has none: it is damaged" in said


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet", "arrow", "txt"])
def test_a_file_of_zero_bytes_alone_was_not_written(tmp_path, suffix):
    assert "begins with zero bytes, so it is damaged or was not wri" in refused(tmp_path, f"m.{suffix}", bytes(500))


def test_dates_of_json_lines_stay_text(tmp_path):
    rows = [{"label": "a", "text": "2020-01-01"}, {"label": "b", "text": "2020-01-02T03:04:05Z"}]
    content = "\n".join(map(json.dumps, rows)).encode()
    assert read(tmp_path, "m.jsonl", content).columns.to_pylist() == rows


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("m.xlsx", b"PK\x03\x04" + bytes(40), "is a spreadsheet or an archive; export it as CSV"),
        ("m.csv", b"SQLite format 3\0", "is a database"),
        ("m.jsonl", b'{"label": 1}\n{"label": "a"}\n', "not readable as .jsonl"),
        ("m.jsonl", b'{"label": 1, "label": 2}\n', "not readable as .jsonl"),
        ("m.csv", b"a,label,a\n1,2,3\n", "column 'a' appears 2 times"),
        ("m.csv", b" a,label,a \n1,2,3\n", "column 'a' appears 2 times"),
        ("m.tsv", b"a\tlabel\ta\n1\t2\t3\n", "column 'a' appears 2 times"),
        ("m.csv.gz", gzip.compress(b"label\n", mtime=0)[:-6], "not readable as .gz"),
        ("m.arrow", CONTENT["m.arrow"][:-30], "not readable as .arrow"),
    ],
)
def test_what_cannot_be_read_is_said(tmp_path, name, content, words):
    assert words in refused(tmp_path, name, content)


def test_a_small_file_that_unpacks_to_a_large_one_is_refused(tmp_path):
    bomb = gzip.compress(b"label\n" + b"0\n" * 2**26)
    assert len(bomb) < 2**20
    assert "unpacks to more than" in refused(tmp_path, "m.csv.gz", bomb)
    many = as_parquet(pa.table({"label": pa.array(np.zeros(2**25, np.int8))}))
    assert len(many) < 2**20
    assert "says that it holds 33554432 values in" in refused(tmp_path, "m.parquet", many)


@pytest.mark.parametrize("line", ["sep=;", "sep=,", "SEP=;", '"sep=;"', "sep=\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_line_that_names_the_separator_is_no_header(tmp_path, line, end):
    said = refused(tmp_path, "m.csv", (line + end + text_of(delimiter=";", end=end)).encode())
    assert said.endswith(f"its first line, {line!r}, is for a spreadsheet program and no header; remove it")


def shared_lists(rows, depth=1):
    cells = pa.array(range(10_000))
    for _ in range(depth):
        places, sizes = np.zeros(rows, np.int32), np.full(rows, len(cells), np.int32)
        cells = pa.ListViewArray.from_arrays(pa.array(places), pa.array(sizes), cells)
    return cells


def shared_texts(rows, letters):
    views = np.array([[letters, 0, 0, 0]] * rows, np.int32)
    views[:, 1] = np.frombuffer(b"yyyy", np.int32)
    return pa.Array.from_buffers(pa.string_view(), rows, [None, pa.py_buffer(views), pa.py_buffer(b"y" * letters)])


def one_word(word, rows):
    return pa.DictionaryArray.from_arrays(pa.array(np.zeros(rows, np.int32)), pa.array([word]))


def in_lists(cells):
    return pa.ListArray.from_arrays(pa.array(np.arange(len(cells) + 1, dtype=np.int32)), cells)


def runs(rows):
    return pa.RunEndEncodedArray.from_arrays(pa.array([rows], pa.int32()), pa.array(["a"]))


OVERFULL = {
    "nulls": (lambda: pa.nulls(2**25), "33554432 values"),
    "few nulls": (lambda: pa.nulls(3_000_000), "3000000 rows"),
    "runs": (lambda: runs(50_000_000), "50000002 values"),
    "lists": (lambda: shared_lists(4_000), "40004000 values"),
    "lists of lists": (lambda: shared_lists(500, depth=3), "values"),
    "texts": (lambda: shared_texts(2_000, 200_000), "25002000 values"),
    "in a struct": (lambda: pa.StructArray.from_arrays([shared_texts(2_000, 200_000)], ["t"]), "25004000 values"),
    "one text": (lambda: pa.array(["x" * 3 * 2**27]), "25165824 values"),
    "words in lists": (lambda: in_lists(one_word("x" * 300_000, 3_000)), "56256000 values"),
    "words in structs": (
        lambda: pa.StructArray.from_arrays([one_word(b"x" * 300_000, 3_000)], ["t"]),
        "56256000 values",
    ),
}


@pytest.mark.parametrize("name", OVERFULL)
@pytest.mark.parametrize("new", [pa.ipc.new_file, pa.ipc.new_stream])
def test_an_arrow_file_that_expands_without_end_is_refused(tmp_path, name, new):
    make, words = OVERFULL[name]
    options = pa.ipc.IpcWriteOptions(compression="zstd" if name == "one text" else None)
    sink = io.BytesIO()
    batch = pa.record_batch({"t": make()})
    with new(sink, batch.schema, options=options) as writer:
        writer.write_batch(batch)
    assert len(sink.getvalue()) < 2**20
    with within_limits():
        said = refused(tmp_path, "m.arrow", sink.getvalue())
    assert words in said
    assert "it is damaged, or its cells share what they hold" in said


def test_dictionaries_of_an_arrow_file_are_counted(tmp_path):
    packed = pa.ipc.IpcWriteOptions(compression="zstd")
    words = pa.DictionaryArray.from_arrays(pa.array([0], pa.int8()), pa.array(["x" * 3 * 2**27]))
    content = as_arrow(pa.table({"t": words}), lambda sink, schema: pa.ipc.new_file(sink, schema, options=packed))
    assert "says that it holds 25165826 values in" in refused(tmp_path, "m.arrow", content)


REPEATED = {
    "texts": lambda: in_lists(pa.array(["x" * 300_000] * 3_000)),
    "bytes": lambda: in_lists(pa.array([b"x" * 300_000] * 3_000)),
    "structs": lambda: pa.StructArray.from_arrays([pa.array(["x" * 300_000] * 3_000)], ["t"]),
    "bytes of one length": lambda: pa.array([b"x" * 300_000] * 1_500, pa.binary(300_000)),
}


@pytest.mark.parametrize("name", ["t", "a.b"])
@pytest.mark.parametrize("kind", REPEATED)
def test_a_parquet_file_that_holds_one_long_text_for_all_rows_is_refused(tmp_path, kind, name):
    content = as_parquet(pa.table({name: REPEATED[kind]()}))
    assert len(content) < 2**20
    with within_limits():
        said = refused(tmp_path, "m.parquet", content)
    assert f"{len(content)}" in said
    assert said.endswith("it is damaged, or its cells share what they hold: write it anew as CSV")


def test_repeated_texts_and_bytes_within_cells_are_read(tmp_path):
    rows = [{"label": ["a", None, "b"], "f": {"t": "x", "b": b"y"}, "a.b": "t"}, {"label": [], "f": None, "a.b": "t"}]
    found = read(tmp_path, "m.parquet", as_parquet(pa.Table.from_pylist(rows * 20)))
    assert found.columns.to_pylist() == rows * 20


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\r\n"])
def test_compressed_text_of_very_many_rows_is_refused(tmp_path, end):
    packed = gzip.compress(b"label,t" + end + (b"a,b" + end) * 600_000)
    assert len(packed) < 2**20
    with within_limits():
        said = refused(tmp_path, "m.csv.gz", packed)
    assert said.endswith(
        f"says that it holds 600001 rows in {len(packed)} bytes, at most 524288 may be; unpack it first"
    )


def test_a_megabyte_of_compressed_columns_is_read_in_time(tmp_path):
    names = ",".join(f"c{number}" for number in range(30_000))
    with within_limits():
        found = read(tmp_path, "m.csv.gz", gzip.compress(f"{names}\n{',' * 29_999}\n".encode() * 100))
    assert found.columns.shape == (199, 30_000)


WIDE = {f"f{number}": np.zeros(2_000) for number in range(1_000)}
LONG = {"label": pa.DictionaryArray.from_arrays(np.zeros(500_000, np.int8), ["a"]), "n": np.zeros(500_000)}


@pytest.mark.parametrize("columns", [WIDE, LONG], ids=["wide", "long"])
@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
def test_large_tables_that_pack_well_are_read(tmp_path, columns, suffix):
    packed = pa.ipc.IpcWriteOptions(compression="zstd")
    table = pa.table(columns)
    content = (
        as_parquet(table)
        if suffix == "parquet"
        else as_arrow(table, lambda sink, schema: pa.ipc.new_file(sink, schema, options=packed))
    )
    assert read(tmp_path, f"m.{suffix}", content).columns.shape == table.shape


@pytest.mark.parametrize("compression", [None, "lz4", "zstd"])
def test_every_type_of_an_arrow_file_is_read(tmp_path, compression):
    columns = {
        "n": [1, None, 3],
        "t": pa.array(["a", "a long text that is no part of its view", None], pa.string_view()),
        "v": pa.array([[1.0], None, [2.0, 3.0]], pa.list_view(pa.float64())),
        "s": [{"a": [1], "b": "x"}, None, {"a": [], "b": None}],
        "f": pa.array([[1, 2], [3, 4], None], pa.list_(pa.int8(), 2)),
        "d": pa.array(["x", "y", "x"]).dictionary_encode(),
        "o": pa.nulls(3),
    }
    table = pa.table(columns)
    packed = pa.ipc.IpcWriteOptions(compression=compression)
    for new in (pa.ipc.new_file, pa.ipc.new_stream):
        content = as_arrow(table, lambda sink, schema, new=new: new(sink, schema, options=packed))
        assert read(tmp_path, "m.arrow", content).columns.to_pylist() == table.to_pylist()
    assert read(tmp_path, "m.arrow", as_arrow(table[:0], pa.ipc.new_file)).columns.num_rows == 0
