"""Drawn files in columns, tensors, archives of arrays, interrupts, and samples with nothing in them."""

import csv
import itertools
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import raymm
import raymm.data.prepare as module
from raymm.data import open_dataset
from raymm.data.manifest import load_manifest
from raymm.data.media.arrays import array_file, read_array, shape_of
from raymm.data.media.problem import MediaError
from raymm.data.schema import SPLITS
from raymm.data.tabular.columns import arrays_of
from raymm.errors import DataError

SIX = [(split, label) for split in SPLITS for label in "ab"]


def parquet(folder, rows=SIX, **columns):
    table = {"split": [split for split, _ in rows], "label": [label for _, label in rows], **columns}
    pq.write_table(pa.table(table), folder / "m.parquet")
    return folder / "m.parquet"


BYTES = st.none() | st.sampled_from([b"\x89PNG 1", b"RIFF 2", b"ID3 3", b"4" * 5000])
PATH = st.none() | st.sampled_from(["", "x/a.wav", "b.WAV", "c", "d.tar.gz"])


@pytest.mark.usefixtures("without_waiting_for_the_disk")
@settings(max_examples=20)
@given(
    cells=st.lists(st.none() | st.tuples(BYTES, PATH), min_size=6, max_size=6),
    content=st.sampled_from([pa.binary(), pa.large_binary()]),
    path_first=st.booleans(),
)
def test_drawn_files_in_columns_are_their_bytes_else_their_path(tmp_path_factory, cells, content, path_first):
    folder = tmp_path_factory.mktemp("embedded")
    kind = pa.struct(dict(sorted({"bytes": content, "path": pa.string()}.items(), reverse=path_first)))
    column = pa.array([cell and {"bytes": cell[0], "path": cell[1]} for cell in cells], kind)
    path = parquet(folder, photo=column, sample_id=[f"s{n}" for n in range(6)])
    where = {}
    for (split, _), cell in zip(SIX, cells, strict=True):
        if cell and (cell[0] or cell[1]):
            where.setdefault(cell[0] or cell[1], set()).add(split)
    torn = sorted(", ".join(sorted(found)) for found in where.values() if len(found) > 1)
    if torn:
        with pytest.raises(DataError) as caught:
            load_manifest(path, folder, {"photo": "image"}, embedded=folder / "files")
        assert sorted(re.findall(r"is in two splits: (.*)", str(caught.value))) == torn
        return
    records = load_manifest(path, folder, {"photo": "image"}, embedded=folder / "files").records
    for record, cell in zip(records, cells, strict=True):
        found = record.cells["photo"]
        if cell and cell[0]:
            assert Path(found).read_bytes() == cell[0]
        else:
            assert found == (cell[1] or None if cell else None)


NUMBERS = [np.float16, np.float32, np.float64, np.int8, np.uint16, np.int64]


@settings(max_examples=25)
@given(data=st.data(), kind=st.sampled_from(NUMBERS), shape=st.lists(st.integers(1, 4), min_size=1, max_size=4))
def test_drawn_tensors_come_in_the_order_that_their_reader_sees(data, kind, shape):
    order = data.draw(st.permutations(range(len(shape))))
    rows = data.draw(st.integers(1, 4))
    start = data.draw(st.integers(0, rows - 1))
    nulls = data.draw(st.sets(st.integers(0, rows - 1)))
    stored = np.arange(rows * np.prod(shape)).astype(kind).reshape(rows, *shape)
    lists = [None if row in nulls else stored[row].reshape(-1) for row in range(rows)]
    inner = pa.from_numpy_dtype(kind)
    tensors = pa.fixed_shape_tensor(inner, shape, permutation=order)
    array = pa.ExtensionArray.from_storage(tensors, pa.array(lists, pa.list_(inner, int(np.prod(shape)))))
    found = arrays_of(pa.chunked_array([array[start:], array]))
    for row, cell in zip([*range(start, rows), *range(rows)], found, strict=True):
        if row in nulls:
            assert cell is None
            continue
        assert nulls or cell.dtype == kind
        assert list(cell.shape) == [shape[axis] for axis in order]
        for place in itertools.product(*map(range, shape)):
            assert cell[tuple(place[axis] for axis in order)] == stored[(row, *place)]


INNER = st.sampled_from(
    [pa.string(), pa.int64(), pa.float32(), pa.bool_(), pa.binary(), pa.struct({"x": pa.string()})]
)
LISTS = st.sampled_from([pa.list_, pa.large_list, lambda inner: pa.list_(inner, 2), pa.list_view])


@settings(max_examples=20)
@given(inner=INNER, of=LISTS, deeper=st.none() | LISTS, column=st.sampled_from(["t", "sample_id", "split"]))
def test_drawn_lists_are_no_texts(tmp_path_factory, inner, of, deeper, column):
    kind = of(inner) if deeper is None else deeper(of(inner))
    path = tmp_path_factory.getbasetemp() / "lists.arrow"
    cells = {name: pa.array(["x"] * 6) for name in ("label", "t")} | {column: pa.nulls(6, kind)}
    table = pa.table(cells)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(DataError) as caught:
        load_manifest(path, path.parent, {"t": "text"})
    assert f"column '{column}' holds lists ({kind}); it must hold one text a row" in str(caught.value)


ARRAYS = ["f2", "f4", "f8", ">f4", "i1", "u2", "i8", "?"]
OTHERS = ["O", "c8", "U3", "S2", "M8[s]", "V4"]


@settings(max_examples=20)
@example(arrays={"a": ("c8", [2], False), "b c": ("O", [2], False)}, row=None, asked="a", packed=False)
@given(
    arrays=st.dictionaries(
        st.sampled_from(["a", "b c", "ü", "d.e", "f/g", "arr_0"]),
        st.tuples(st.sampled_from([*ARRAYS, *OTHERS]), st.lists(st.integers(0, 3), max_size=3), st.booleans()),
        min_size=1,
        max_size=4,
    ),
    row=st.none() | st.integers(0, 3),
    asked=st.sampled_from(["a", "b c", "absent"]),
    packed=st.booleans(),
)
def test_drawn_arrays_of_an_archive_are_read_or_it_is_said_why_not(tmp_path_factory, arrays, row, asked, packed):
    path = tmp_path_factory.getbasetemp() / "x.npz"
    held = {
        key: np.asarray(np.zeros(shape, kind) if kind in OTHERS else np.arange(np.prod(shape)).reshape(shape), kind)
        for key, (kind, shape, _) in arrays.items()
    }
    held = {key: np.asfortranarray(array) if arrays[key][2] else array for key, array in held.items()}
    (np.savez_compressed if packed else np.savez)(path, **held)
    for key in {*held, asked}:
        cell = f"x.npz#{key}" if row is None else f"x.npz#{key}[{row}]"
        words = None
        if key not in held:
            words = f"holds no array '{key}'"
        elif held[key].dtype.kind not in "fiub":
            words = f"holds {held[key].dtype}, not numbers"
        elif row is not None and (not held[key].ndim or row >= len(held[key])):
            words = f"has no row {row} in '{key}'"
        for read in (lambda cell: shape_of(cell, path.parent), lambda cell: read_array(cell, path)):
            if words is not None:
                with pytest.raises(MediaError) as caught:
                    read(cell)
                assert str(caught.value) == words
        if words is None:
            wanted = held[key] if row is None else held[key][row]
            np.testing.assert_array_equal(read_array(cell, path), wanted.astype(np.float32), strict=True)
            assert shape_of(cell, path.parent) == wanted.shape
    assert array_file(f"x.npz#{asked}") == "x.npz"


def texts(folder, cells):
    """A manifest of drawn texts, in columns `t` and `u`, with one sample a row."""
    with (folder / "m.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["sample_id", "split", "label", "t", "u"])
        for number, (split, label) in enumerate(SIX * (len(cells) // 6)):
            writer.writerow([f"s{number}", split, label, *cells[number]])
    return folder / "m.csv"


def prepared(folder, out, **more):
    return raymm.prepare(folder / "m.csv", folder, "t:text,u:text", out=out, progress=None, **more)


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A folder with a manifest, and what preparing it without an interrupt leaves."""
    folder = tmp_path_factory.mktemp("whole")
    texts(folder, [(f"word {n}", "" if n % 5 == 0 else "more") for n in range(18)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CHUNK_ROWS", 4)
        patch.setattr(module, "MOST_ROWS", 4)
        prepared(folder, folder / "whole")
    return folder, contents(folder / "whole")


@pytest.mark.usefixtures("without_waiting_for_the_disk")
@settings(max_examples=12)
@given(
    interrupts=st.lists(
        st.tuples(
            st.sampled_from(["read_sample", "write_shard", "write_json", "finish_dataset"]), st.integers(0, 17)
        ),
        min_size=1,
        max_size=3,
    )
)
def test_a_preparation_that_is_interrupted_anywhere_ends_with_the_bits_of_one_that_is_not(
    tmp_path_factory, whole, interrupts
):
    folder, wanted = whole
    out = tmp_path_factory.mktemp("interrupted") / "out"
    for name, after in interrupts:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(module, "CHUNK_ROWS", 4)
            patch.setattr(module, "MOST_ROWS", 4)
            real, calls = getattr(module, name), itertools.count()

            def interrupted(*given_ones, real=real, calls=calls, after=after):
                if next(calls) == after:
                    raise KeyboardInterrupt
                return real(*given_ones)

            patch.setattr(module, name, interrupted)
            try:
                prepared(folder, out)
            except KeyboardInterrupt:
                assert not (out / "manifest.json").exists()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "CHUNK_ROWS", 4)
        patch.setattr(module, "MOST_ROWS", 4)
        prepared(folder, out)
    assert contents(out) == wanted


NOTHING = st.sampled_from(["", " ", "\t", "  \n "])


@pytest.mark.usefixtures("without_waiting_for_the_disk")
@settings(max_examples=12)
@given(cells=st.lists(st.tuples(NOTHING | st.just("word"), NOTHING | st.just("more")), min_size=12, max_size=12))
def test_samples_with_nothing_in_them_are_named_or_left_out(tmp_path_factory, cells):
    folder = tmp_path_factory.mktemp("nothing")
    texts(folder, cells)
    empty = [f"s{n}" for n, pair in enumerate(cells) if not "".join(pair).strip()]
    left = Counter(SIX[n % 6] for n, pair in enumerate(cells) if "".join(pair).strip())
    if empty:
        with pytest.raises(DataError) as caught:
            prepared(folder, folder / "out")
        listed = (folder / "out" / "quarantine.csv").read_text()
        assert re.findall(r"^(s\d+),", listed, re.MULTILINE) == empty
        assert "every modality is missing" in str(caught.value)
    if len(left) < 6:
        with pytest.raises(DataError, match=r"no sample is left|has no sample of class"):
            prepared(folder, folder / "out", on_bad_sample="quarantine")
        return
    made = prepared(folder, folder / "out", on_bad_sample="quarantine")
    assert list(made.quarantined) == sorted(empty)
    dataset = open_dataset(folder / "out")
    present = {f"s{n}": [bool(text.strip()) for text in pair] for n, pair in enumerate(cells)}
    for name, found in zip(dataset.shards.sample_id, dataset.present, strict=True):
        assert found.tolist() == present[name]
