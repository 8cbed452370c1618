"""What a sweep tells a tracker: one run for it, one below it for each trial, and how each of them ended."""

import numpy as np
import pytest

from raymm.sweep.runs import best_so_far, open_runs, read_histories, result_metrics
from raymm.sweep.store import TrialOutcome, write_outcome
from raymm.sweep.tracking import SweepTracker
from tests.sweeps import Store, finish, follow, propose, session, stop, sweep_of, train_until

SAMPLES = 90

NAMES = ("0 tanh 0.5", "1 joint", "2 3", "3 4", "4 5")


@pytest.fixture(scope="module")
def told(tmp_path_factory, dataset):
    """Two finished trials, one stopped, one failed and one interrupted, over two seeds."""
    sweep = sweep_of(tmp_path_factory.mktemp("sweep") / "s", dataset, seeds=(3, 5))
    trials = [
        propose(sweep, 0, fs__family="tanh", fs__rate=0.5),
        propose(sweep, 1, strategy="joint"),
        *(propose(sweep, number, fs__scale=1.0 + number) for number in (2, 3, 4)),
    ]
    store = Store()
    record = session(sweep, dataset, store)
    for trial in trials[:2]:
        follow(record, trial, finish(sweep, trial, dataset))
    follow(record, trials[2], stop(sweep, trials[2], dataset, epochs=1, trained=2))
    failed = TrialOutcome("failed", 0, "TrainingError: the loss is nan")
    write_outcome(trials[3], failed)
    follow(record, trials[3], failed)
    train_until(open_runs(sweep, trials[4], dataset), dataset, 1)
    record.on_trial_start(trials[4])
    record.on_epoch(trials[4], 1)
    rows = record.close("FINISHED")
    return sweep, trials, store, rows


def test_a_trial_that_waits_to_be_promoted_says_so_until_it_goes_on(tmp_path, dataset):
    sweep = sweep_of(tmp_path / "s", dataset, scheduler="halving")
    trial, store = propose(sweep, 0, fs__scale=1.0), Store()
    record, said = session(sweep, dataset, store), []
    train_until(open_runs(sweep, trial, dataset), dataset, 1)
    for event in (
        lambda: record.on_trial_start(trial),
        lambda: record.on_trial_wait(trial, 1),
        lambda: record.on_trial_start(trial),
        lambda: record.on_trial_end(trial, TrialOutcome("stopped", 1)),
    ):
        event()
        record._do(lambda: said.append(store.of(trial).tags["raymm.ended"]))
    record.close("FINISHED")
    words = ["running", "waits to be promoted, after 1 of 3 epochs", "running", "stopped early after 1 of 3 epochs"]
    assert said == words
    assert store.of(trial).status == "KILLED"


def test_the_sweep_is_the_parent_of_its_trials(told):
    sweep, trials, store, _ = told
    parent = store.trackers[sweep.path]
    assert (parent.info.key, parent.info.parent_key, parent.status) == (sweep.key, None, "FINISHED")
    assert parent.info.params["sweep.seeds"] == "3, 5"
    assert parent.info.tags["raymm.kind"] == "sweep"
    for trial in trials:
        info = store.of(trial).info
        assert (info.key, info.parent_key, info.name) == (f"{sweep.key}.{trial.key}", sweep.key, NAMES[trial.number])
        assert info.experiment == parent.info.experiment == "games"
        assert (info.tags["raymm.kind"], info.tags["raymm.trial"]) == ("trial", str(trial.number))
    assert len({store.of(trial).info.key for trial in trials}) == len(trials)


def test_a_trial_shows_the_settings_that_apply_to_it(told):
    _, trials, store, _ = told
    tanh, joint, linear = (store.of(trial).info for trial in trials[:3])
    assert tanh.params["method.settings.fs.rate"] == 0.5
    assert "method.settings.fs.rate" not in linear.params
    assert linear.params["method.settings.fs.scale"] == 3.0
    assert not any(name.startswith("method.settings.fs") for name in joint.params)
    assert "method.settings.fs.family=tanh, method.settings.fs.rate=0.5" in tanh.description
    for info in (tanh, joint, linear):
        assert "training.seed" not in info.params
        assert info.params["sweep.seeds"] == "3, 5"


def test_an_epoch_is_the_mean_over_the_seeds(told):
    sweep, trials, store, _ = told
    histories = read_histories(sweep, trials[0])
    epochs = store.of(trials[0]).epochs
    assert sorted(epochs) == [1, 2, 3]
    losses = [[entry["metrics"]["val/loss"] for entry in history] for history in histories]
    assert losses[0] != losses[1]
    assert [epochs[e]["val/loss"] for e in (1, 2, 3)] == pytest.approx(np.mean(losses, axis=0))
    assert sorted(store.of(trials[2]).epochs) == [1]


def test_how_a_trial_ended_is_a_status_and_words(told):
    _, trials, store, _ = told
    ends = [(store.of(trial).status, store.of(trial).tags["raymm.ended"]) for trial in trials]
    assert ends == [
        ("FINISHED", "finished"),
        ("FINISHED", "finished"),
        ("KILLED", "stopped early after 1 of 3 epochs"),
        ("FAILED", "failed: TrainingError: the loss is nan"),
        ("KILLED", "interrupted; `raymm sweep --resume` goes on with it"),
    ]


def test_a_finished_trial_has_its_score_and_the_files_of_its_best_seed(told):
    _, trials, store, rows = told
    tracker = store.of(trials[0])
    by_seed = [tracker.summary[f"seed_{seed}/score"] for seed in (3, 5)]
    assert by_seed == list(rows[0].scores)
    assert tracker.summary["score"] == pytest.approx(np.mean(by_seed))
    assert tracker.summary["score_sd"] == pytest.approx(np.std(by_seed, ddof=1))
    assert tracker.summary["best/accuracy"] == pytest.approx(rows[0].metrics["best/accuracy"])
    assert not [name for name in tracker.summary if "test" in name]
    best = (3, 5)[int(np.argmax(by_seed))]
    assert tracker.tags["raymm.model_seed"] == str(best)
    assert all(f"{trials[0].name}-s{best}" in str(path) for path, _ in [*tracker.artifacts, *tracker.models])
    assert len(tracker.models) == 1
    assert store.of(trials[2]).summary == {}
    assert store.of(trials[2]).models == []


def test_the_parent_has_the_summary_and_names_the_best(told):
    sweep, trials, store, rows = told
    parent = store.trackers[sweep.path]
    names = {path.name for path, folder in parent.artifacts if folder == "summary"}
    assert {"trials.csv", "summary.md", "parameters.png"} <= names
    assert [row.status for row in rows] == ["finished", "finished", "stopped", "failed"]
    counts = {name: value for name, value in parent.summary.items() if name.startswith("trials/")}
    assert counts == {"trials/finished": 2, "trials/stopped": 1, "trials/failed": 1}
    best = max(rows[:2], key=lambda row: row.score)
    assert parent.summary["best/score"] == best.score
    assert parent.summary["test/accuracy"] == result_metrics(sweep, trials[best.number])["test/accuracy"]
    assert parent.tags["raymm.best_trial"] == trials[best.number].name
    assert [store.of(trial).tags.get("raymm.best") for trial in trials] == [
        "true" if trial.number == best.number else None for trial in trials
    ]


def test_the_pages_of_the_best_trial_are_those_of_the_sweep(tmp_path, dataset, monkeypatch):
    monkeypatch.setattr("raymm.sweep.tracking.findings_of", lambda run, *_: [f"of {run.name}"])
    sweep = sweep_of(tmp_path / "s", dataset)
    trials = [propose(sweep, number, fs__scale=scale) for number, scale in enumerate((1.0, 3.0))]
    store, told = Store(), []
    record = SweepTracker(sweep, dataset, store, "games", lambda *about: told.append(about))
    record.begin()
    for trial in trials:
        follow(record, trial, finish(sweep, trial, dataset))
    rows = record.close("FINISHED")
    best = max(rows, key=lambda row: row.score)
    ((tracker, run, result, of, findings),) = told
    assert tracker is record.parent
    assert run.path.is_relative_to(trials[best.number].path)
    assert (of, findings) == (dataset, [f"of {run.name}"])
    assert max(best.scores) == pytest.approx(best_so_far(result.history, sweep.config.training.selection)[-1])
