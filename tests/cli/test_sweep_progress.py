"""How a sweep goes, line by line."""

import time

import pytest

from raymm.api.headings import sweep_heading
from raymm.api.progress import Progress, Running
from raymm.api.stores import Store
from raymm.api.sweep_progress import SweepProgress
from raymm.cli.progress import printing
from raymm.sweep.runs import current_paths, open_runs, read_histories
from raymm.sweep.store import TrialOutcome, write_outcome
from raymm.training.live import LiveFile, read_progress
from tests.sweeps import finish, propose, stop, sweep_of, train_until

SAMPLES = 90


class Silent:
    """A callback that counts what it hears."""

    def __init__(self):
        self.heard = []

    def on_setup(self, text):
        self.heard.append(("setup", text))

    def on_trial_start(self, trial):
        self.heard.append(("started", trial.number))

    def on_epoch(self, trial, epochs):
        self.heard.append(("reached", trial.number, epochs))

    def on_trial_wait(self, trial, epochs):
        self.heard.append(("waits", trial.number, epochs))

    def on_trial_end(self, trial, outcome):
        self.heard.append(("ended", trial.number, outcome.status))


def test_a_trial_waits_to_be_promoted_and_goes_on(tmp_path, dataset, capfd):
    sweep = sweep_of(tmp_path / "s", dataset)
    trial = propose(sweep, 0, fs__scale=1.0)
    callback = Silent()
    progress = SweepProgress(sweep, callback, printing())
    progress.on_trial_start(trial)
    train_until(open_runs(sweep, trial, dataset), dataset, 2)
    assert list(progress.folders()) == [trial.name]
    progress.on_trial_wait(trial, 1)
    assert trial.name not in progress.folders()
    progress.on_trial_start(trial)
    score = read_histories(sweep, trial)[0][0]["metrics"]["val/accuracy"]
    begins, waits, again = capfd.readouterr().out.splitlines()
    assert begins.startswith(f"  0/1  {trial.name}  begins  ")
    assert waits == f"  0/1  {trial.name}  waits  val/accuracy {score:.4f} after 1 epoch"
    assert again.startswith(f"  0/1  {trial.name}  goes on  ")
    assert callback.heard == [("started", 0), ("waits", 0, 1), ("started", 0)]


def test_lines_fit_the_terminal_and_are_whole_in_the_log(tmp_path, dataset, capfd, monkeypatch):
    sweep = sweep_of(tmp_path / "s", dataset)
    wide = {f"model.{name}": 100 + n for n, name in enumerate(("feature_size", "fusion_size", "fusion_layers"))}
    done = propose(sweep, 0, fs__family="tanh", fs__rate=0.123456789, every=2, row_budget=1.5, **wide)
    stopped, failed = propose(sweep, 1, fs__scale=1.0), propose(sweep, 2, fs__scale=2.0)
    callback = Silent()
    progress = SweepProgress(sweep, callback, printing())
    progress.on_trial_start(done)
    monkeypatch.setattr("raymm.api.sweep_progress.EVERY", -1.0)
    progress.on_epoch(done, 2)
    monkeypatch.undo()
    progress.on_trial_end(done, finish(sweep, done, dataset))
    progress.on_trial_end(stopped, stop(sweep, stopped, dataset, epochs=1, trained=2))
    cause = "ConfigError: 2 problems\n  - one" + " word" * 40 + "\n  - two"
    write_outcome(failed, TrialOutcome("failed", 0, cause))
    progress.on_trial_end(failed, TrialOutcome("failed", 0, cause))
    lines = capfd.readouterr().out.splitlines()
    assert len(lines) == 5
    assert max(map(len, lines)) == 80
    assert lines[0].startswith(f"  0/3  {done.name}  begins  ")
    assert lines[0].endswith("...")
    assert lines[1] == f"  0/3  of 3 epochs: {done.name} 2"
    assert f"  1/3  {done.name}  finished  val/accuracy 0." in lines[2]
    assert lines[3].endswith("after 1 epoch")
    assert lines[4].startswith(f"  3/3  {failed.name}  failed  ConfigError: 2 problems - one word")
    log = (sweep.path / "sweep.log").read_text().splitlines()
    assert [line[20:][: len(shown.removesuffix("..."))] for line, shown in zip(log, lines, strict=True)] == [
        shown.removesuffix("...") for shown in lines
    ]
    assert "fs.rate=0.123" in log[0]
    assert log[4].endswith("- two")
    assert time.strptime(log[0][:19], "%Y-%m-%d %H:%M:%S")
    assert callback.heard == [
        ("started", 0),
        ("reached", 0, 2),
        *(("ended", n, status) for n, status in enumerate(("finished", "stopped", "failed"))),
    ]


def test_work_before_the_trials_is_said(tmp_path, dataset, capfd):
    sweep, callback = sweep_of(tmp_path / "s", dataset), Silent()
    SweepProgress(sweep, callback, printing()).on_setup("features of audio are computed once")
    assert capfd.readouterr().out == "features of audio are computed once\n"
    assert (sweep.path / "sweep.log").read_text().endswith("features of audio are computed once\n")
    assert callback.heard == [("setup", "features of audio are computed once")]


def test_a_quiet_sweep_writes_its_log_alone(tmp_path, dataset, capfd):
    sweep = sweep_of(tmp_path / "s", dataset, search="optuna", trials=9)
    progress = SweepProgress(sweep, Silent(), Progress())
    progress.on_trial_start(propose(sweep, 0, fs__scale=1.0))
    assert capfd.readouterr().out == ""
    assert "  0/9  000-" in (sweep.path / "sweep.log").read_text()


def test_what_is_trained_is_told_by_name_and_after_a_while_in_a_line(tmp_path, dataset, capfd, monkeypatch):
    sweep = sweep_of(tmp_path / "s", dataset)
    progress = SweepProgress(sweep, Silent(), printing())
    warm = sweep.path / "warmups" / "abc-s0"
    warm.mkdir(parents=True)
    assert progress.folders() == {}
    LiveFile(warm).begin_epoch(2, 100)
    assert progress.folders() == {"warm-up abc-s0": warm}
    trial = propose(sweep, 0, fs__scale=1.0)
    progress.on_trial_start(trial)
    (folder,) = progress.folders().values()
    assert folder in current_paths(sweep, trial)
    capfd.readouterr()
    running = [Running("warm-up abc-s0", read_progress(warm))]
    progress.on_running(running)
    assert capfd.readouterr().out == ""
    monkeypatch.setattr("raymm.api.sweep_progress.SILENT", -1.0)
    progress.on_running([])
    progress.on_running(running)
    line = "warm-up abc-s0  epoch 2/1  0%  0 rows/s\n"
    assert capfd.readouterr().out == line
    assert (sweep.path / "sweep.log").read_text().endswith(line)


def test_jobs_of_a_sweep_are_objects(tmp_path, dataset):
    sweep, heard = sweep_of(tmp_path / "s", dataset), []
    told = Progress()
    told.on_job = heard.append
    progress = SweepProgress(sweep, Silent(), told)
    done, failed = propose(sweep, 0, fs__scale=1.0), propose(sweep, 1, fs__scale=2.0)
    for trial in (done, failed):
        progress.on_trial_start(trial)
    progress.on_trial_end(done, finish(sweep, done, dataset))
    write_outcome(failed, TrialOutcome("failed", 0, "no\nmemory"))
    progress.on_trial_end(failed, TrialOutcome("failed", 0, "no\nmemory"))
    assert [(job.name, job.state) for job in heard] == [
        (done.name, "begins"),
        (failed.name, "begins"),
        (done.name, "finished"),
        (failed.name, "failed"),
    ]
    history = read_histories(sweep, done)[0]
    assert heard[2].score == max(entry["metrics"]["val/accuracy"] for entry in history)
    assert (heard[2].epochs, heard[2].selection) == (len(history), "accuracy")
    assert (heard[3].score, heard[3].cause) == (None, "no memory")
    assert all(job.seconds >= 0 for job in heard[2:])


def test_the_heading_of_a_sweep_fits(tmp_path, dataset):
    lines = sweep_heading(sweep_of(tmp_path / ("s" * 70), dataset), dataset, "mlflow")
    assert max(map(len, lines)) <= 80
    text = " ".join(" ".join(lines).split())
    assert f"train {len(dataset.rows('train'))}" in text
    assert "scored by the best val/accuracy" in text
    assert "tracked in mlflow" in text


@pytest.mark.parametrize(
    ("uri", "shown"),
    [
        (None, ""),
        ("sqlite:////stores/a #1?/mlflow.db", "/stores/a #1?"),
        ("https://me:secret@host:5000/path", "https://host:5000/path"),
    ],
)
def test_a_store_is_shown_by_its_folder_or_its_address_without_a_password(uri, shown):
    assert Store(uri).shown == shown


@pytest.mark.parametrize(
    ("selection", "scores", "best"),
    [("r2", (-0.75, -0.25), -0.25), ("loss", (0.75, 0.25), 0.25), ("accuracy", (0.25, 0.5), 0.5)],
)
def test_a_score_is_told_as_its_metric_is_measured(tmp_path, dataset, capfd, monkeypatch, selection, scores, best):
    sweep, heard = sweep_of(tmp_path / "s", dataset, {"training": {"epochs": 2, "selection": selection}}), []
    history = [{"epoch": n, "metrics": {f"val/{selection}": score}} for n, score in enumerate(scores)]
    monkeypatch.setattr("raymm.api.sweep_progress.read_histories", lambda *_: [history])
    progress = SweepProgress(sweep, Silent(), printing())
    progress.told.on_job = heard.append
    trial = propose(sweep, 0, fs__scale=1.0)
    progress.on_trial_start(trial)
    progress.on_trial_end(trial, TrialOutcome("finished", 2))
    assert heard[-1].score == best
    assert f"val/{selection} {best:.4f} after 2 epochs" in capfd.readouterr().out
