"""The runs of trials: what they share, where they are, and what a row says of them."""

import math

import numpy as np
import pytest

from raymm.config.canonical import canonical
from raymm.storage.layout import committed_epochs
from raymm.sweep import runs
from raymm.sweep.runs import (
    EndedRun,
    best_seed,
    best_so_far,
    branch_runs,
    current_config,
    current_paths,
    open_runs,
    open_warmups,
    read_histories,
    score_at,
    trial_row,
    trial_rows,
    warmup_epochs_done,
)
from raymm.sweep.space import resolve
from raymm.sweep.store import TrialOutcome, read_outcome, write_outcome
from raymm.training.result import read_result
from raymm.training.run import BranchPoint
from raymm.training.warmups import shared_warmups, warm_start, warmup_epochs, with_seed
from tests.games import settings
from tests.sweeps import finish, propose, stop, sweep_of, train_until

SAMPLES = 90


@pytest.fixture(scope="module")
def ended(tmp_path_factory, dataset):
    """A sweep over two seeds with a trial that finished, one that was stopped, and one that failed."""
    sweep = sweep_of(tmp_path_factory.mktemp("sweep") / "s", dataset, seeds=(3, 5))
    trials = [propose(sweep, number, fs__scale=1.0 + number) for number in range(4)]
    finish(sweep, trials[0], dataset)
    stop(sweep, trials[1], dataset, epochs=1, trained=2)
    train_until(open_runs(sweep, trials[2], dataset), dataset, 1)
    write_outcome(trials[2], TrialOutcome("failed", 1, "TrainingError: the loss is nan"))
    return sweep, trials


def grouped(*configs):
    return [(configs.index(config), until) for config, until in shared_warmups(configs)]


def config(seed=0, lr=0.005, fusion="concat", **resampling):
    sections = {"training": {"epochs": 9, "seed": seed}, "optimizer": {"lr": lr}, "model": {"fusion": fusion}}
    return canonical(settings(**sections, resampling={"warmup": 2, **resampling}))


def test_trials_that_differ_in_resampling_alone_share_a_warmup():
    one, other = config(fs={"scale": 1.0}), config(strategy="modality", warmup=4, every=2)
    assert grouped(one, other) == [(0, 4)]
    assert grouped(one) == []
    assert grouped() == []


@pytest.mark.parametrize("difference", [{"lr": 0.01}, {"fusion": "sum"}, {"seed": 1}])
def test_trials_that_train_differently_share_none(difference):
    assert grouped(config(), config(fs={"scale": 1.0}, **difference)) == []
    pair = [config(**difference), config(fs={"scale": 1.0}, **difference)]
    assert grouped(config(), *pair, config(fs={"scale": 3.0})) == [(0, 2), (1, 2)]


def test_trials_with_a_loss_of_their_own_share_no_joint_epochs(tmp_path, dataset):
    own = config(strategy="tests.training.methods:Remembering")
    assert grouped(config(), own) == []
    sweep = sweep_of(tmp_path / "s", dataset)
    trial = propose(sweep, 0, warmup=1)
    warmup = open_warmups(sweep, trial.config, dataset, 1)
    train_until(warmup, dataset, 1)
    assert warm_start(warmup[0].path, trial.config) == BranchPoint(warmup[0].path, 1)
    other = propose(sweep, 1, strategy="tests.training.methods:Remembering", warmup=1)
    assert [run.start for run in open_runs(sweep, other, dataset)] == [None]


def test_joint_trials_go_on_from_the_warmup_of_others_but_need_none():
    assert grouped(config(strategy="joint"), config()) == [(0, 2)]
    assert grouped(config(strategy="joint"), config(strategy="joint")) == []


def test_a_run_parts_from_its_joint_training_at_the_end_of_its_warmup():
    assert [warmup_epochs(config(warmup=warmup)) for warmup in (0, 1, 2, 8)] == [1, 1, 2, 8]
    assert warmup_epochs(config(strategy="joint", warmup=8)) == 0
    assert warmup_epochs(settings(training={"epochs": 1}, resampling={"warmup": 0})) == 0
    assert warmup_epochs(with_seed(config(), 7)) == 2


def _said_of_warmups(sweep, shared):
    """What two steps of Tune say of the warm-ups."""
    from raymm.sweep.driver import _WarmupEvents

    class Lines(list):
        on_setup = list.append

    events = _WarmupEvents(sweep, shared, Lines())
    for iteration in range(2):
        events.on_step_begin(iteration=iteration, trials=[])
    return list(events._callback)


def test_shared_warmups_are_trained_once_a_seed_and_trials_start_from_them(tmp_path, dataset):
    sweep = sweep_of(tmp_path / "s", dataset, seeds=(3, 5))
    trials = [
        propose(sweep, 0, warmup=1),
        propose(sweep, 1, warmup=2),
        propose(sweep, 2, strategy="joint"),
        propose(sweep, 3, warmup=1, **{"optimizer.lr": 0.01}),
    ]
    ((first, until),) = shared_warmups([trial.config for trial in trials])
    assert until == 2
    assert warmup_epochs_done(sweep, first) < until
    runs = open_warmups(sweep, first, dataset, until)
    assert [run.config.training.seed for run in runs] == [3, 5]
    assert {run.config.method.name for run in runs} == {"joint"}
    assert _said_of_warmups(sweep, [(first, until)]) == ["warm-up that trials share: 0 of 2 epochs"]
    train_until(runs[:1], dataset, 2)
    assert warmup_epochs_done(sweep, first) < until
    train_until(runs[1:], dataset, 2)
    assert warmup_epochs_done(sweep, first) >= until
    assert warmup_epochs_done(sweep, first) < until + 1
    assert _said_of_warmups(sweep, [(first, until)]) == ["warm-up that trials share: 2 of 2 epochs"]
    starts = [[run.start for run in open_runs(sweep, trial, dataset)] for trial in trials]
    for trial, epoch in ((0, 1), (1, 2), (2, 2)):
        assert starts[trial] == [BranchPoint(run.path, epoch) for run in runs]
    assert starts[3] == [None, None]


def test_a_trial_that_has_begun_keeps_the_start_that_it_was_made_with(tmp_path, dataset):
    sweep = sweep_of(tmp_path / "s", dataset)
    trial = propose(sweep, 0, warmup=1)
    assert [run.start for run in open_runs(sweep, trial, dataset)] == [None]
    train_until(open_warmups(sweep, trial.config, dataset, 1), dataset, 1)
    assert [run.start for run in open_runs(sweep, trial, dataset)] == [None]


def test_the_best_so_far_never_falls_and_a_loss_is_negated():
    def told(name, *values):
        return [{"metrics": {} if value is None else {f"val/{name}": value}} for value in values]

    assert best_so_far(told("accuracy", 0.5, 0.4, 0.7, 0.6), "accuracy") == [0.5, 0.5, 0.7, 0.7]
    assert best_so_far(told("loss", 0.5, 0.4, 0.7), "loss") == [-0.5, -0.4, -0.4]
    assert best_so_far([], "accuracy") == []
    first, *others = best_so_far(told("accuracy", None, 0.2, math.nan, 0.1), "accuracy")
    assert math.isnan(first)
    assert others == [0.2, 0.2, 0.2]
    histories = [told("accuracy", 0.5, 0.9), told("accuracy", 0.7, 0.1)]
    assert score_at(histories, 1, "accuracy") == pytest.approx(0.6)
    assert score_at(histories, 2, "accuracy") == pytest.approx(0.8)


def test_a_finished_trial_is_the_mean_of_its_seeds(ended):
    sweep, trials = ended
    row = trial_rows(sweep)[0]
    results = [read_result(path) for path in current_paths(sweep, trials[0])]
    assert [path.name for path in current_paths(sweep, trials[0])] == [f"{trials[0].name}-s{s}" for s in (3, 5)]
    assert (row.key, row.number, row.status) == (trials[0].key, 0, "finished")
    assert row.params == {"method.settings.fs.scale": 1.0}
    assert row.scores == tuple(max(e["metrics"]["val/accuracy"] for e in result.history) for result in results)
    assert row.metrics["best/loss"] == pytest.approx(np.mean([r.metrics["best/loss"] for r in results]))
    assert not [name for name in row.metrics if "test" in name]
    assert row.epochs == 6
    assert row.rows == sum(e["metrics"]["rows/epoch"] for result in results for e in result.history)
    assert row.seconds > 0
    assert results[0].metrics != results[1].metrics


def test_a_stopped_trial_counts_what_tune_had_heard_of(ended):
    sweep, trials = ended
    row = trial_rows(sweep)[1]
    histories = read_histories(sweep, trials[1])
    assert [len(history) for history in histories] == [2, 2]
    assert (row.status, row.epochs, row.metrics) == ("stopped", 2, {})
    assert row.scores == tuple(history[0]["metrics"]["val/accuracy"] for history in histories)
    assert row.rows == sum(history[0]["metrics"]["rows/epoch"] for history in histories)
    later = trial_row(sweep, trials[1], TrialOutcome("stopped", 2), trials[1].searched)
    assert (later.epochs, later.rows > row.rows) == (4, True)


def test_a_failed_trial_has_no_score_but_its_cost_and_its_cause(ended):
    sweep, trials = ended
    row = trial_rows(sweep)[2]
    assert (row.status, row.scores, row.score, row.metrics) == ("failed", (), None, {})
    assert row.cause == "TrainingError: the loss is nan"
    assert (row.epochs, row.rows > 0) == (2, True)
    assert trial_row(sweep, trials[3], TrialOutcome("failed", 0, "no run"), set()).epochs == 0


def test_a_trial_of_which_a_seed_never_had_a_finite_score_has_none(ended, monkeypatch):
    """Such as the correlation of answers that are all the same, of which no mean is a number."""
    sweep, trials = ended
    first, second = read_histories(sweep, trials[1])
    for entry in second:
        del entry["metrics"]["val/accuracy"]
    monkeypatch.setattr(runs, "read_histories", lambda *_: [first, second])
    row = trial_row(sweep, trials[1], TrialOutcome("stopped", 2), trials[1].searched)
    assert (row.scores, row.score, row.deviation) == ((), None, None)
    assert row.epochs == 4
    worse, none = (EndedRun(None, None, score) for score in (-3.0, math.nan))
    assert best_seed([none, worse]) is worse


def test_a_trial_that_has_not_ended_has_no_row(ended):
    sweep, trials = ended
    assert read_outcome(trials[3]) is None
    assert [row.number for row in trial_rows(sweep)] == [0, 1, 2]


def test_a_row_shows_a_setting_that_another_trial_searched(tmp_path, dataset):
    sweep = sweep_of(tmp_path / "s", dataset)
    trials = [
        propose(sweep, 0, fs__family="tanh", fs__rate=0.5),
        propose(sweep, 1, fs__family="linear", fs__rate=2.0),
    ]
    for trial in trials:
        write_outcome(trial, TrialOutcome("failed", 0, "x"))
    assert [row.params for row in trial_rows(sweep)] == [
        {"method.settings.fs.family": "tanh", "method.settings.fs.rate": 0.5},
        {"method.settings.fs.family": "linear"},
    ]


def test_a_trial_that_goes_on_from_another_has_its_runs_there_for_good(tmp_path, dataset):
    sweep = sweep_of(tmp_path / "s", dataset, {"training": {"epochs": 3, "keep": 3}}, seeds=(3, 5))
    one, two = propose(sweep, 0, fs__scale=1.0), propose(sweep, 1, fs__scale=3.0)
    for trial in (one, two):
        train_until(open_runs(sweep, trial, dataset), dataset, 2)
    old, sources = current_paths(sweep, two), current_paths(sweep, one)
    changed = resolve(sweep.config, {"method.settings.fs.scale": 1.2})
    runs = branch_runs(sweep, two, changed, sources, 2, dataset)
    assert [run.start for run in runs] == [BranchPoint(path, 2) for path in sources]
    assert (
        [run.path for run in runs]
        == current_paths(sweep, two)
        == [run.path for run in open_runs(sweep, two, dataset)]
    )
    assert set(old).isdisjoint(current_paths(sweep, two))
    assert current_config(two).method.settings.fs.settings.scale == 1.2
    train_until(runs, dataset, 3)
    again = branch_runs(sweep, two, changed, sources, 2, dataset)
    assert [run.key for run in again] == [run.key for run in runs]
    assert [committed_epochs(run.path)[-1] for run in again] == [3, 3]
    finish(sweep, two, dataset)
    (row,) = trial_rows(sweep)
    assert (row.key, row.params) == (two.key, {"method.settings.fs.scale": 1.2})
    assert [len(history) for history in read_histories(sweep, two)] == [3, 3]
    assert current_paths(sweep, one) == sources


def test_a_trial_stays_where_it_is_when_it_cannot_go_on_from_another(tmp_path, dataset, monkeypatch):
    sweep = sweep_of(tmp_path / "s", dataset)
    trial = propose(sweep, 0, fs__scale=1.0)
    before = current_paths(sweep, trial)
    monkeypatch.setattr("raymm.sweep.runs.create_or_open", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        branch_runs(sweep, trial, sweep.config, before, 1, dataset)
    assert current_paths(sweep, trial) == before


def test_the_seeds_of_a_trial_are_validated_once_and_not_again_when_they_are_opened(tmp_path, dataset, monkeypatch):
    tried = []
    monkeypatch.setattr("raymm.training.run.trial_mistakes", lambda *given: tried.append(given) or [])
    sweep = sweep_of(tmp_path / "s", dataset, seeds=(3, 5, 8))
    trial = propose(sweep, 0, fs__scale=1.0)
    assert len(open_runs(sweep, trial, dataset)) == 3
    assert len(tried) == 1
    open_runs(sweep, trial, dataset)
    assert len(tried) == 1
