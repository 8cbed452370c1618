"""Successive halving from the folder of a sweep: what Tune is given, and what is known after a stop."""

import pytest

from raymm.errors import ConfigError
from raymm.sweep.promotion import Promotions
from raymm.sweep.reported import SCORE, STATUS
from raymm.sweep.runs import open_runs, open_warmups, read_histories, score_at
from raymm.sweep.schedule import check_scheduler
from raymm.sweep.search import Searcher
from raymm.sweep.store import SweepConfig, TrialOutcome, read_trials, write_outcome
from tests.sweeps import propose, sweep_of, train_until

SAMPLES = 60
EPOCHS = 4
RATES = (1e-6, 0.02, 1e-5, 0.01)


def planned(path, dataset, seeds=(0,), **settings):
    """Trials of other rates; levels are 1, 2 and 4 epochs."""
    sections = {
        "training": {"epochs": EPOCHS, "batch_size": 32, "threads": 1},
        "method": {"name": "joint", "warmup": 0},
    }
    plan = {"scheduler": "halving", "grace_period": 1, "reduction_factor": 2, "seeds": seeds, **settings}
    sweep = sweep_of(path, dataset, sections, **plan)
    for number, rate in enumerate(RATES):
        propose(sweep, number, **{"optimizer.lr": rate})
    return sweep


def trial_of(sweep, given):
    return next(trial for trial in read_trials(sweep) if trial.name == given["trial"])


def train(sweep, dataset, given):
    """What a trial of Tune does, in this process; what it reports in the end."""
    trial, until = trial_of(sweep, given), given["until"]
    train_until(open_runs(sweep, trial, dataset), dataset, until or EPOCHS + 1)
    histories = read_histories(sweep, trial)
    score = score_at(histories, until or EPOCHS, sweep.config.training.selection)
    if until is None:
        write_outcome(trial, TrialOutcome("finished", EPOCHS))
    return {SCORE: score, STATUS: "finished" if until is None else "waiting"}


def play(sweep, dataset, promotions, most=99):
    """Tune's way, one trial at once: what was given, as (number, until)."""
    jobs = []
    while len(jobs) < most and (given := promotions.suggest(f"tune-{len(jobs)}")) != Searcher.FINISHED:
        jobs.append((trial_of(sweep, given).number, given["until"]))
        promotions.on_trial_complete(f"tune-{len(jobs) - 1}", train(sweep, dataset, given))
    return jobs


def test_levels_go_to_tune_one_by_one_and_the_rest_was_stopped_early(tmp_path, dataset):
    sweep = planned(tmp_path / "s", dataset, seeds=(0, 1))
    promotions = Promotions(sweep)
    assert promotions.count == 12
    assert promotions.outcomes() == []
    jobs = play(sweep, dataset, promotions)
    assert [number for number, until in jobs if until == 1] == [0, 1, 2, 3]
    ended = {number for number, until in jobs if until is None}
    assert ended <= {1, 3}
    outcomes = {trial.number: outcome for trial, outcome in promotions.outcomes()}
    assert set(outcomes) == {0, 1, 2, 3} - ended
    for number, outcome in outcomes.items():
        last = max(until for other, until in jobs if other == number)
        assert outcome == TrialOutcome("stopped", last)
        histories = read_histories(sweep, read_trials(sweep)[number])
        assert [len(history) for history in histories] == [last, last]


@pytest.mark.parametrize("cut", range(1, 7))
def test_a_resumed_sweep_goes_on_as_if_it_had_not_stopped(tmp_path, dataset, cut):
    whole = planned(tmp_path / "whole", dataset)
    jobs = play(whole, dataset, Promotions(whole))
    sweep = planned(tmp_path / "s", dataset)
    first = play(sweep, dataset, Promotions(sweep), cut)
    rest = play(sweep, dataset, Promotions(sweep))
    assert [*first, *rest] == jobs
    both = zip(read_trials(whole), read_trials(sweep), strict=True)
    assert all(
        [[entry["metrics"]["val/loss"] for entry in run] for run in read_histories(whole, one)]
        == [[entry["metrics"]["val/loss"] for entry in run] for run in read_histories(sweep, other)]
        for one, other in both
    )
    assert Promotions(sweep).count == 0


def test_what_was_interrupted_between_levels_goes_on_first(tmp_path, dataset):
    sweep = planned(tmp_path / "s", dataset, grace_period=2)  # levels are 2 and 4
    trials = read_trials(sweep)
    train_until(open_runs(sweep, trials[1], dataset), dataset, 3)
    train_until(open_runs(sweep, trials[2], dataset), dataset, 1)
    promotions = Promotions(sweep)
    given = [promotions.suggest(name) for name in "ab"]
    assert [(trial_of(sweep, each).number, each["until"]) for each in given] == [(1, None), (2, 2)]
    assert trial_of(sweep, promotions.suggest("c")).number == 0


def test_a_trial_with_all_epochs_and_no_outcome_still_ends(tmp_path, dataset):
    sweep = planned(tmp_path / "s", dataset)
    train_until(open_runs(sweep, read_trials(sweep)[2], dataset), dataset, EPOCHS + 1)
    given = Promotions(sweep).suggest("a")
    assert (trial_of(sweep, given).number, given["until"]) == (2, None)


def test_a_shared_warm_up_beyond_a_level_is_no_promotion(tmp_path, dataset):
    sections = {
        "training": {"epochs": EPOCHS, "batch_size": 32, "threads": 1},
        "method": {"name": "sample", "warmup": 2},
    }
    sweep = sweep_of(tmp_path / "s", dataset, sections, scheduler="halving", grace_period=1, reduction_factor=2)
    trials = [propose(sweep, number, fs__scale=1.0 + number) for number in range(2)]
    train_until(open_warmups(sweep, trials[0].config, dataset, 2), dataset, 2)
    train_until(open_runs(sweep, trials[0], dataset), dataset, 2)
    given = Promotions(sweep).suggest("a")
    assert given["trial"] == trials[1].name


def test_while_all_others_train_there_is_nothing_to_give_and_a_failure_is_lost(tmp_path, dataset):
    sweep = planned(tmp_path / "s", dataset)
    promotions = Promotions(sweep)
    names = [promotions.suggest(str(number))["trial"] for number in range(4)]
    assert promotions.suggest("4") is None
    promotions.on_trial_complete("0", {SCORE: 0.9, STATUS: "waiting"})
    promotions.on_trial_complete("1", error=True)
    promotions.on_trial_complete("2", {STATUS: "failed"})
    assert promotions.suggest("5") is None
    promotions.on_trial_complete("3", {SCORE: 0.1, STATUS: "waiting"})
    assert promotions.suggest("6") == {"sweep": str(sweep.path), "trial": names[0], "until": 2}


def test_what_tune_ended_at_an_interruption_is_neither_done_nor_lost(tmp_path, dataset):
    sweep = planned(tmp_path / "s", dataset)
    promotions = Promotions(sweep)
    names = [promotions.suggest(str(number))["trial"] for number in range(4)]
    for number, name in enumerate(names[:3]):
        train(sweep, dataset, {"trial": name, "until": 1})
        promotions.on_trial_complete(str(number), {SCORE: 0.1, STATUS: "waiting"})
    promotions.on_trial_complete("3", {SCORE: 0.9})
    given = promotions.suggest("4")
    assert given["trial"] == names[0]  # one in two of three
    promotions.on_trial_complete("4", error=True)
    assert promotions.suggest("5") is None
    assert promotions.outcomes() == []


def test_a_failed_trial_counts_in_comparisons_and_is_not_tried_again(tmp_path, dataset):
    sweep = planned(tmp_path / "s", dataset)
    propose(sweep, 4, **{"optimizer.lr": 1e-6})
    trials = read_trials(sweep)
    for trial in trials:
        train_until(open_runs(sweep, trial, dataset), dataset, 1)
    write_outcome(trials[1], TrialOutcome("failed", 1, "x"))
    promotions = Promotions(sweep)
    # of five, two may be promoted: the failed one is the best or the second, so that the other goes on alone
    assert trial_of(sweep, promotions.suggest("a")).number == 3
    assert promotions.suggest("b") is None


def test_an_optimiser_has_nothing_to_learn_from_levels(tmp_path, dataset):
    sweep = planned(tmp_path / "s", dataset)
    plan = SweepConfig(space="s.py", scheduler="halving", search="optuna")
    with pytest.raises(ConfigError, match=r"--scheduler halving: no score is final before the sweep ends"):
        check_scheduler(plan, sweep.config, {})
