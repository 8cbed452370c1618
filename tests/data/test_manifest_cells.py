"""What a manifest may hold beside plain cells: other types, files in columns, repeated names; and what it may not."""

import hashlib
import io
import json
import tracemalloc
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from PIL import Image

from raymm.cli.prepare import prepare as verb
from raymm.data import open_dataset
from raymm.data.manifest import load_manifest
from raymm.data.schema import SPLITS
from raymm.data.schema_inference import build_schema
from raymm.errors import DataError
from tests.data.clips import manifest

SIX = [(split, label) for split in SPLITS for label in "ab"]


def columns(**more):
    return {"split": [split for split, _ in SIX], "label": [label for _, label in SIX], **more}


def parquet(folder, **more):
    pq.write_table(pa.table(columns(**more)), folder / "m.parquet")
    return folder / "m.parquet"


def load(folder, kinds, **more):
    return load_manifest(parquet(folder, **more), folder, kinds)


def message(folder, kinds, **more):
    with pytest.raises(DataError) as caught:
        load(folder, kinds, **more)
    return str(caught.value)


@pytest.mark.parametrize("kind", [pa.float32(), pa.float64()], ids=str)
def test_nan_is_missing_and_never_a_class_or_a_text(tmp_path, kind):
    words = message(tmp_path, {"t": "text"}, label=pa.array([1.0, np.nan] * 3, kind), t=["x"] * 6)
    assert "row 2, sample 'row-000002': the label is empty" in words
    records = load(tmp_path, {"t": "text"}, t=pa.array([1.0, np.nan, None, 2.5, 3.0, 4.0], kind)).records
    assert [record.cells["t"] for record in records] == ["1", None, None, "2.5", "3", "4"]


@pytest.mark.parametrize("text", ["NA", "None", "null", "nan", "N/A"])
def test_words_for_nothing_are_words(tmp_path, text):
    rows = [{"label": label.replace("a", text), "split": split, "t": text} for split, label in SIX]
    listing = load_manifest(manifest(tmp_path, rows), tmp_path, {"t": "text"})
    assert set(listing.classes) == {text, "b"}
    assert {record.cells["t"] for record in listing.records} == {text}


def test_whole_numbers_are_classes_in_the_order_of_their_value(tmp_path):
    rows = [{"label": str(n), "split": split, "t": "x"} for split in SPLITS for n in range(1, 13)]
    assert load_manifest(manifest(tmp_path, rows), tmp_path, {"t": "text"}).classes == tuple(
        str(n) for n in range(1, 13)
    )


@pytest.mark.parametrize(
    ("column", "cells", "words"),
    [
        ("file", list(range(6)), "column 'file' holds int64 values; it must hold paths of files, as texts"),
        ("file", [[1]] * 6, "column 'file' holds lists (list<element: int64>); it must hold paths"),
        ("file", [b"\xff\x00"] * 6, "column 'file' holds bytes that are not text (UTF-8); write it as text"),
        ("file", [1.5] * 6, "column 'file' holds double values; it must hold paths"),
        ("sample_id", [b"\xff"] * 6, "column 'sample_id' holds bytes that are not text"),
        ("sample_id", [["a"]] * 6, "column 'sample_id' holds lists (list<element: string>); it must hold one text"),
        ("label", [b"\xff"] * 6, "column 'label' holds bytes that are not text"),
        ("label", [{"x": 1}] * 6, "column 'label' holds struct<x: int64> values; a label is a text, a number"),
        ("split", [{"x": 1}] * 6, "column 'split' holds struct<x: int64> values; it must hold one text a row"),
    ],
)
def test_columns_of_a_wrong_type_are_refused_by_name(tmp_path, column, cells, words):
    more = {"file": [f"{n}.wav" for n in range(6)], column: cells}
    assert words in message(tmp_path, {"audio": "audio"}, **more)


def test_bytes_that_are_text_are_text(tmp_path):
    as_text = {"file": [f"{n}.wav" for n in range(6)], "sample_id": [f"s{n}" for n in range(6)]}
    as_bytes = {name: pa.array([cell.encode() for cell in cells]) for name, cells in as_text.items()}
    labels = pa.array([label.encode() for _, label in SIX])
    found = load(tmp_path, {"audio": "audio"}, **as_bytes, label=labels)
    assert found.records == load(tmp_path, {"audio": "audio"}, **as_text).records
    assert found.records[0].sample_id == "s0"


def test_an_id_of_a_megabyte_is_refused(tmp_path):
    ids = [f"{n}" * (10**6 if n == 3 else 1) for n in range(6)]
    words = message(tmp_path, {"t": "text"}, t=["x"] * 6, sample_id=ids)
    assert f"row 4: its id has 1000000 letters ({'3' * 40}...), at most 1000 may be; shorten it" in words


@pytest.mark.parametrize(("length", "letter"), [(999, "x"), (1000, "x"), (1000, "ü"), (1000, "\N{GRINNING FACE}")])
def test_an_id_that_the_manifest_takes_is_one_that_a_data_set_takes(tmp_path, length, letter):
    rows = [
        {"sample_id": f"{n}".ljust(length, letter), "label": label, "split": split, "t": "word"}
        for n, (split, label) in enumerate(SIX)
    ]
    done = run(tmp_path, manifest(tmp_path, rows), "t:text")
    assert done.exit_code == 0, done.output
    assert sorted(open_dataset(tmp_path / "out").shards.sample_id) == [row["sample_id"] for row in rows]


@pytest.mark.parametrize("length", [1001, 1010, 1024, 1025])
def test_an_id_that_no_data_set_takes_is_refused_before_anything_is_decoded(tmp_path, length):
    ids = [f"{n}" * (length if n == 4 else 1) for n in range(6)]
    words = message(tmp_path, {"t": "text"}, t=["x"] * 6, sample_id=ids)
    assert f"row 5: its id has {length} letters ({'4' * 40}...), at most 1000 may be; shorten it" in words


def test_a_list_is_no_text(tmp_path):
    words = message(tmp_path, {"t": "text"}, t=[["a", "b"]] * 6)
    assert "column 't' holds lists (list<element: string>); it must hold one text a row" in words


def values(**more):
    array = np.arange(48, dtype=np.float32).reshape(6, 2, 4)
    return {
        "lists": array.tolist(),
        "tensors": pa.FixedShapeTensorArray.from_numpy_ndarray(array),
        "fixed": pa.FixedSizeListArray.from_arrays(
            pa.FixedSizeListArray.from_arrays(pa.array(array.reshape(-1)), 4), 2
        ),
        **more,
    }


@pytest.mark.parametrize("form", values())
@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
def test_arrays_of_every_form_are_prepared_alike(tmp_path, form, suffix):
    table = pa.table(columns(imu=values()[form]))
    with pa.OSFile(str(tmp_path / "m.arrow"), "wb") as sink, pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    pq.write_table(table, tmp_path / "m.parquet")
    done = run(tmp_path, tmp_path / f"m.{suffix}", "imu:sequence")
    assert done.exit_code == 0, done.output
    stored = open_dataset(tmp_path / "out").shards.read("imu", np.arange(6))
    assert (stored == np.arange(48).reshape(6, 2, 4)).all()


MANY, WIDTH = 3_000, 256
"""Rows and numbers of each: 3 MB as float32, some 24 MB as lists of Python's floats."""


@pytest.mark.parametrize("form", ["fixed", "list", "large list", "tensors"])
def test_rows_of_numbers_stay_in_the_memory_of_arrow(tmp_path, form):
    numbers = np.random.default_rng(49).random((MANY, WIDTH), np.float32)
    fixed = pa.FixedSizeListArray.from_arrays(pa.array(numbers.reshape(-1)), WIDTH)
    column = {
        "fixed": fixed,
        "list": fixed.cast(pa.list_(pa.float32())),
        "large list": fixed.cast(pa.large_list(pa.float32())),
        "tensors": pa.FixedShapeTensorArray.from_numpy_ndarray(numbers),
    }[form]
    rows = {"split": [SPLITS[n % 3] for n in range(MANY)], "label": ["ab"[n % 2] for n in range(MANY)]}
    pq.write_table(pa.table({**rows, "v": column}), tmp_path / "m.parquet")
    tracemalloc.start()
    records = load_manifest(tmp_path / "m.parquet", tmp_path, {"v": "vector"}).records
    most = tracemalloc.get_traced_memory()[1]  # of Python and numpy; that of Arrow is not among it
    tracemalloc.stop()
    assert most < 2 * numbers.nbytes
    assert all(np.array_equal(record.cells["v"], row) for record, row in zip(records, numbers, strict=True))
    assert not any(record.cells["v"].flags.owndata for record in records)


def run(folder, path, modalities, *options):
    arguments = ["--manifest", path, "--media-root", folder, "--out", folder / "out", "--backend", "local"]
    return CliRunner().invoke(verb, [*map(str, arguments), "--modalities", modalities, *options])


def picture(grey):
    content = io.BytesIO()
    Image.new("RGB", (16, 16), (grey, grey, grey)).save(content, "PNG")
    return content.getvalue()


@pytest.mark.parametrize("form", ["bytes and path", "bytes", "plain bytes", "path"])
def test_files_in_columns_are_read(tmp_path, form):
    contents = [picture(20 * n) for n in range(6)]
    for n, content in enumerate(contents):
        (tmp_path / f"p{n}.png").write_bytes(content)
    paths = [f"p{n}.png" for n in range(6)]
    cells = {
        "bytes and path": [
            {"bytes": content, "path": f"gone/{path}"} for content, path in zip(contents, paths, strict=True)
        ],
        "bytes": [{"bytes": content, "path": None} for content in contents],
        "plain bytes": contents,
        "path": [{"bytes": None, "path": path} for path in paths],
    }
    path = parquet(tmp_path, photo=cells[form])
    options = ("photo:image", "--set", "photo.height=8", "--set", "photo.width=8")
    done = run(tmp_path, path, *options)
    assert done.exit_code == 0, done.output
    dataset = open_dataset(tmp_path / "out")
    assert dataset.shards.read("photo", np.arange(6))[:, 0, 0, 0].tolist() == [20 * n for n in range(6)]
    if form == "bytes and path":
        assert dataset.shards.sources(np.arange(2)) == ["gone/p0.png", "gone/p1.png"]
        assert dataset.shards.sample_id[0] == "p0"
    assert "nothing has changed since" in run(tmp_path, path, *options).stderr


def write_as(path, rows):
    """Rows in the format that the suffix says; cells of bytes become null in JSON, which holds none."""
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row, default=lambda _: None) + "\n" for row in rows))
        return path
    table = pa.Table.from_pylist(rows)
    if path.suffix == ".parquet":
        pq.write_table(table, path)
        return path
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return path


STRUCTS = {
    "path": lambda path: {"path": path},
    "null and path": lambda path: {"bytes": None, "path": path},
    "rate": lambda path: {"path": path, "sampling_rate": 16_000},
    "null and rate": lambda path: {"sampling_rate": None, "bytes": None, "path": path},
}


@pytest.mark.parametrize("form", STRUCTS)
@pytest.mark.parametrize("suffix", ["parquet", "arrow", "jsonl"])
def test_structs_with_a_path_name_that_file_in_every_format(tmp_path, suffix, form):
    rows = [
        {"split": split, "label": label, "audio": None if n == 4 else STRUCTS[form](f"{n}.wav"), "t": "x"}
        for n, (split, label) in enumerate(SIX)
    ]
    path = write_as(tmp_path / f"m.{suffix}", rows)
    records = load_manifest(path, tmp_path, {"audio": "audio", "t": "text"}).records
    assert [record.cells["audio"] for record in records] == [None if n == 4 else f"{n}.wav" for n in range(6)]


@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
def test_bytes_beside_a_sampling_rate_are_the_file(tmp_path, suffix):
    rows = [
        {"split": split, "label": label, "audio": {"bytes": b"RIFF%d" % n, "path": None, "sampling_rate": 8_000}}
        for n, (split, label) in enumerate(SIX)
    ]
    path = write_as(tmp_path / f"m.{suffix}", rows)
    records = load_manifest(path, tmp_path, {"audio": "audio"}, embedded=tmp_path / "files").records
    assert [Path(record.cells["audio"]).read_bytes() for record in records] == [b"RIFF%d" % n for n in range(6)]


@pytest.mark.parametrize("suffix", ["parquet", "arrow", "jsonl"])
@pytest.mark.parametrize(
    ("more", "words"),
    [
        (
            {"array": [0.0, 0.5], "sampling_rate": 8_000},
            "numbers that were decoded (array) are no file; keep the files",
        ),
        ({"start": 0.5}, "leave start out"),
        ({"bytes": "UklGRg=="}, "JSON holds no bytes of files; give their path, or save the table as Parquet"),
    ],
    ids=str,
)
def test_structs_that_are_no_files_are_refused_with_a_remedy(tmp_path, suffix, more, words):
    rows = [
        {"split": split, "label": label, "audio": {"path": f"{n}.wav", **more}}
        for n, (split, label) in enumerate(SIX)
    ]
    with pytest.raises(DataError) as caught:
        load_manifest(write_as(tmp_path / f"m.{suffix}", rows), tmp_path, {"audio": "audio"})
    assert "column 'audio' holds struct<path: string" in str(caught.value)
    assert words in str(caught.value)


def test_equal_files_in_two_splits_are_one_file(tmp_path):
    cells = [{"bytes": picture(20 * (n % 5)), "path": f"p{n}.png"} for n in range(6)]
    said = run(tmp_path, parquet(tmp_path, photo=cells), "photo:image").exception
    assert "is in two splits: test, train" in str(said)


def test_files_without_a_folder_for_them_are_refused(tmp_path):
    with pytest.raises(DataError, match="column 'photo' holds files as bytes, and no folder is given"):
        load(tmp_path, {"photo": "image"}, photo=[picture(1)] * 6)


def listed(folder, files, kinds=None, **more):
    rows = [
        {"file": file, "label": label, "split": split, **{name: cells[n] for name, cells in more.items()}}
        for n, (file, (split, label)) in enumerate(zip(files, SIX, strict=True))
    ]
    return load_manifest(manifest(folder, rows), folder, kinds or {"audio": "audio"})


def test_ids_are_stems_paths_or_cells_whichever_tells_samples_apart(tmp_path):
    def ids(files, **more):
        return [record.sample_id for record in listed(tmp_path, files, **more).records]

    assert ids([f"x/{n}.wav" for n in range(6)]) == [str(n) for n in range(6)]
    assert ids([f"{n}/clip.wav" for n in range(6)]) == [f"{n}/clip" for n in range(6)]
    pairs = [f"{n // 2}.{'wav' if n % 2 else 'mp3'}" for n in range(6)]
    assert ids(pairs) == pairs
    cells = [f"all.npz#x[{n}]" for n in range(6)]
    assert ids(["all.npz"] * 6, v=cells, kinds={"v": "vector"}) == cells


def test_files_in_columns_with_one_name_are_called_after_what_they_hold(tmp_path):
    """Folders of pictures that were packed keep base names only: `cat/0000.png` and `dog/0000.png`."""
    cells = [{"bytes": picture(20 * n), "path": f"{n // 2:04d}.png"} for n in range(6)]
    options = ("photo:image", "--set", "photo.height=8", "--set", "photo.width=8")
    done = run(tmp_path, parquet(tmp_path, photo=cells), *options)
    assert done.exit_code == 0, done.output
    names = [hashlib.sha256(cell["bytes"]).hexdigest()[:32] for cell in cells]
    assert open_dataset(tmp_path / "out").shards.sample_id.tolist() == names


def test_a_file_that_stands_twice_has_no_id_of_its_own(tmp_path):
    rows = [{"file": f"{label}.wav", "label": label, "split": "train"} for label in "aab"]
    with pytest.raises(
        DataError, match=r"'a': its id appears 2 times; its file stands so often: give each row a samp"
    ):
        load_manifest(manifest(tmp_path, rows), tmp_path, {"audio": "audio"})


@pytest.mark.parametrize("other", ["./a.wav", "b/../a.wav", ".//a.wav", "link.wav", "folder/a.wav"])
def test_one_file_in_two_splits_is_found_under_any_name(tmp_path, other):
    (tmp_path / "a.wav").write_bytes(b"x")
    (tmp_path / "b").mkdir()
    (tmp_path / "link.wav").symlink_to("a.wav")
    (tmp_path / "folder").symlink_to(".")
    files = ["a.wav", "1.wav", other, "3.wav", "4.wav", "5.wav"]
    more = {"sample_id": [f"s{n}" for n in range(6)]}
    with pytest.raises(DataError) as caught:
        listed(tmp_path, files, **more)
    named = (
        "leaves the media root" if ".." in other else f"file 'a.wav' (also as '{other}') is in two splits: train, val"
    )
    assert named in str(caught.value)


def test_a_further_file_in_two_splits_is_said(tmp_path):
    more = {"photo": ["p.png"] + [f"{n}.png" for n in range(4)] + ["./p.png"]}
    found = listed(tmp_path, [f"{n}.wav" for n in range(6)], {"audio": "audio", "photo": "image"}, **more)
    (note,) = found.notes
    assert "file 'p.png' belongs to samples of two splits (test, train)" in note


def test_rows_of_one_file_under_two_names_are_assigned_together(tmp_path):
    rows = [
        {"sample_id": f"{n}-{take}", "file": f"{'./' * take}{n}.wav", "label": "ab"[n % 2]}
        for n in range(20)
        for take in range(2)
    ]
    records = load_manifest(manifest(tmp_path, rows), tmp_path, {"audio": "audio"}).records
    assert [record.split for record in records[::2]] == [record.split for record in records[1::2]]


def test_why_no_array_fits_is_said(tmp_path):
    np.savez(tmp_path / "x.npz", objects=np.array([{}], object), complex=np.zeros(3, complex), flat=np.zeros(3))
    for key, words in (
        ("objects", "x.npz#objects holds object, not numbers"),
        ("complex", "holds complex128, not numbers"),
        ("absent", "holds no array 'absent'"),
        ("flat[0]", "a single number"),
        ("flat", ""),
    ):
        listing = listed(tmp_path, [f"{n}.wav" for n in range(6)], {"v": "vector"}, v=[f"x.npz#{key}"] * 6)
        if not words:
            assert build_schema({"v": "vector"}, listing, tmp_path)["v"].shape == (3,)
            continue
        with pytest.raises(DataError) as caught:
            build_schema({"v": "vector"}, listing, tmp_path)
        assert words in str(caught.value)
        assert "no sample has an array of shape [size]" in str(caught.value)


def test_lengths_of_texts_are_reported_and_cut_ones_counted(tmp_path):
    rows = [{"label": label, "split": split, "t": "one two " * (1 + 20 * n)} for n, (split, label) in enumerate(SIX)]
    done = run(tmp_path, manifest(tmp_path, rows), "t:text")
    assert done.exit_code == 0, done.output
    lengths = json.loads((tmp_path / "out" / "report.json").read_text())["lengths"]
    assert lengths == {"t": {"samples": 6, "median": 82, "longest": 202, "cut": 4}}
    said = "note: t: 4 of 6 values are cut to what the encoder is given (words: median 82, longest 202)"
    assert said in done.stderr
    assert said in run(tmp_path, manifest(tmp_path, rows), "t:text").stderr
