"""Committed folders on another file system: a local one, and an S3 server on the loopback interface."""

import pytest
from pyarrow.fs import FileSelector

from raymm.errors import ConfigError, DataError
from raymm.storage import commit_directory, is_committed, verify
from raymm.storage.remote import committed, delete, pull, push, remote_path
from tests.object_store import object_store


@pytest.fixture(scope="module")
def s3():
    with object_store() as new_prefix:
        yield new_prefix


@pytest.fixture(params=["local", "s3"])
def there(request, tmp_path):
    """An empty place on each kind of file system."""
    if request.param == "local":
        return remote_path(str(tmp_path / "there"))
    return remote_path(request.getfixturevalue("s3")())


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "here"
    (path / "sub").mkdir(parents=True)
    (path / "a.bin").write_bytes(b"a" * 100)
    (path / "sub" / "b.bin").write_bytes(b"b" * 50)
    commit_directory(path, {"what": "first"})
    return path


def names(there):
    infos = there.system.get_file_info(FileSelector(there.path, recursive=True, allow_not_found=True))
    return sorted(info.path.removeprefix(f"{there.path}/") for info in infos if info.is_file)


def test_there_and_back_is_the_same_folder(there, folder, tmp_path):
    assert push(folder, there / "run") == ["a.bin", "sub/b.bin"]
    assert names(there / "run") == ["a.bin", "manifest.json", "sub/b.bin"]
    assert pull(there / "run", tmp_path / "back") == ["a.bin", "sub/b.bin"]
    assert verify(tmp_path / "back") == verify(folder)
    assert (tmp_path / "back" / "sub" / "b.bin").read_bytes() == b"b" * 50


def test_only_what_changed_is_sent(there, folder):
    push(folder, there / "run")
    assert push(folder, there / "run") == []
    (folder / "a.bin").write_bytes(b"c" * 100)
    (folder / "new.bin").write_bytes(b"n")
    (folder / "sub" / "b.bin").unlink()
    commit_directory(folder, {"what": "second"})
    assert push(folder, there / "run") == ["a.bin", "new.bin"]
    assert names(there / "run") == ["a.bin", "manifest.json", "new.bin"]


def test_a_folder_that_was_cut_off_does_not_exist_and_is_mended(there, folder, tmp_path):
    content = (folder / "sub" / "b.bin").read_bytes()
    (folder / "sub" / "b.bin").unlink()
    with pytest.raises(FileNotFoundError):
        push(folder, there / "run")
    assert names(there / "run") == ["a.bin"]
    assert committed(there) == []
    with pytest.raises(DataError, match=r"no manifest\.json there"):
        pull(there / "run", tmp_path / "back")
    (folder / "sub" / "b.bin").write_bytes(content)
    push(folder, there / "run")
    assert committed(there) == ["run"]


def test_a_change_that_was_cut_off_takes_the_old_folder_away_too(there, folder):
    push(folder, there / "run")
    for name in ("a.bin", "sub/b.bin"):
        (folder / name).write_bytes(b"other")
    commit_directory(folder, {"what": "second"})
    (folder / "sub" / "b.bin").unlink()
    with pytest.raises(FileNotFoundError):
        push(folder, there / "run")
    assert committed(there) == []
    assert names(there) != []
    for _ in range(2):
        delete(there / "run")
        assert names(there) == []


def test_a_manifest_that_was_cut_off_is_mended_there_and_refused_here(there, folder, tmp_path):
    push(folder, there / "run")
    (there / "run" / "manifest.json").write(b'{"files": {')
    with pytest.raises(DataError, match=r"manifest\.json: cannot be read"):
        pull(there / "run", tmp_path / "back")
    assert push(folder, there / "run") == ["a.bin", "sub/b.bin"]
    pull(there / "run", tmp_path / "back")
    verify(tmp_path / "back")


def test_a_fetch_that_was_cut_off_leaves_nothing_committed(there, folder, tmp_path):
    push(folder, there / "run")
    there.system.delete_file((there / "run" / "sub" / "b.bin").path)
    with pytest.raises(FileNotFoundError):
        pull(there / "run", tmp_path / "back")
    assert not is_committed(tmp_path / "back")


def test_what_is_committed_is_listed_and_dropped(there, folder):
    assert committed(there) == []
    for name in ("epoch-2", "epoch-1"):
        push(folder, there / name)
    (there / "loose.json").write(b"{}")
    assert committed(there) == ["epoch-1", "epoch-2"]
    delete(there / "epoch-1")
    assert committed(there) == ["epoch-2"]
    assert names(there) == [*(f"epoch-2/{name}" for name in ("a.bin", "manifest.json", "sub/b.bin")), "loose.json"]


def test_a_file_is_read_and_written(there):
    assert (there / "run.json").read() is None
    (there / "run.json").write(b"one")
    (there / "run.json").write(b"two")
    assert (there / "run.json").read() == b"two"


def test_what_was_not_committed_is_not_sent(there, folder):
    (folder / "manifest.json").unlink()
    with pytest.raises(DataError, match=r"no manifest\.json there"):
        push(folder, there / "run")
    assert names(there) == []


@pytest.mark.parametrize(
    ("uri", "written"),
    [
        ("file:///tmp/with space", "write it as file:///tmp/with%20space, or as the plain path /tmp/with space"),
        ("s3://bucket/a b", "write it as s3://bucket/a%20b"),
        ("file:///tmp/日", "write it as file:///tmp/%E6%97%A5, or as the plain path /tmp/日"),
        ("file:///tmp/100%", "write it as file:///tmp/100%25, or"),
        ("file:///tmp/a[b", "write it as file:///tmp/a%5Bb, or"),
        ("file:///tmp/a#b", "write it as file:///tmp/a%23b, or"),
        ("s3://bucket/a b?scheme=http", "write it as s3://bucket/a%20b"),
    ],
)
def test_letters_that_may_not_stand_in_an_address_are_said(uri, written):
    with pytest.raises(ConfigError) as caught:
        remote_path(uri)
    assert written in str(caught.value)
    assert "?scheme" not in str(caught.value)


def test_a_plain_path_may_have_any_letters(tmp_path):
    place = tmp_path / "with space#日%"
    (remote_path(str(place)) / "a.json").write(b"x")
    assert (place / "a.json").read_bytes() == b"x"


@pytest.mark.parametrize("uri", ["runs/a", "s4://bucket/runs", "s3:///runs"])
def test_a_place_that_nobody_knows_is_said(uri):
    with pytest.raises(ConfigError, match="give s3://bucket/prefix") as caught:
        remote_path(uri)
    assert uri in str(caught.value)
