"""Cells that point to arrays, and what is said of those that do not."""

import io
import warnings
import zipfile

import numpy as np
import pytest

from raymm.data.media.arrays import array_file, read_array, shape_of
from raymm.data.media.problem import MediaError

TABLE = np.arange(12, dtype=np.int64).reshape(4, 3)


@pytest.fixture
def folder(tmp_path):
    np.save(tmp_path / "one.npy", TABLE[0])
    np.savez(tmp_path / "many.npz", a=TABLE, words=np.array(["x", "y"]))
    return tmp_path


def read(folder, cell):
    return read_array(cell, folder / array_file(cell))


@pytest.mark.parametrize(
    ("cell", "expected"), [("one.npy", TABLE[0]), ("many.npz#a", TABLE), ("many.npz#a[2]", TABLE[2])]
)
def test_three_forms_of_a_cell(folder, cell, expected):
    array = read(folder, cell)
    assert array.dtype == np.float32
    assert np.array_equal(array, expected)


def test_a_file_that_was_written_anew_is_read_anew(folder):
    before = read(folder, "one.npy")
    np.save(folder / "one.npy", TABLE[3])
    assert not np.array_equal(before, read(folder, "one.npy"))


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("many.npz#b", "holds no array 'b'"),
        ("many.npz#a[9]", r"has no row 9 in 'a'"),
        ("many.npz", "add #key, one of a, words"),
        ("one.npy#a", "leave out the key"),
        ("many.npz#words", "not numbers"),
        ("many.npz#a[x]", r"not of the form file.npy, file.npz#key or file.npz#key\[row\]"),
        ("absent.npy", "cannot be read as an array"),
    ],
)
def test_bad_cells(folder, cell, words):
    with pytest.raises(MediaError, match=words):
        read(folder, cell)


def test_a_broken_archive(folder):
    content = (folder / "many.npz").read_bytes()
    (folder / "many.npz").write_bytes(content[: len(content) // 2])
    with pytest.raises(MediaError, match="cannot be read as an array"):
        read(folder, "many.npz#a")


def test_objects_are_never_unpickled(folder):
    np.save(folder / "one.npy", np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(MediaError, match="holds object, not numbers"):
        read(folder, "one.npy")


def test_a_header_beyond_all_measure_is_said_in_words_of_a_reader(folder):
    (folder / "one.npy").write_bytes(b"\x93NUMPY\x02\x00" + (2**20).to_bytes(4, "little") + b" " * 2**20)
    with pytest.raises(MediaError, match=r"\(its header is longer than that of any array of numbers\)"):
        read(folder, "one.npy")


def test_two_arrays_of_one_name_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive, warnings.catch_warnings(action="ignore"):
        for name, value in (("x", 0.0), ("x", 1.0), ("y", 2.0)):
            sink = io.BytesIO()
            np.save(sink, np.full(3, value))
            archive.writestr(f"{name}.npy", sink.getvalue())
    for read in (lambda: read_array("a.npz#x", tmp_path / "a.npz"), lambda: shape_of("a.npz#x", tmp_path)):
        with pytest.raises(MediaError, match=r"cannot be read as an array \(it holds 2 arrays called 'x'\)"):
            read()
    assert read_array("a.npz#y", tmp_path / "a.npz").tolist() == [2.0, 2.0, 2.0]


def test_a_file_of_another_kind_is_said_to_be_none(tmp_path):
    (tmp_path / "a.safetensors").write_bytes(bytes(100))
    with pytest.raises(MediaError, match=r"cannot be read as an array \(it is no .npy or .npz file\)"):
        read_array("a.safetensors", tmp_path / "a.safetensors")
