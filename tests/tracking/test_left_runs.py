"""Runs of a process that was killed outright: whoever opens the store next marks them KILLED, and no others."""

import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from mlflow.tracking import MlflowClient

from raymm.api.stores import Store
from raymm.storage.layout import lock_of_folder
from raymm.storage.lock import SINCE, WATCHED
from raymm.tracking import RunInfo
from raymm.tracking.mlflow import MlflowTracker, end_left_runs
from tests.holders import held

INFO = RunInfo("run-1", "first", "digits")
LONG_AGO = 1_700_000_000


@pytest.fixture
def begin(store: tuple[str, Path], tmp_path: Path) -> Callable[..., MlflowTracker]:
    """A function that begins the record of a run of a folder."""

    def start(name: str, **more: Any) -> MlflowTracker:
        folder = tmp_path / name
        tracker = MlflowTracker(store[0], folder, store[1])
        info = replace(INFO, key=name, name=name, tags={"raymm.run_dir": str(folder)}, **more)
        tracker.start(info)
        return tracker

    return start


def dead_pid() -> int:
    """The number of a process that lives no more."""
    child = os.fork()
    if not child:
        os._exit(0)
    os.waitpid(child, 0)
    return child


def leave_lock(folder: Path, seen: float = LONG_AGO, **owner: Any) -> None:
    """The lock file of a process of this machine that was killed."""
    file = lock_of_folder(folder)
    file.touch()
    about = {"host": platform.node(), "boot": "", "pid": dead_pid(), "since": "", "inode": file.stat().st_ino}
    file.write_text(json.dumps({**about, **owner}))
    os.utime(file, (seen, seen))


def status_of(store: tuple[str, Path], tracker: MlflowTracker) -> tuple[str, int | None]:
    """What the store says of a run: its status, and when it ended."""
    info = MlflowClient(tracking_uri=store[0]).get_run(tracker.run_id).info
    return info.status, info.end_time


def test_a_run_whose_process_was_killed_is_ended_at_its_last_sign_of_life(store, begin, tmp_path) -> None:
    left, other = begin("left"), begin("ended")
    other.finish("FAILED")
    leave_lock(tmp_path / "left")
    leave_lock(tmp_path / "ended")
    assert end_left_runs(store[0]) == ["left"]
    assert status_of(store, left) == ("KILLED", LONG_AGO * 1000)
    assert status_of(store, other)[0] == "FAILED"
    assert end_left_runs(store[0]) == []


def test_a_process_that_got_the_number_of_the_killed_one_is_another(store, begin, tmp_path) -> None:
    """As after a restart of a container, where numbers are few."""
    left = begin("left")
    leave_lock(tmp_path / "left", pid=os.getpid(), since="2024-01-02 03:04:05 UTC")
    assert end_left_runs(store[0]) == ["left"]
    assert status_of(store, left)[0] == "KILLED"


def test_the_killed_process_is_one_that_held_the_lock(store, begin, tmp_path) -> None:
    """Held as a training holds it, by a process that is killed in the middle."""
    left = begin("left")
    with held(lock_of_folder(tmp_path / "left")) as process:
        assert end_left_runs(store[0]) == []
        process.kill()
        process.wait()
    assert end_left_runs(store[0]) == []  # its last sign of life is too fresh: it may live in another container
    seen = time.time() - WATCHED - 1
    os.utime(lock_of_folder(tmp_path / "left"), (seen, seen))
    assert end_left_runs(store[0]) == ["left"]
    assert status_of(store, left)[0] == "KILLED"


def test_the_runs_of_a_study_are_left_with_it_and_not_before(store, begin, tmp_path) -> None:
    """A lane may be gone while the study's process lives and starts another; a run of a trial has no lock at all."""
    study, arm, trial = begin("study"), begin("study/runs/d/joint/seed-0"), begin("study/trials/0")
    leave_lock(tmp_path / "study/runs/d/joint/seed-0")
    with held(lock_of_folder(tmp_path / "study")):
        assert end_left_runs(store[0]) == []
    leave_lock(tmp_path / "study")
    assert sorted(end_left_runs(store[0])) == ["study", "study/runs/d/joint/seed-0", "study/trials/0"]
    assert {status_of(store, each)[0] for each in (study, arm, trial)} == {"KILLED"}


@pytest.mark.parametrize(
    "owner",
    [
        {"host": "elsewhere"},
        {"pid": os.getpid()},
        {"pid": os.getpid(), "since": f"{datetime.now(UTC):{SINCE}}"},
        {"pid": 10**30},
        {"seen": time.time() + 3600},
        {"inode": "not a number", "host": "elsewhere"},
    ],
    ids=[
        "another machine",
        "a process that lives",
        "that lives since then",
        "no process",
        "a fresh sign of life",
        "a copy from elsewhere",
    ],
)
def test_a_run_whose_process_may_live_goes_on(store, begin, tmp_path, owner: dict[str, Any]) -> None:
    alive = begin("alive")
    leave_lock(tmp_path / "alive", **owner)
    assert end_left_runs(store[0]) == []
    assert status_of(store, alive) == ("RUNNING", None)


def test_a_run_without_a_lock_or_a_folder_is_left_alone(store, begin, tmp_path) -> None:
    runs = [begin("unlocked"), begin("gone"), begin("damaged")]
    leave_lock(tmp_path / "gone")
    (tmp_path / "gone").rename(tmp_path / "renamed")
    lock_of_folder(tmp_path / "damaged").write_text("no owner")
    os.utime(lock_of_folder(tmp_path / "damaged"), (LONG_AGO, LONG_AGO))
    assert end_left_runs(store[0]) == []
    assert {status_of(store, each)[0] for each in runs} == {"RUNNING"}


def test_the_next_command_of_the_store_looks_and_the_run_goes_on_as_running(store, begin, tmp_path) -> None:
    left = begin("left")
    left.log_epoch(1, {"val/accuracy": 0.5})
    left.log_tags({"raymm.ended": "running"})
    leave_lock(tmp_path / "left")
    Store.of(Path(store[0].removeprefix("sqlite:///")).parent)
    assert status_of(store, left)[0] == "KILLED"
    client = MlflowClient(tracking_uri=store[0])
    assert client.get_run(left.run_id).data.tags["raymm.ended"].startswith("its process was killed")
    lock_of_folder(tmp_path / "left").unlink()
    again = begin("left")
    assert again.run_id == left.run_id
    again.log_tags({"raymm.ended": "running"})
    assert status_of(store, again)[0] == "RUNNING"
    assert client.get_run(left.run_id).data.tags["raymm.ended"] == "running"
    again.finish("FINISHED")
    assert status_of(store, again)[0] == "FINISHED"


def test_a_store_that_cannot_be_asked_ends_nothing(tmp_path) -> None:
    (tmp_path / "mlflow.db").write_text("this is no database, whatever its name says")
    assert end_left_runs(f"sqlite:///{tmp_path / 'mlflow.db'}") == []
    assert end_left_runs("http://127.0.0.1:9") == []
