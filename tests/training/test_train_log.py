"""What a run leaves for people: its log, whole after kills, and how far it is while it is trained."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from itertools import groupby
from pathlib import Path

import pytest

from raymm.errors import TrainingError
from raymm.storage.layout import committed_epochs
from raymm.training import live
from raymm.training.checkpoint import read_history
from raymm.training.heading import Heading
from raymm.training.live import LiveFile, RunProgress, read_progress
from raymm.training.loop import Backends, train
from raymm.training.result import read_result
from raymm.training.run import BranchPoint, create_or_open, open_run
from raymm.training.train_log import TrainLog
from tests.games import StopError, settings, stop_after, untimed

ROOT = Path(__file__).parents[2]
TRAIN = (
    "import sys; from pathlib import Path; from raymm.training.run import open_run\n"
    "from raymm.training.loop import Backends, train\n"
    "run = open_run(Path(sys.argv[1])); train(run, run.dataset(), Backends())\n"
)


def epochs_of(run):
    """The figures of each epoch's line: number, loss, val, rows."""
    found = re.findall(
        r"^epoch +(\d+)/\d+  loss (\S+)  val (\S+)  phi .*?  (\d+) rows",
        (run / "train.log").read_text(),
        re.MULTILINE,
    )
    return [(int(number), loss, val, int(rows)) for number, loss, val, rows in found]


def told_by(history):
    """The same figures, written from the history."""
    return [
        (
            entry["epoch"] + 1,
            f"{entry['metrics']['train/loss']:.3f}",
            f"{entry['metrics']['val/accuracy']:.3f}",
            int(entry["metrics"]["rows/epoch"]),
        )
        for entry in history
    ]


def test_the_log_has_heading_legend_epochs_and_the_end(tmp_path, dataset):
    run = create_or_open(tmp_path / "r", settings(training={"epochs": 3}), dataset)
    result = train(run, dataset, Backends())
    text = (run.path / "train.log").read_text()
    lines = text.splitlines()
    assert max(map(len, lines)) <= 80
    assert text.isascii()
    assert "\x1b" not in text
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  begins, process \d+ on \S+", lines[0])
    counts = {split: len(dataset.rows(split)) for split in ("train", "val", "test")}
    assert f"samples  train {counts['train']}, val {counts['val']}, test {counts['test']}; classification" in text
    assert "inputs   2 modalities: m0 (vector), m1 (vector)" in text
    assert "device   cpu, 1 worker" in text
    assert [line.split()[0] for line in lines if line[:4] in {"loss", "val ", "phi ", "rows"}] == [
        "loss",
        "val",
        "phi",
        "rows",
    ]
    assert epochs_of(run.path) == told_by(result.history)
    test = result.metrics["test/accuracy"]
    figures = f"accuracy val {result.metrics['best/accuracy']:.4f}, test {test:.4f}"
    end = " ".join(" ".join(lines[-2:]).split())
    assert end.endswith(f"finished: epoch {result.best_epoch + 1} is picked; {figures}")
    assert not (run.path / "progress.json").exists()


def test_every_epoch_stands_once_after_stops_and_a_failed_write(tmp_path, dataset):
    run = create_or_open(tmp_path / "r", settings(training={"epochs": 4, "keep": 9}), dataset)
    for epochs in (1, 3):
        with pytest.raises(StopError):
            train(run, dataset, Backends(report=stop_after(epochs)))
    log = run.path / "train.log"
    kept = log.read_text().splitlines()
    log.write_text("\n".join(line for line in kept if not line.startswith("epoch   3/")) + "\ntorn li")
    result = train(open_run(run.path), dataset, Backends())
    assert epochs_of(run.path) == told_by(result.history)
    text = log.read_text()
    assert "goes on after epoch 3" in text
    assert text.count("loss   mean loss") == 1
    assert "torn li\n" in text


def test_a_killed_run_keeps_its_log_and_says_where_it_was(tmp_path, dataset):
    run = create_or_open(tmp_path / "r", settings(training={"epochs": 5, "keep": 9}), dataset)
    process = subprocess.Popen([sys.executable, "-c", TRAIN, str(run.path)], cwd=ROOT)
    while process.poll() is None and len(committed_epochs(run.path)) < 2:
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    process.wait()
    before = epochs_of(run.path)
    assert before[0] == told_by(read_history(run.path))[0]
    assert len(before) in {len(read_history(run.path)), len(read_history(run.path)) - 1}
    left = read_progress(run.path)
    assert left.pid == process.pid
    assert left.epochs == 5
    assert left.epoch in {len(before), len(before) + 1, len(before) + 2}
    result = train(open_run(run.path), dataset, Backends())
    assert epochs_of(run.path) == told_by(result.history)


def test_the_log_says_why_training_ended(tmp_path, dataset):
    run = create_or_open(tmp_path / "bad", settings(optimizer={"lr": 1e30}), dataset)
    with pytest.raises(TrainingError):
        train(run, dataset, Backends())
    lines = (run.path / "train.log").read_text().splitlines()
    assert "failed: epoch " in "\n".join(lines)
    assert max(map(len, lines)) <= 80
    other = create_or_open(tmp_path / "cut", settings(), dataset)

    def interrupt(history):
        if history:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(other, dataset, Backends(report=interrupt))
    assert (other.path / "train.log").read_text().endswith("  interrupted\n")
    assert not (other.path / "progress.json").exists()


def test_a_run_that_starts_from_another_has_its_epochs_too(tmp_path, dataset):
    first = create_or_open(tmp_path / "a", settings(training={"epochs": 3, "keep": 9}), dataset)
    train(first, dataset, Backends())
    branch = settings(training={"epochs": 4, "keep": 9}, method={"name": "sample"})
    second = create_or_open(tmp_path / "b", branch, dataset, BranchPoint(first.path, 2))
    result = train(second, dataset, Backends())
    assert epochs_of(second.path) == told_by(result.history)
    assert epochs_of(second.path)[:2] == epochs_of(first.path)[:2]


def test_telling_changes_no_bit(tmp_path, dataset, monkeypatch):
    results = []
    for number, every in enumerate((0.0, 1e9)):
        monkeypatch.setattr(live, "EVERY", every)
        run = create_or_open(tmp_path / str(number), settings(training={"epochs": 2}), dataset)
        history = train(run, dataset, Backends()).history
        results.append([untimed(entry["metrics"]) for entry in history])
        assert read_result(run.path).metrics["test/loss"] > 0
    assert results[0] == results[1]


def test_progress_counts_the_rows_of_the_epoch(tmp_path, dataset, monkeypatch):
    monkeypatch.setattr(live, "EVERY", 0.0)
    seen, write = [], LiveFile._write

    def spy(self, now):
        write(self, now)
        seen.append(read_progress(self._file.parent))

    monkeypatch.setattr(LiveFile, "_write", spy)
    run = create_or_open(tmp_path / "r", settings(training={"epochs": 2}), dataset)
    result = train(run, dataset, Backends())
    rows = {entry["epoch"] + 1: int(entry["metrics"]["rows/epoch"]) for entry in result.history}
    for epoch in (1, 2):
        counted = [told.rows for told in seen if told.epoch == epoch and told.phase == "training"]
        assert counted == sorted(counted)
        assert counted[0] == 0
        assert counted[-1] == rows[epoch]
        assert {told.of for told in seen if told.epoch == epoch and told.phase == "training"} == {rows[epoch]}
    assert [phase for phase, _ in groupby(told.phase for told in seen) if phase != "training"] == [
        "starting",
        "valuing",
        "starting",
        "valuing",
        "starting",
        "testing",
    ]
    starting = [(told.epoch, told.rows, told.of, told.share) for told in seen if told.phase == "starting"]
    assert starting == [(1, 0, 0, 0.0), (2, 0, 0, 0.0), (2, 0, 0, 0.0)]  # nothing of the next epoch is trained
    valuations = [told for told in seen if told.values]
    of_validation = [told.valued for told in valuations if (told.epoch, told.phase) == (1, "valuing")]
    whole = {"valuing": len(dataset.rows("val")), "testing": len(dataset.rows("test"))}
    assert of_validation[: 1 + of_validation.index(whole["valuing"])][0] == 0
    for phase, rows in whole.items():
        last = [told.valued for told in valuations if told.phase == phase and told.to_value == rows]
        assert (min(last), max(last)) == (0, rows)
    assert all(told.valued <= told.to_value for told in valuations)
    assert seen[-1].score == result.history[1]["metrics"]["val/accuracy"]
    assert seen[-1].best == result.metrics["best/accuracy"]


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path, caplog):
    (tmp_path / "train.log").mkdir()
    log = TrainLog(tmp_path)
    log.say("first")
    log.say("second")
    assert caplog.text.count("cannot be written") == 1
    live_file = LiveFile(tmp_path / "nowhere")
    live_file.begin_epoch(1, 5)
    live_file.add(5)
    live_file.remove()
    assert read_progress(tmp_path / "nowhere") is None


def test_a_name_that_utf8_lacks_stops_nothing(tmp_path):
    log = TrainLog(tmp_path)
    name = os.fsdecode(b"caf\xe9 ")
    log.say(f"failed: {name}\u2713")  # of names of files, bytes may be of no encoding
    log.say("second")
    lines = (tmp_path / "train.log").read_bytes().decode().splitlines()
    assert [line[21:] for line in lines] == ["failed: caf\\udce9 \u2713", "second"]


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"epoch": 1}', b'{"epoch": "1", "epochs": 2, "phase": "x"}'])
def test_progress_of_another_form_is_none(tmp_path, content):
    (tmp_path / "progress.json").write_bytes(content)
    assert read_progress(tmp_path) is None


def test_what_is_left_of_an_epoch():
    told = RunProgress(3, 30, "training", rows=400, of=1000, rows_per_second=50.0)
    assert told.share == 0.4
    assert told.seconds_left == 12.0
    assert RunProgress(3, 30, "valuing", rows=1000, of=1000, rows_per_second=50.0).seconds_left is None
    valuing = RunProgress(3, 30, "valuing", 1000, 1000, 50.0, valued=30, to_value=100, valued_per_second=7.0)
    assert valuing.share == 1.0  # of the epoch's training
    assert valuing.seconds_left == 10.0
    assert RunProgress(3, 30, "starting").share == 0.0
    assert json.loads(json.dumps(told.__dict__)) == told.__dict__


def test_the_heading_of_many_long_names_fits(tmp_path, dataset):
    run = create_or_open(tmp_path / ("r" * 90), settings(), dataset)
    heading = Heading.of(run, dataset, "cpu", 2, store="https://" + "long." * 30)
    names = {f"inertial_measurement_unit_{side}_{n}": "sequence" for side in ("left", "right") for n in range(6)}
    wide = Heading(**{**heading.to_dict(), "modalities": names})
    lines = wide.lines()
    assert max(map(len, lines)) <= 80
    joined = "".join(line[9:] for line in lines)
    assert all(f"{name} (sequence)" in " ".join(line[9:] for line in lines) for name in names)
    assert "r" * 90 in joined
    assert "2 workers" in joined
