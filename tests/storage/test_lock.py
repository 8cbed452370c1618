"""One writer: who holds a lock is said, and a lock whose holder is gone, or that was copied, locks nothing."""

import errno
import fcntl
import json
import os
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raymm.errors import LockedError
from raymm.storage import lock as module
from raymm.storage.layout import lock_of_file, lock_of_folder
from raymm.storage.lock import writing
from tests.holders import held


def left_by(host, inode=None, file=None):
    """The content of a lock file that a process of another machine left."""
    owner = {"host": host, "boot": "other", "pid": 1, "since": "2026-01-02 03:04:05 UTC"}
    return json.dumps({**owner, "inode": file.stat().st_ino if inode is None else inode})


def leave(file, host="elsewhere", inode=None):
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    file.write_text(left_by(host, inode, file))


def test_the_second_is_told_who_the_first_is_and_a_dead_one_holds_nothing(tmp_path):
    file = lock_of_folder(tmp_path / "a" / "run")
    with held(file) as process:
        with pytest.raises(LockedError) as caught, writing(file, "the run a/run"):
            pass
        said = str(caught.value)
        assert said.startswith(f"the run a/run is in use by process {process.pid} on this machine (")
        assert " UTC; wait for its end, or end it (kill " in said
        copy = lock_of_folder(tmp_path / "copy")
        shutil.copytree(file.parent, copy.parent)
        with writing(copy, "the copy"):  # a lock that was copied with its folder is the original's
            pass
        moved = lock_of_folder(file.parent.rename(tmp_path / "moved"))
        with pytest.raises(LockedError), writing(moved, "the run"):  # one that was moved is the same
            pass
    assert moved.exists()
    with writing(moved, "the run"):
        assert json.loads(moved.read_text())["pid"] == os.getpid()
    assert not moved.exists()


def test_a_lock_is_held_once_more_within_its_block_and_by_no_other_thread(tmp_path):
    said = []

    def other():
        try:
            with writing(lock_of_folder(tmp_path), "it"):
                pass
        except LockedError as cause:
            said.append(str(cause))

    with writing(lock_of_folder(tmp_path), "it"), writing(lock_of_folder(tmp_path), "it"):
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        assert lock_of_folder(tmp_path).exists()
    assert f"in use by process {os.getpid()} on this machine" in said[0]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("fails", [False, True])
def test_nothing_is_left_behind(tmp_path, fails):
    def work():
        with writing(lock_of_file(tmp_path / "a" / "b" / "t.parquet"), "it"):
            assert (tmp_path / "a" / "b" / ".t.parquet.writer").exists()
            if fails:
                raise ValueError

    if fails:
        with pytest.raises(ValueError):
            work()
    else:
        work()
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "a" / "b").mkdir(parents=True)
    with writing(lock_of_file(tmp_path / "a" / "b" / "t.parquet"), "it"):
        pass
    assert (tmp_path / "a" / "b").exists()  # it was there before


@pytest.mark.parametrize("content", ["", "[]", "null", '{"pid": 1}', "\0" * 10_000, "{"], ids=range(6))
def test_a_damaged_lock_file_locks_nothing_and_is_said(tmp_path, content):
    file = lock_of_folder(tmp_path)
    file.write_text(content)
    with writing(file, "it"):
        pass
    assert not file.exists()
    file.write_text(content)
    with file.open() as opened:
        fcntl.flock(opened, fcntl.LOCK_EX)
        with (
            pytest.raises(LockedError, match=r"it is in use by another process; .*delete .*\.writer"),
            writing(file, "it"),
        ):
            pass


def test_the_lock_of_another_machine_is_watched(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(module, "WATCHED", 0.6)
    monkeypatch.setattr(module, "POLL", 0.05)
    file = lock_of_folder(tmp_path)
    leave(file)
    with writing(file, "it"):  # no sign of life
        pass
    assert "was left by process 1 on the machine elsewhere (elsewhere) since 2026-01-02" in caplog.text
    leave(file)
    beats = threading.Timer(0.2, os.utime, (file,))
    beats.start()
    with pytest.raises(LockedError) as caught, writing(file, "the run r"):
        pass
    beats.join()
    assert str(caught.value).startswith("the run r is in use by process 1 on the machine elsewhere (elsewhere)")
    assert str(caught.value).endswith(f"if it does not live any more, delete {file.resolve()}")


def test_a_copy_from_another_machine_is_not_watched(tmp_path, caplog):
    leave(lock_of_folder(tmp_path), inode=1)
    with writing(lock_of_folder(tmp_path), "it"):
        pass
    assert caplog.text == ""


def test_an_earlier_start_of_this_machine_holds_nothing(tmp_path, caplog):
    leave(lock_of_folder(tmp_path), host=module.platform.node())
    with writing(lock_of_folder(tmp_path), "it"):
        pass
    assert caplog.text == ""


def test_a_holder_gives_signs_of_life(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "BEAT", 0.05)
    file = lock_of_folder(tmp_path)
    with writing(file, "it"):
        before = module._sign(file)
        time.sleep(0.3)
        assert module._sign(file) != before
    threads = [thread.name for thread in threading.enumerate()]
    time.sleep(0.1)
    assert "raymm-lock" not in [thread.name for thread in threading.enumerate()], threads


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_without_locks_of_the_file_system_signs_of_life_decide(tmp_path, monkeypatch, code):
    def none(*_):
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", none)
    monkeypatch.setattr(module, "WATCHED", 0.6)
    monkeypatch.setattr(module, "POLL", 0.05)
    monkeypatch.setattr(module, "BEAT", 0.05)
    file = lock_of_folder(tmp_path)
    with ExitStack() as stack:
        stack.enter_context(writing(file, "it"))
        said = []

        def other():
            try:
                with writing(file, "it"):
                    pass
            except LockedError as cause:
                said.append(str(cause))

        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
        assert f"it is in use by process {os.getpid()}" in said[0]
    leave(file, host=module.platform.node())
    with writing(file, "it"):
        pass


def test_waiting_ends_when_the_holder_does(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "POLL", 0.02)
    file = lock_of_folder(tmp_path)
    order = []

    def first():
        with writing(file, "it"):
            begun.set()
            time.sleep(0.2)
            order.append("first")

    begun = threading.Event()
    thread = threading.Thread(target=first)
    thread.start()
    begun.wait()
    with pytest.raises(LockedError), writing(file, "it", patience=0.05):
        pass
    with writing(file, "it", patience=30):
        order.append("second")
    thread.join()
    assert order == ["first", "second"]


def test_of_many_at_once_there_is_one_at_a_time(tmp_path, monkeypatch):
    """Holders remove the file, and the folder, while others open them."""
    monkeypatch.setattr(module, "POLL", 0.001)
    file = lock_of_folder(tmp_path / "made" / "folder")
    inside, most, done = [0], [0], []

    def work():
        for _ in range(20):
            with writing(file, "it", patience=60):
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                time.sleep(0.0005)
                inside[0] -= 1
            done.append(1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (most[0], len(done)) == (1, 80)
    assert not file.exists()


STEPS = st.tuples(st.integers(0, 2), st.sampled_from(["take", "take", "leave", "fail"]), st.sampled_from("ab"))


@settings(max_examples=20)
@given(steps=st.lists(STEPS, min_size=4, max_size=20))
def test_drawn_writers_hold_a_place_one_at_a_time_and_the_others_are_told(tmp_path_factory, steps):
    """Three writers take, leave and fail in a drawn order; a dictionary says who holds what, and how often."""
    folder = tmp_path_factory.mktemp("drawn")
    files = {place: lock_of_folder(folder / place) for place in "ab"}
    held_by = {"a": [], "b": []}
    opened = [{place: [] for place in "ab"} for _ in range(3)]

    def take(writer, place):
        block = writing(files[place], place)
        block.__enter__()
        opened[writer][place].append(block)

    def leave(writer, place, cause):
        block = opened[writer][place].pop()
        with suppress(ValueError):
            block.__exit__(type(cause) if cause else None, cause, None)

    with ExitStack() as stack:
        threads = [stack.enter_context(ThreadPoolExecutor(1)) for _ in range(3)]
        for writer, what, place in steps:
            holders = held_by[place]
            if what == "take" and holders and holders[0] != writer:
                with pytest.raises(LockedError, match=f"{place} is in use by process {os.getpid()} on this machine"):
                    threads[writer].submit(take, writer, place).result()
            elif what == "take":
                threads[writer].submit(take, writer, place).result()
                holders.append(writer)
            elif holders and holders[0] == writer:
                threads[writer].submit(leave, writer, place, ValueError() if what == "fail" else None).result()
                holders.pop()
            assert {place: file.exists() for place, file in files.items()} == {
                place: bool(held_by[place]) for place in "ab"
            }
        for place, holders in held_by.items():
            for writer in reversed(holders):
                threads[writer].submit(leave, writer, place, None).result()
    assert list(folder.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError) as caught, writing(lock_of_folder(tmp_path / "file" / "run"), "it"):
        pass
    assert caught.value.filename == str(tmp_path / "file" / "run")
