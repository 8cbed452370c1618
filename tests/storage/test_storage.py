"""Files are whole or not there."""

import json
import stat

import numpy as np
import pytest
import torch

from raymm.errors import DataError
from raymm.storage import atomic_path, commit_directory, is_committed, read_manifest, verify, write_bytes, write_json
from raymm.storage.tensors import save_arrays, save_tensors


def test_a_file_is_replaced_whole(tmp_path):
    path = tmp_path / "deep" / "a.txt"
    write_bytes(path, b"one")
    write_bytes(path, b"two")
    assert path.read_bytes() == b"two"
    assert [entry.name for entry in path.parent.iterdir()] == ["a.txt"]


def fail_half_way(path):
    with atomic_path(path) as temporary:
        temporary.write_bytes(b"half")
        raise OSError("disk full")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.txt"
    write_bytes(path, b"old")
    with pytest.raises(OSError, match="disk full"):
        fail_half_way(path)
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]


def test_everybody_may_read_what_is_written(tmp_path):
    write_bytes(tmp_path / "a.txt", b"one")
    save_tensors({"a": torch.zeros(2)}, tmp_path / "tensors")
    save_arrays({"a": np.zeros(2)}, tmp_path / "arrays")
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o644}


def test_json_refuses_what_json_cannot_hold(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"loss": float("nan")})
    assert not (tmp_path / "a.json").exists()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.bin").write_bytes(b"a" * 100)
    (tmp_path / "sub" / "b.bin").write_bytes(b"b" * 50)
    (tmp_path / ".hidden").write_bytes(b"x")
    return tmp_path


def test_a_folder_exists_when_its_manifest_does(folder):
    assert not is_committed(folder)
    commit_directory(folder, {"what": "test"})
    assert is_committed(folder)
    manifest = verify(folder)
    assert manifest["what"] == "test"
    assert sorted(manifest["files"]) == ["a.bin", "sub/b.bin"]


def test_every_damaged_file_is_named(folder):
    commit_directory(folder, {})
    (folder / "a.bin").write_bytes(b"a" * 99 + b"z")
    (folder / "sub" / "b.bin").write_bytes(b"b")
    with pytest.raises(DataError) as caught:
        verify(folder)
    assert "a.bin was changed after it was written" in str(caught.value)
    assert "sub/b.bin has 1 bytes, 50 were written" in str(caught.value)
    (folder / "a.bin").unlink()
    with pytest.raises(DataError, match=r"a\.bin is missing"):
        verify(folder)


@pytest.mark.parametrize("content", ["", "{", "[]", json.dumps({"files": 3})])
def test_a_broken_manifest_is_named(folder, content):
    (folder / "manifest.json").write_text(content)
    with pytest.raises(DataError, match=r"manifest\.json"):
        read_manifest(folder)
