"""The commit, part by part: what a manifest says of a folder, what differs from it, and writes that end half-way."""

import errno
import hashlib
import json
import os
import stat
import zlib

import pytest

from raymm.errors import CheckpointError, DataError
from raymm.storage import atomic, directory
from raymm.storage.atomic import atomic_path, naming, remove_unfinished, require_writable, write_bytes, write_json
from raymm.storage.directory import (
    CHANGED,
    MANIFEST,
    commit_directory,
    differs,
    is_committed,
    parse_manifest,
    read_manifest,
    sha256_of,
    trouble_with,
    verify,
)

CONTENT = {"a.bin": b"one", "deep/b.bin": bytes(range(256)) * 9_000, "deep/cache/c": b"", "cache2": b"two"}


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "folder"
    others = {"cache/x": b"no", ".hidden": b"no", "deep/.also": b"no", MANIFEST: b"old"}
    for name, content in {**CONTENT, **others}.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(content)
    return place


def test_a_manifest_has_size_and_checksums_of_every_file_but_hidden_and_excepted_ones(folder):
    made = commit_directory(folder, {"epoch": 3, "a": [None]}, without={"cache"})
    assert read_manifest(folder) == made
    assert json.loads((folder / MANIFEST).read_text()) == made
    assert made["epoch"] == 3
    assert list(made["files"]) == sorted(CONTENT)
    for name, content in CONTENT.items():
        expected = {
            "bytes": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "crc32": zlib.crc32(content),
        }
        assert made["files"][name] == expected
    rest = {key: value for key, value in made.items() if key != "checksum"}
    assert made["checksum"] == hashlib.sha256(json.dumps(rest, sort_keys=True).encode()).hexdigest()
    assert "cache/x" in commit_directory(folder, {})["files"]


def test_files_reach_the_disk_before_the_manifest_that_names_them(folder, monkeypatch):
    flushed, inodes = [], {(folder / name).stat().st_ino: name for name in CONTENT}
    monkeypatch.setattr("os.fsync", lambda handle: flushed.append(inodes.get(os.fstat(handle).st_ino, "later")))
    commit_directory(folder, {}, without={"cache"})
    assert sorted(flushed[:4]) == sorted(CONTENT)
    assert flushed[4:] == ["later", "later"]  # the manifest, and the folder that it is in


def test_a_checksum_that_differs_is_found_whatever_was_changed(folder):
    made = commit_directory(folder, {"epoch": 3})
    text = json.dumps(made)
    assert parse_manifest(text.encode(), "here") == made
    assert parse_manifest(json.dumps(dict(reversed(made.items()))).encode(), "here") == made
    without = {key: value for key, value in made.items() if key != "checksum"}
    assert parse_manifest(json.dumps({**without, "epoch": 4}).encode(), "here")["epoch"] == 4  # as 0.1.0 wrote it
    for changed in ({"epoch": 4}, {"checksum": "0" * 64}, {"checksum": "f" * 64}):
        with pytest.raises(CheckpointError) as error:
            parse_manifest(json.dumps({**made, **changed}).encode(), "here", CheckpointError)
        assert str(error.value) == (
            "here: was changed after it was written (its checksum differs); bring back a good copy of the folder, or "
            "write it again"
        )


@pytest.mark.parametrize("name", ["", "/etc/passwd", "..", "../x", "a/../../x", "a\0b"])
def test_names_that_leave_the_folder_are_refused(name):
    entry = {"bytes": 1, "sha256": "0" * 64}
    with pytest.raises(DataError, match="leaves the folder"):
        parse_manifest(json.dumps({"files": {name: entry}}).encode(), "m")
    assert parse_manifest(json.dumps({"files": {"a..b/...": entry}}).encode(), "m")


@pytest.mark.parametrize(
    "wrong",
    [{"bytes": -1}, {"bytes": "1"}, {"sha256": "0" * 63}, {"sha256": "G" * 64}, {"crc32": -1}, {"crc32": "x"}],
)
def test_entries_of_another_form_are_refused(wrong):
    fine = {"bytes": 0, "sha256": "0f" * 32, "crc32": 0}
    assert parse_manifest(json.dumps({"files": {"a": fine}}).encode(), "m")
    with pytest.raises(DataError, match=f"'files.a.{next(iter(wrong))}'"):
        parse_manifest(json.dumps({"files": {"a": {**fine, **wrong}}}).encode(), "m")


def test_what_differs_is_said_of_each_file(folder):
    made = commit_directory(folder, {}, without={"cache"})
    entries = made["files"]
    assert [trouble_with(folder / name, entries[name]) for name in CONTENT] == [""] * 4
    (folder / "a.bin").write_bytes(b"two")
    (folder / "cache2").write_bytes(b"two+")
    (folder / "deep/b.bin").unlink()
    assert trouble_with(folder / "a.bin", entries["a.bin"]) == CHANGED
    assert trouble_with(folder / "cache2", entries["cache2"]) == "has 4 bytes, 3 were written"
    assert trouble_with(folder / "deep/b.bin", entries["deep/b.bin"]) == "is missing"
    assert trouble_with(folder / "deep", entries["a.bin"]) == "is missing"
    assert trouble_with(folder / ("x" * 300), entries["a.bin"]).startswith(("cannot be read", "is missing"))
    with pytest.raises(CheckpointError) as error:
        verify(folder, CheckpointError, required=["state.json", "deep/b.bin"])
    assert str(error.value).splitlines() == [
        f"{folder}: 4 problems",
        f"  - a.bin {CHANGED}",
        "  - cache2 has 4 bytes, 3 were written",
        "  - deep/b.bin is missing",
        f"  - state.json is not in {MANIFEST}",
        "  bring back a good copy of the folder, or write it again",
    ]
    assert verify(folder, names=["deep/cache/c"], required=["a.bin"]) == made  # a.bin must be named, not compared
    with pytest.raises(DataError, match=f"new is not in {MANIFEST}"):
        verify(folder, names=["new"])
    with pytest.raises(DataError, match=CHANGED.replace("(", r"\(").replace(")", r"\)")):
        verify(folder, names=["a.bin"])


def test_what_the_system_says_of_a_file_is_passed_on(folder, monkeypatch):
    made = commit_directory(folder, {}, without={"cache"})
    entry = made["files"]["a.bin"]

    def raising(cause):
        def broken(*_):
            raise cause

        return broken

    for cause, said in ((OSError(errno.EIO, "Input/output error"), "Input/output error"), (OSError("odd"), "odd")):
        monkeypatch.setattr(directory, "sha256_of", raising(cause))
        assert trouble_with(folder / "a.bin", entry) == f"cannot be read ({said})"
    monkeypatch.setattr("pathlib.Path.read_bytes", raising(PermissionError(errno.EACCES, "Permission denied")))
    with pytest.raises(CheckpointError, match=r"manifest.json: cannot be read \(Permission denied\); bring back"):
        read_manifest(folder, CheckpointError)


def test_a_folder_without_a_manifest_was_never_committed(folder, tmp_path):
    (folder / MANIFEST).unlink()
    for place in (folder, tmp_path / "nowhere", folder / "a.bin"):
        assert not is_committed(place)
        with pytest.raises(DataError) as error:
            read_manifest(place)
        assert str(error.value) == f"{place}: no {MANIFEST} there, so it was never finished or is another folder"
    commit_directory(folder, {})
    assert is_committed(folder)


def test_content_is_compared_by_crc_and_by_sha_where_there_is_none():
    content = b"some content"
    crc, sha = zlib.crc32(content), hashlib.sha256(content).hexdigest()
    assert not differs(content, {"crc32": crc, "sha256": "another"})
    assert differs(content, {"crc32": crc + 1, "sha256": sha})
    assert differs(content, {"crc32": 0, "sha256": sha})
    assert not differs(b"", {"crc32": 0, "sha256": sha})
    assert not differs(memoryview(content), {"crc32": None, "sha256": sha})
    assert differs(content, {"sha256": "0" * 64})
    assert differs(content, {"sha256": "f" * 64})


def test_the_checksum_of_a_file_is_that_of_its_bytes(tmp_path):
    (tmp_path / "f").write_bytes(b"abc" * 700_000)
    assert sha256_of(tmp_path / "f") == hashlib.sha256(b"abc" * 700_000).hexdigest()


def test_a_write_is_seen_whole_or_not_at_all(tmp_path, monkeypatch):
    path, seen = tmp_path / "new" / "deep" / "f", []
    with atomic_path(path) as temporary:
        temporary.write_bytes(b"1")
        seen += [temporary.parent == path.parent, path.exists(), temporary.name.startswith(".f.")]
        assert atomic.UNFINISHED.fullmatch(temporary.name)
    assert seen == [True, False, True]
    assert path.read_bytes() == b"1"
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    flushed = []
    monkeypatch.setattr("os.fsync", lambda handle: flushed.append(os.fstat(handle)))
    write_bytes(path, b"22")
    assert [flushed[0].st_size, stat.S_ISDIR(flushed[1].st_mode), len(flushed)] == [2, True, 2]
    with pytest.raises(ZeroDivisionError), atomic_path(path):
        raise ZeroDivisionError
    assert [one.name for one in path.parent.iterdir()] == ["f"]
    assert path.read_bytes() == b"22"


def test_json_is_indented_and_ends_with_a_line(tmp_path):
    write_json(tmp_path / "f", {"ä": [1, None], "b": 0.5})
    assert (tmp_path / "f").read_bytes() == '{\n  "ä": [\n    1,\n    null\n  ],\n  "b": 0.5\n}\n'.encode()
    for wrong in (float("nan"), float("inf")):
        with pytest.raises(ValueError, match="JSON"):
            write_json(tmp_path / "f", wrong)


def test_an_error_without_a_file_gets_its_name_and_others_keep_theirs(tmp_path):
    for cause, name in (
        (OSError(errno.ENOSPC, "No space left on device"), str(tmp_path / "f")),
        (OSError(errno.ENOSPC, "No space left on device", "other"), "other"),
        (OSError("no number"), None),
    ):
        with pytest.raises(OSError) as error, naming(tmp_path / "f"):
            raise cause
        assert error.value.filename == name


def test_a_folder_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    require_writable(tmp_path / "new" / "deep")
    assert list((tmp_path / "new" / "deep").iterdir()) == []

    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device", "/some/where", None, "/else")

    monkeypatch.setattr("tempfile.TemporaryFile", full)
    with pytest.raises(OSError, match="No space left") as error:
        require_writable(tmp_path)
    assert (error.value.filename, error.value.filename2) == (str(tmp_path), None)


def test_what_a_killed_process_left_goes_and_nothing_else(tmp_path):
    left = [".run.abcd_123.tmp", "run/.model.pt.zzzzzzz9.tmp", "run/deep/.f.00000000.tmp"]
    stay = [
        ".run.abc.tmp",
        ".other.abcd_123.tmp",
        "run/.f.ABCDEFGH.tmp",
        "run/f.abcd1234.tmp",
        "run/.abcd1234.tmp",
        "run/g",
    ]
    for name in (*left, *stay):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    remove_unfinished(tmp_path / "run")
    there = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    assert there == sorted(stay)
    remove_unfinished(tmp_path / "never")


def test_a_file_that_is_finished_meanwhile_is_nothing_that_was_left(tmp_path, monkeypatch):
    walk = os.walk

    def finishing(path):
        for folder, below, names in walk(path):
            (tmp_path / "run/.f.abcd1234.tmp").replace(tmp_path / "run/f")
            yield folder, below, names

    write_bytes(tmp_path / "run/.f.abcd1234.tmp", b"1")
    monkeypatch.setattr("os.walk", finishing)
    remove_unfinished(tmp_path / "run")
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["f"]
