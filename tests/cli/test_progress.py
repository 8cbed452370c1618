"""Progress of a command: lines in a log, objects for programs, bars on a terminal; the same figures in each."""

import io
import json
import os
import pty
import re
import select
import subprocess
import sys
import time

import click
import pytest
from rich.console import Console

from raymm.api import bars
from raymm.api.bars import Bar
from raymm.api.progress import Epoch, JobEvent, Running, clock, cut, one_line_of
from raymm.api.watching import _Look, watching
from raymm.cli.json_lines import JsonLines, json_line
from raymm.cli.plain import Plain
from raymm.cli.progress import printing
from raymm.cli.terminal import Terminal
from raymm.training.live import LiveFile, RunProgress
from tests.cli.calling import call, result_in

SMALL = ["training.epochs=3", "method.warmup=1", "model.feature_size=16", "optimizer.lr=0.005"]

ESCAPE = "\x1b"


def state(epoch=3, rows=400, **more):
    about = {"epoch": epoch, "epochs": 30, "phase": "training", "rows": rows, "of": 1000, "rows_per_second": 50.0}
    return RunProgress(**{**about, **more})


@pytest.fixture(scope="module")
def run(tmp_path_factory, data):
    """A run that a command without a terminal has trained, with what it printed."""
    folder = tmp_path_factory.mktemp("progress")
    words = ["train", "--data", data, "--out", folder / "run", "--store", folder / "s", "--backend", "local", *SMALL]
    done = subprocess.run(
        [sys.executable, "-m", "raymm", *map(str, words)], capture_output=True, text=True, check=True
    )
    return folder, words, done


def test_a_log_has_no_control_characters_and_eighty_columns(run):
    folder, _, done = run
    for text in (done.stdout, done.stderr, (folder / "run" / "train.log").read_text()):
        assert ESCAPE not in text
        assert "\r" not in text
    shown = [line for line in done.stdout.splitlines() if "raymm ui" not in line and str(folder) not in line]
    assert max(map(len, shown)) <= 80
    head = done.stdout[: done.stdout.index("epoch   1/3")]
    assert all(f"{word} " in head for word in ("data", "inputs", "samples", "method", "device", "results"))
    assert done.stdout.count("loss   mean loss") == 1


def test_the_log_of_the_run_has_the_lines_that_were_printed(run):
    folder, _, done = run
    printed = re.findall(r"^epoch .*", done.stdout, re.MULTILINE)
    logged = re.findall(r"^epoch .*", (folder / "run" / "train.log").read_text(), re.MULTILINE)
    assert len(printed) == 3
    assert printed == logged


def test_objects_of_json_have_the_numbers_of_the_result(run, capfd):
    folder, words, _ = run
    code, out, _ = call(capfd, *(folder / "j" if word == folder / "run" else word for word in words), "--json")
    assert code == 0
    result = json.loads((folder / "j" / "result" / "result.json").read_text())
    told = [one for one in map(json.loads, out.splitlines()) if one["event"] != "progress"]
    assert [one["event"] for one in told] == ["start", "epoch", "epoch", "epoch", "result"]
    assert [one["metrics"] for one in told[1:-1]] == [entry["metrics"] for entry in result["history"]]
    assert [one["epoch"] for one in told[1:-1]] == [entry["epoch"] + 1 for entry in result["history"]]
    assert [one["score"] for one in told[1:-1]] == [e["metrics"]["val/accuracy"] for e in result["history"]]
    assert result_in(out)["metrics"] == result["metrics"]
    assert told[0]["samples"]["train"] == int(result["history"][0]["metrics"]["rows/epoch"])
    assert told[0]["modalities"] == {"m0": "vector", "m1": "vector"}


def test_what_a_part_prints_is_no_object(tmp_path, data, capfd, monkeypatch):
    (tmp_path / "loud.py").write_text('print("I am a plug-in")\n')
    monkeypatch.chdir(tmp_path)
    words = ["train", "--data", data, "--out", "run", "--store", "s", "--backend", "local", "--plugins", "loud.py"]
    code, out, err = call(capfd, *words, *SMALL, "training.epochs=1", "--json")
    assert code == 0, err
    assert result_in(out)["run"].endswith("run")


def test_every_event_is_an_object(capsys):
    told = JsonLines()
    click.echo("in between")
    told.on_note("a window")
    told.on_line("trial begins")
    told.on_job(JobEvent("trial", "000-ab", "failed", 2, float("nan"), "accuracy", 1.5, "no memory"))
    told.on_running([Running("r", state())])
    told.on_running([Running("r", state(rows=500))])  # too soon
    told.on_epoch(Epoch("r", 1, 3, {"train/loss": float("inf")}, "accuracy"))
    assert list(told.follow("abc", 3, " preparing")) == ["a", "b", "c"]
    told.close()
    click.echo("afterwards")
    captured = capsys.readouterr()
    *lines, after = captured.out.splitlines()
    assert after == "afterwards"
    assert captured.err == "in between\nnote: a window\n"
    events = [json.loads(line) for line in lines]
    assert [one["event"] for one in events] == ["note", "line", "job", "progress", "epoch", "items", "items"]
    assert events[2]["score"] is None
    assert events[2]["cause"] == "no memory"
    assert (events[3]["rows"], events[3]["of"], events[3]["seconds_left"]) == (400, 1000, 12.0)
    assert events[4]["metrics"] == {"train/loss": None}
    assert (events[6]["what"], events[6]["done"], events[6]["of"]) == ("preparing", 3, 3)
    assert "NaN" not in json_line({"a": [float("nan")], "b": {"c": float("-inf")}})


def test_lines_about_an_epoch_are_sparse(capsys, monkeypatch):
    told = Plain()
    told.on_running([Running("sample", state())])
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("raymm.cli.plain.EVERY", 0.0)
    told.on_running([Running("sample", state())])
    told.on_running([Running("a", state()), Running("b", state())])
    told.on_running([])
    assert capsys.readouterr().err == "sample  epoch 3/30  40%  50 rows/s  0:12 left\n"
    told.on_running([Running("x" * 200, state(epoch=1000, rows_per_second=1e9))])
    assert len(capsys.readouterr().err.strip()) <= 80


def test_words_about_what_is_trained():
    assert one_line_of([Running("a", state(phase="valuing"))]) == "a  epoch 3/30  valuing"
    halfway = state(phase="valuing", valued=300, to_value=600, valued_per_second=25.0)
    assert one_line_of([Running("a", halfway)]) == "a  epoch 3/30  valuing 50%  25 rows/s  0:12 left"
    assert one_line_of([Running("a", state()), Running("b", state(epoch=4))]) == "trained now: a 3/30, b 4/30"
    assert clock(59.6) == "1:00"
    assert len(cut("x" * 81)) == 80
    assert cut("x" * 80) == "x" * 80


def test_bars_fit_and_several_are_told_apart():
    screen = io.StringIO()
    bar = Bar(Console(file=screen, force_terminal=True, width=80), lines=True)
    bar.begin()
    name = "a_very_long_name_of_a_data_set sample_with_many_words seed 3"
    bar.on_running([Running(name, state())])
    bar._bar.refresh()
    bar.on_running(
        [
            Running(name, state(best=0.5, selection="accuracy", at=1.0)),
            Running("short", state(phase="valuing", at=1.0)),
        ]
    )
    bar._bar.refresh()
    bar.on_epoch(Epoch("r" * 90, 3, 30, {"train/loss": 0.5, "rows/epoch": 9.0, "val/accuracy": 0.5}, "accuracy"))
    bar._bar.refresh()
    bar.on_running([])
    bar.close()
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.getvalue())
    assert max(len(line.rstrip()) for line in re.split(r"[\r\n]+", plain)) <= 80
    assert "40%  50 rows/s  0:12 left" in plain
    assert "3/30 epochs  accuracy 0.500" in plain
    assert "3/30 epochs" in plain


def test_a_run_is_watched_while_it_is_trained_and_not_what_a_killed_one_left(tmp_path, monkeypatch):
    monkeypatch.setattr("raymm.api.watching.EVERY", 0.01)
    heard = []

    class Hears(Plain):
        def on_running(self, running):
            heard.append([(one.name, one.state.epoch, one.state.rows) for one in running])

    old, new = tmp_path / "old", tmp_path / "new"
    for folder in (old, new):
        folder.mkdir()
    LiveFile(old).begin_epoch(7, 10)
    with watching(lambda: {"old": old, "new": new, "none": tmp_path / "none"}, Hears()):
        fresh = LiveFile(new)
        fresh.begin_epoch(2, 10)
        fresh.phase("valuing")
        end = time.monotonic() + 20
        while [("new", 2, 0)] not in heard and time.monotonic() < end:
            time.sleep(0.01)
    assert [("new", 2, 0)] in heard
    assert all(name == "new" for running in heard for name, *_ in running)
    assert heard[-1] == []


def test_a_run_that_has_said_nothing_is_starting_and_one_that_has_ended_is_not(tmp_path):
    look = _Look(lambda: {"a": tmp_path, "b": tmp_path / "none"}, 7)
    assert [(one.name, one.state.phase, one.state.epochs) for one in look()] == [
        ("a", "starting", 7),
        ("b", "starting", 7),
    ]
    file = LiveFile(tmp_path)
    file.begin_epoch(2, 10)
    assert [(one.name, one.state.phase) for one in look()] == [("a", "training"), ("b", "starting")]
    file.remove()
    assert [one.name for one in look()] == ["b"]
    assert _Look(lambda: {"a": tmp_path}, None)() == []


def test_what_shows_progress_may_fail_without_harm(tmp_path, monkeypatch):
    monkeypatch.setattr("raymm.api.watching.EVERY", 0.001)

    class Fails(Plain):
        def on_running(self, running):
            heard.append(len(running))
            raise RuntimeError("no screen")

    heard = []
    LiveFile(tmp_path).begin_epoch(1, 5)
    with watching(lambda: {"a": tmp_path}, Fails()):
        LiveFile(tmp_path).begin_epoch(2, 5)
        time.sleep(0.05)
    assert 1 in heard
    assert heard[-1] == 0  # also when training has ended


@pytest.mark.parametrize(
    ("variables", "made"), [({}, Terminal), ({"NO_COLOR": "1"}, Plain), ({"TERM": "dumb"}, Plain)]
)
def test_a_terminal_has_bars_unless_it_wants_none(monkeypatch, variables, made):
    for name in ("NO_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert type(printing()) is Plain
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    assert type(printing()) is made
    objects = printing(as_json=True)
    objects.close()  # which gives stdout back
    assert type(objects) is JsonLines


def test_on_a_terminal_lines_stand_above_bars_that_go(run):
    """The command in a pseudo-terminal: control characters there, and the epochs of the run's log."""
    folder, words, _ = run
    own, other = pty.openpty()
    asked = [str(word) if word != folder / "run" else str(folder / "tty") for word in words]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "80"}
    environment.pop("NO_COLOR", None)
    process = subprocess.Popen(
        [sys.executable, "-m", "raymm", *asked], stdout=other, stderr=other, env=environment, close_fds=True
    )
    os.close(other)
    seen = _read_all(own, process)
    assert process.wait() == 0, seen
    assert ESCAPE in seen
    logged = re.findall(r"^epoch .*", (folder / "tty" / "train.log").read_text(), re.MULTILINE)
    assert len(logged) == 3
    assert all(line in seen for line in logged)
    assert "tty  val accuracy" in seen
    assert ESCAPE not in (folder / "tty" / "train.log").read_text()


def _read_all(handle, process):
    parts = []
    while True:
        ready, _, _ = select.select([handle], [], [], 0.2)
        try:
            if ready:
                if not (part := os.read(handle, 65536)):
                    break
                parts.append(part)
            elif process.poll() is not None:
                break
        except OSError:  # Linux says so at the end
            break
    os.close(handle)
    return b"".join(parts).decode()


def test_a_valuation_within_training_has_a_bar_of_its_own():
    running = Running("sample", state(phase="valuing", valued=300, to_value=600, valued_per_second=25.0))
    shown = bars._alone(running)
    assert (shown["completed"], shown["total"]) == (300, 600)
    assert shown["words"] == "valuing 50%  25 rows/s  0:12 left"
    trained = bars._alone(Running("sample", state()))
    assert (trained["completed"], trained["total"]) == (400, 1000)
    assert bars._alone(Running("sample", state(phase="valuing")))["total"] is None  # it only moves
