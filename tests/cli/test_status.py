"""What `raymm status` says of folders: running, killed, failed, finished, foreign; of thousands quickly."""

import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import time

import pytest
import yaml

import raymm
from raymm.api.status_entry import Status, StatusList
from raymm.errors import DataError, TrainingError
from raymm.storage.layout import committed_epochs
from raymm.storage.lock import writing
from raymm.storage.lock_state import LockState, lock_state
from raymm.sweep.runs import open_runs
from raymm.training.live import LiveFile
from raymm.training.loop import Backends, train
from raymm.training.run import create_or_open
from tests.cli.calling import call
from tests.games import settings
from tests.sweeps import finish, propose, stop, sweep_of

WAIT = """
import sys, time
from pathlib import Path
from raymm.storage.lock import writing
with writing(Path(sys.argv[1]) / ".writer", "the run"):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture(scope="module")
def done(tmp_path_factory, dataset):
    """A folder with a run that has finished, one that was left after two epochs, and one that failed."""
    folder = tmp_path_factory.mktemp("status")
    train(create_or_open(folder / "a" / "finished", settings(training={"epochs": 3}), dataset), dataset, Backends())
    left = create_or_open(folder / "left", settings(training={"epochs": 5, "selection": "loss"}), dataset)

    def interrupt(history):
        if len(history) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(left, dataset, Backends(report=interrupt))
    bad = create_or_open(folder / "bad", settings(optimizer={"lr": 1e30}), dataset)
    with pytest.raises(TrainingError):
        train(bad, dataset, Backends())
    return folder


def held(folder):
    """A process that holds the lock of a folder."""
    process = subprocess.Popen([sys.executable, "-c", WAIT, str(folder)], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "held\n"
    return process


def by_name(folder):
    return {one.path.name: one for one in raymm.status(folder)}


def test_runs_say_how_far_they_are(done):
    found = by_name(done)
    assert set(found) == {"finished", "left", "bad"}
    result = json.loads((done / "a/finished/result/result.json").read_text())
    one = found["finished"]
    assert (one.state, one.done, one.of, one.selection) == ("finished", 3, 3, "accuracy")
    assert one.score == result["metrics"]["best/accuracy"]
    spent = [entry["metrics"]["time/train_s"] + entry["metrics"]["time/value_s"] for entry in result["history"]]
    assert one.seconds == pytest.approx(sum(spent))
    assert abs(one.seen - time.time()) < 600
    assert (found["left"].state, found["left"].done, found["left"].of) == ("stopped", 2, 5)
    state = json.loads((done / "left" / "epochs" / "epoch-00002" / "state.json").read_text())
    assert found["left"].score == min(entry["metrics"]["val/loss"] for entry in state["history"])  # less is better
    assert found["bad"].state == "failed"
    assert found["bad"].cause.startswith("failed: epoch ")


def test_a_run_that_is_trained_and_then_killed(tmp_path, done):
    folder = tmp_path / "runs" / "one"
    shutil.copytree(done / "left", folder)
    process = held(folder)
    LiveFile(folder).phase("training", epoch=3, epochs=5)
    try:
        one = by_name(tmp_path)["one"]
        assert (one.state, one.lock.state, one.lock.owner.pid) == ("running", "held", process.pid)
        assert one.progress.epoch == 3
        table = raymm.status(tmp_path).summary()
        assert f"epoch 3/5  0%  0 rows/s  process {process.pid} on {platform.node()}" in table
        os.utime(folder / ".writer", (time.time() - 90, time.time() - 90))  # as of a process that was stopped
        process.send_signal(signal.SIGSTOP)
        os.utime(folder / ".writer", (time.time() - 90, time.time() - 90))
        assert by_name(tmp_path)["one"].state == "silent"
    finally:
        process.kill()
        process.wait()
    one = by_name(tmp_path)["one"]
    assert (one.state, one.lock.state, one.lock.owner.pid, one.progress) == ("stopped", "left", process.pid, None)
    with writing(folder / ".writer", "the run"):  # looking has locked nothing, and left nothing that does
        assert by_name(tmp_path)["one"].state == "running"


def test_a_copied_lock_and_one_of_another_machine(tmp_path):
    with writing(tmp_path / "a" / ".writer", "it"):
        (tmp_path / "b").mkdir()
        shutil.copy(tmp_path / "a" / ".writer", tmp_path / "b" / ".writer")
        assert lock_state(tmp_path / "a" / ".writer").state == "held"
        assert lock_state(tmp_path / "b" / ".writer").state == "left"
        file = tmp_path / "b" / ".writer"
        owner = json.loads(file.read_text())
        file.write_text(json.dumps({**owner, "host": "elsewhere", "pid": 1, "inode": file.stat().st_ino}))
        assert lock_state(file).state == "held"
        os.utime(file, (time.time() - 60, time.time() - 60))
        assert lock_state(file).state == "left"
    assert lock_state(tmp_path / "a" / ".writer") is None
    for content in ("{", json.dumps({**owner, "pid": "one"}), json.dumps({**owner, "since": 3}), "[]"):
        file.write_text(content)
        assert lock_state(file) == LockState("held", None, file.stat().st_mtime)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("run.json", b""),
        ("run.json", b"[]"),
        ("run.json", b'{"config": {}}'),
        ("run.json", b'{"config": {"training": {"epochs": 3}}}'),
        ("run.json", b"\xff\xfe"),
        ("sweep.json", b'{"plan": 3}'),
        ("run.json", b"[" * 100_000),
        ("run.json", b'{"config": {"training": {"epochs": 3, "selection": "\\ud800"}}}'),
        ("study.yaml", b"key: [1"),
        ("study.yaml", b"- 1"),
    ],
)
def test_what_is_no_run_is_said_and_hides_no_other(tmp_path, done, name, content):
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / name).write_bytes(content)
    shutil.copytree(done / "left", tmp_path / "left")
    found = by_name(tmp_path)
    assert found["foreign"].state == "unreadable"
    assert found["foreign"].cause
    assert found["left"].state == "stopped"
    assert max(map(len, raymm.status(tmp_path).summary().splitlines())) <= 80


@pytest.mark.parametrize(
    ("file", "content", "state"),
    [
        ("result/result.json", b"[" * 100_000, "unreadable"),
        ("result/result.json", b'{"history": null}', "unreadable"),
        (
            "result/result.json",
            b'{"best_epoch": 0, "metrics": {}, "history": [{"epoch": 0, "metrics": {}}]}',
            "unreadable",
        ),
        ("progress.json", b"[" * 100_000, "finished"),
        ("progress.json", b'{"epoch": 1, "epochs": 3, "phase": "training", "rows": "x", "at": 1}', "finished"),
        (".writer", b"[" * 100_000, "finished"),
    ],
)
def test_one_damaged_file_hides_no_other_run(tmp_path, done, file, content, state):
    for name in ("a", "b"):
        shutil.copytree(done / "a" / "finished", tmp_path / name)
    (tmp_path / "a" / file).write_bytes(content)
    found = by_name(tmp_path)
    assert found["b"].state == "finished"
    assert found["a"].state == state
    if state == "unreadable":
        assert found["a"].cause.startswith((f"{tmp_path}/a/{file}: cannot be read", "an epoch of its history has no"))


def test_a_damaged_lock_file_is_taken_over(tmp_path):
    (tmp_path / ".writer").write_bytes(b"[" * 100_000)
    with writing(tmp_path / ".writer", "it"):
        assert lock_state(tmp_path / ".writer").owner.pid == os.getpid()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"seeds": "x"}, "seeds: 'x': write seeds as 0-4"),
        ({"data": {}}, "data: must be a mapping of 1 item or more"),
        ({"arms": {}}, "arms: must be a mapping of 1 item or more"),
        ({"arms": None}, "arms: "),
        ({"seeds": 3.5}, "seeds: "),
        ({"format": 99}, "is of format 99, this raymm reads 1; update raymm"),
        ({"key": None}, "cannot be read (its key is missing)"),
    ],
)
def test_a_study_whose_settings_are_none_is_unreadable(tmp_path, change, words):
    values = {"key": "k", "data": {"d": "d"}, "arms": ["joint", "sample"], "seeds": [0, 1]}
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(values))
    assert [(one.state, one.done, one.of) for one in raymm.status(tmp_path)] == [("stopped", 0, 4)]
    (tmp_path / "study.yaml").write_text(yaml.safe_dump({**values, **change}))
    (found,) = raymm.status(tmp_path)
    assert found.state == "unreadable"
    assert found.cause.startswith(f"{tmp_path}/study.yaml: ")
    assert words in found.cause


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (("training", "epochs"), "x", "'config.training.epochs' is 'x': Input should be a valid integer"),
        (("training", "selection"), 3, "'config.training.selection' is 3: Input should be a valid string"),
        (("training",), None, "'config.training' is None: "),
    ],
)
def test_a_setting_of_another_type_is_named(tmp_path, done, path, value, words):
    shutil.copytree(done / "a" / "finished", tmp_path / "a")
    file = tmp_path / "a" / "run.json"
    saved = json.loads(file.read_text())
    *above, last = path
    (saved["config"][above[0]] if above else saved["config"])[last] = value
    file.write_text(json.dumps(saved))
    (found,) = raymm.status(tmp_path)
    assert (found.state, found.done) == ("unreadable", None)
    assert f"{file}: cannot be read: {words}" in found.cause


def test_folders_that_are_none_of_raymm(tmp_path, data):
    (tmp_path / "mlflow" / "artifacts").mkdir(parents=True)
    (tmp_path / "mlflow" / "mlflow.db").touch()
    shutil.copy(data / "manifest.json", tmp_path / "mlflow" / "artifacts" / "run.json")
    for name in (".hidden", "node_modules"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text("{}")
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "study.yaml").write_text(yaml.safe_dump({"arms": ["joint"], "seeds": [0]}))  # settings
    (tmp_path / "loop").symlink_to(tmp_path)
    locked = tmp_path / "locked"
    locked.mkdir(mode=0)
    assert raymm.status(tmp_path) == []
    locked.chmod(0o755)
    assert raymm.status(data) == []
    with pytest.raises(DataError, match="there is no such folder"):
        raymm.status(tmp_path / "gone")


def test_sweeps_count_their_trials(tmp_path, dataset):
    sweep = sweep_of(tmp_path / "s", dataset)
    first, second = propose(sweep, 0, fs__scale=1.0), propose(sweep, 1, fs__scale=2.0)
    (one,) = raymm.status(tmp_path)
    assert (one.kind, one.state, one.done, one.of, one.score) == ("sweep", "stopped", 0, 2, None)
    finish(sweep, first, dataset)
    stop(sweep, second, dataset, epochs=1, trained=2)
    (one,) = raymm.status(tmp_path)
    assert (one.state, one.done, one.of) == ("finished", 2, 2)
    runs = [part for part in raymm.status(sweep.path) if part.kind == "run"]
    assert one.score == max(run.score for run in runs)
    assert {run.path.parts[-3] for run in runs} == {first.name, second.name}
    with writing(sweep.path / ".writer", "the sweep"):
        third = open_runs(sweep, propose(sweep, 2, fs__scale=3.0), dataset)[0]
        states = ["finished", "running", "stopped", "waiting"]
        assert sorted(one.state for one in raymm.status(sweep.path)) == states
        lock = sweep.path / ".writer"
        since = json.loads(lock.read_text())["since"]
        lock.write_text(lock.read_text().replace(since, "yesterday"))  # which hides no run
        assert sorted(one.state for one in raymm.status(sweep.path)) == ["finished", "running", "stopped", "stopped"]
        lock.write_text(lock.read_text().replace("yesterday", since))
        LiveFile(third.path).phase("valuing", epoch=3, epochs=3)
        found = raymm.status(sweep.path)
        assert sorted((one.kind, one.state) for one in found) == [
            ("run", "finished"),
            ("run", "running"),
            ("run", "stopped"),
            ("sweep", "running"),
        ]


def test_the_command_has_a_table_and_objects(done, capfd):
    code, out, _ = call(capfd, "status", done)
    assert code == 0
    lines = out.splitlines()
    assert lines[0].split() == ["state", "kind", "done", "best", "time", "seen", "where"]
    assert max(map(len, lines)) <= 80
    assert [line.split()[0] for line in lines[1:] if not line.startswith(" ")] == ["stopped", "failed", "finished"]
    code, out, _ = call(capfd, "status", done, "--json")
    objects = [json.loads(line) for line in out.splitlines()]
    assert code == 0
    assert [one["state"] for one in objects] == ["stopped", "failed", "finished"]
    assert {one["event"] for one in objects} == {"status"}
    assert [one["score"] for one in objects] == [one.score for one in raymm.status(done)]
    code, _, err = call(capfd, "status", done / "gone")
    assert (code, "there is no such folder" in err) == (2, True)


def test_many_are_counted(tmp_path):
    about = ("finished", 3, 3, 0.5, "accuracy", 4000.0, 1.0)
    finished = [Status("run", tmp_path / f"{n}-{'x' * 90}", *about) for n in range(9)]
    now = Status("run", tmp_path / "now", "running", 1, 1000, 12345.6, "loss", 1e6, time.time())
    many = StatusList([*finished, now])
    lines = many.summary(4).splitlines()
    assert lines[1].startswith("running")
    assert lines[-1] == "and 6 finished"
    assert max(map(len, lines)) <= 80
    assert len(many.summary().splitlines()) == 11  # a head, and a line each
    assert many._repr_html_().startswith("<pre>state")


def test_of_thousands_a_few_files_each_are_read(tmp_path, done, monkeypatch):
    """What it costs: run.json, the newest history and whose it is, the end of the log; no tables, no checksums."""
    count = 2000
    for number in range(count):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / "result").symlink_to(done / "a" / "finished" / "result")
        (folder / "run.json").symlink_to(done / "a" / "finished" / "run.json")
    read, loads = [], json.loads

    def counted(text, **more):
        read.append(len(text))
        return loads(text, **more)

    monkeypatch.setattr("json.loads", counted)
    found = raymm.status(tmp_path)
    assert len(found) == count
    assert {one.state for one in found} == {"finished"}
    files = ("run.json", "result/result.json", "result/manifest.json")
    whole = sum((done / "a" / "finished" / file).stat().st_size for file in files)
    assert 2 * count <= len(read) <= 3 * count
    assert sum(read) <= 1.1 * count * whole


def test_committed_epochs_are_those_that_are_counted(done):
    assert by_name(done)["left"].done == committed_epochs(done / "left")[-1]


CAUSE = "failed: epoch 3: the loss is not finite: inputs of 3 of 32 rows are NaN or infinite, first of 'clip_0001'"


@pytest.mark.parametrize("width", [40, 60, 80])
def test_it_reads_in_a_terminal_of_any_width(tmp_path, width):
    about = {"selection": "accuracy", "seconds": 45000.0, "seen": time.time() - 200}
    found = StatusList(
        [
            Status("run", tmp_path / "runs" / "a-rather-long-name-of-a-run", "running", 12, 1000, 0.8125, **about),
            Status("run", tmp_path / "bad", "failed", 3, 30, 0.25, cause=CAUSE * 3, **about),
            Status("study", tmp_path / "study", "stopped", 3, 9, cause="2 failed"),
            Status("run", tmp_path / "new", "waiting"),
        ]
    )
    text = found.summary(width=width)
    assert max(map(len, text.splitlines())) <= width
    assert "accuracy 0.812" in text  # the metric by its name
    whole = " ".join(text.split())
    for words in ("12/1000", "12:30:00", "3 min", "2 failed", "the loss is not finite"):
        assert words in whole
    assert whole.count("...") == 1  # the long cause alone is cut
    assert [name in text for name in ("long-name-of-a-run", "bad", "study", "new")] == [True] * 4


def test_the_command_asks_the_terminal_how_wide_it_is(done, capfd, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    code, out, _ = call(capfd, "status", done)
    assert code == 0
    assert max(map(len, out.splitlines())) <= 40
    assert "best accuracy" in out
    assert "best loss" in out
