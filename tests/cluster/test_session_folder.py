"""The temporary folder of a local Ray: removed at the end, or by the next one; those of others are left alone."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from raymm.cluster.session_folder import OWNED, session_folder

HOLD = """
import sys, time
from raymm.cluster.session_folder import session_folder
with session_folder() as folder:
    (folder / "session").mkdir()
    print(folder, flush=True)
    time.sleep(100)
"""


@pytest.fixture(autouse=True)
def place(monkeypatch):
    """A short place for temporary files."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="t") as folder:
        monkeypatch.setattr(tempfile, "tempdir", folder)
        monkeypatch.setenv("TMPDIR", folder)
        yield Path(folder)


def hold():
    process = subprocess.Popen([sys.executable, "-c", HOLD], stdout=subprocess.PIPE, text=True)
    return process, Path(process.stdout.readline().strip())


def test_a_folder_is_gone_after_its_block(place):
    with session_folder() as folder:
        assert folder.parent == place
        assert [path.name for path in folder.iterdir()] == [OWNED]
        (folder / "socket").write_text("")
    assert not list(place.iterdir())


def test_what_a_killed_process_left_is_removed_and_what_a_living_one_has_is_not(place):
    killed, left = hold()
    living, kept = hold()
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    try:
        assert left.is_dir()
        with session_folder() as folder:
            assert not left.exists()
            assert sorted(place.iterdir()) == sorted([folder, kept])
            assert (kept / "session").is_dir()
    finally:
        living.terminate()
        living.wait()
        living.stdout.close()
        killed.stdout.close()


def test_folders_of_others_are_left_alone(place):
    """One without an owner's file, a link to a folder elsewhere, and one whose file is a link."""
    elsewhere = place / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / OWNED).touch()
    (place / "raymm-notes").mkdir()
    (place / "raymm-link").symlink_to(elsewhere)
    (place / "raymm-trap").mkdir()
    (place / "raymm-trap" / OWNED).symlink_to(elsewhere / OWNED)
    before = sorted(place.rglob("*"))
    with session_folder():
        pass
    assert sorted(place.rglob("*")) == before


def test_a_long_place_is_not_used(monkeypatch, tmp_path):
    long = tmp_path / ("x" * 40)
    long.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(long))
    with session_folder() as folder:
        assert folder.parent == Path("/tmp")
        assert len(os.fsencode(folder)) < 25
    assert not folder.exists()
