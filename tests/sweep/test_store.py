"""A sweep on disk: made once, opened again as it was, and honest about what is missing or damaged."""

import json

import pytest

from raymm.errors import CheckpointError, ConfigError, DataError
from raymm.sweep.store import (
    SweepConfig,
    TrialOutcome,
    commit_sweep,
    key_of,
    new_sweep,
    open_sweep,
    open_trial,
    pending,
    read_outcome,
    read_trials,
    reset_failed,
    write_outcome,
    write_trial,
)
from raymm.training.run import create_or_open
from tests.games import settings, small_dataset
from tests.sweeps import propose, sweep_of

SAMPLES = 60


def test_a_committed_sweep_is_opened_as_it_was_made(tmp_path, dataset):
    plan = {"trials": 7, "seeds": (3, 4), "search": "optuna", "scheduler": "median", "grace_period": 2}
    made = sweep_of(tmp_path / "s", dataset, {"optimizer": {"lr": 0.02}}, **plan)
    opened = open_sweep(tmp_path / "s")
    assert opened == made
    assert opened.dataset().digest == dataset.digest
    assert (opened.name, opened.metric) == ("s", "val/accuracy")
    assert opened != sweep_of(tmp_path / "t", dataset, {"optimizer": {"lr": 0.03}}, **plan)


def test_settings_of_0_1_0_are_read_under_their_old_names(tmp_path, dataset):
    now = {"scheduler": "asha", "grace_period": 2, "reduction_factor": 4, "max_concurrent_trials": 1}
    made = sweep_of(tmp_path / "s", dataset, **now)
    file = tmp_path / "s" / "sweep.json"
    about = json.loads(file.read_text())
    old = {"space": "space.py", "scheduler": "asha", "grace": 2, "reduction": 4, "concurrent": 1}
    file.write_text(json.dumps({**about, "plan": old}))
    assert open_sweep(tmp_path / "s") == made
    file.write_text(json.dumps({**about, "plan": {**old, "concurent": 1}}))
    with pytest.raises(CheckpointError, match=r"(?s)sweep\.json: cannot be read.*concurent"):
        open_sweep(tmp_path / "s")


def test_the_metric_is_that_of_the_selection(tmp_path, dataset):
    assert sweep_of(tmp_path / "s", dataset, {"training": {"selection": "loss", "epochs": 3}}).metric == "val/loss"


def test_a_folder_that_is_taken_is_refused(tmp_path, dataset):
    sweep_of(tmp_path / "s", dataset)
    with pytest.raises(CheckpointError, match=r"s holds a sweep; go on with it by --resume .*s, or choose another"):
        new_sweep(tmp_path / "s", SweepConfig(space="a.py"), settings(), dataset)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(CheckpointError, match=r"mine: not empty, and no sweep of raymm; choose another folder"):
        new_sweep(tmp_path / "mine", SweepConfig(space="a.py"), settings(), dataset)
    assert (tmp_path / "mine" / "notes.txt").read_text() == "mine"


def test_what_a_sweep_left_that_was_never_committed_is_cleared_away(tmp_path, dataset):
    half = new_sweep(tmp_path / "s", SweepConfig(space="a.py"), settings(), dataset)
    propose(half, 0, fs__scale=1.0)
    with pytest.raises(CheckpointError, match=r"no sweep there \(sweep\.json is missing\); give the --out of"):
        open_sweep(tmp_path / "s")
    whole = new_sweep(tmp_path / "s", SweepConfig(space="a.py"), settings(), dataset)
    assert read_trials(whole) == []
    kept = propose(whole, 0, fs__scale=2.0)
    commit_sweep(whole)
    assert read_trials(open_sweep(tmp_path / "s")) == [kept]


def test_a_damaged_sweep_names_its_file(tmp_path, dataset):
    sweep = sweep_of(tmp_path / "s", dataset)
    file = sweep.path / "sweep.json"
    whole = json.loads(file.read_text())
    for spoilt, words in (
        ("{", r"sweep\.json: cannot be read"),
        (json.dumps({**whole, "plan": {**whole["plan"], "trials": 0}}), r"(?s)sweep\.json: cannot be read.*trials"),
        ("[]", r"sweep\.json: cannot be read \(it holds a list"),
        (
            json.dumps({name: value for name, value in whole.items() if name != "key"}),
            "'key' is missing",
        ),
    ):
        file.write_text(spoilt)
        with pytest.raises(CheckpointError, match=words):
            open_sweep(sweep.path)


def test_settings_that_no_longer_exist_are_named(tmp_path, dataset):
    sweep = sweep_of(tmp_path / "s", dataset)
    file = sweep.path / "sweep.json"
    whole = json.loads(file.read_text())
    whole["config"]["training"]["epoch"] = 3
    file.write_text(json.dumps(whole))
    with pytest.raises(ConfigError, match=r"sweep\.json: training\.epoch: no such setting; did you mean 'epochs'\?"):
        open_sweep(sweep.path)


def test_data_that_changed_is_refused(tmp_path, dataset):
    small_dataset(tmp_path / "d", 60)
    sweep = sweep_of(tmp_path / "s", small_dataset(tmp_path / "other", 61))
    run = create_or_open(tmp_path / "r", sweep.config, sweep.dataset())
    assert sweep.dataset().digest == sweep.digest == run.dataset().digest
    (tmp_path / "other").rename(tmp_path / "away")
    (tmp_path / "d").rename(tmp_path / "other")
    with pytest.raises(DataError, match=r"other: changed since the sweep .*s was made; start a new sweep"):
        sweep.dataset()
    with pytest.raises(DataError, match=r"other: changed since the run .*r was made; start a new run"):
        run.dataset()


def test_a_trial_is_named_by_number_and_key_and_comes_back(tmp_path, dataset):
    sweep = sweep_of(tmp_path / "s", dataset, seeds=(5, 6))
    drawn = {"method.settings.fs": {"family": "tanh", "rate": 0.5}, "optimizer.lr": 0.01}
    made = write_trial(sweep, 12, drawn, settings(resampling={"fs": {"family": "tanh", "rate": 0.5}}))
    assert made.path == sweep.path / "trials" / f"012-{made.key[:8]}"
    assert made.key == key_of(made.config)
    assert open_trial(made.path) == made
    assert made.searched == {"method.settings.fs.family", "method.settings.fs.rate", "optimizer.lr"}
    assert made.key != propose(sweep, 13, fs__family="tanh", fs__rate=0.6).key


def test_trials_are_read_in_the_order_of_their_numbers(tmp_path, dataset):
    sweep = sweep_of(tmp_path / "s", dataset)
    for number in (1000, 2, 999, 0):
        propose(sweep, number, fs__scale=1.0 + number)
    assert [trial.number for trial in read_trials(sweep)] == [0, 2, 999, 1000]


def test_a_damaged_trial_names_its_file(tmp_path, dataset):
    sweep = sweep_of(tmp_path / "s", dataset)
    trial = propose(sweep, 0, fs__scale=1.0)
    (trial.path / "trial.json").write_text("[]")
    with pytest.raises(CheckpointError, match=r"000-.*/trial\.json: cannot be read"):
        read_trials(sweep)
    (trial.path / "ended.json").write_text('{"state": "finished"}')
    with pytest.raises(CheckpointError, match=r"000-.*/ended\.json: cannot be read: [^:]*'status' is"):
        read_outcome(trial)


def test_a_trial_is_missing_until_it_has_ended_and_again_when_its_failure_is_forgotten(tmp_path, dataset):
    sweep = sweep_of(tmp_path / "s", dataset)
    trials = [propose(sweep, number, fs__scale=1.0 + number) for number in range(4)]
    assert pending(trials) == trials
    ends = [
        TrialOutcome("finished", 3),
        TrialOutcome("stopped", 2),
        TrialOutcome("failed", 1, "TrainingError: the loss is nan"),
    ]
    for trial, ended in zip(trials, ends, strict=False):
        write_outcome(trial, ended)
    assert [read_outcome(trial) for trial in trials] == [*ends, None]
    assert pending(trials) == trials[3:]
    reset_failed(sweep)
    assert pending(read_trials(sweep)) == trials[2:]
