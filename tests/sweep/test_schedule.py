"""Schedulers: refused where they could do nothing, and after a stop as if they had seen everything."""

from types import SimpleNamespace

import pytest
from ray import tune
from ray.tune.schedulers import FIFOScheduler, TrialScheduler

from raymm.config import load
from raymm.errors import ConfigError
from raymm.sweep import schedule
from raymm.sweep.reported import EPOCHS, SCORE
from raymm.sweep.schedule import check_scheduler, grace_period_of, interval_of, mutable, scheduler_of, within
from raymm.sweep.store import SweepConfig, TrialOutcome, write_outcome
from tests.sweeps import propose, sweep_of

SAMPLES = 60

SPACE = {
    "method.settings.fs.scale": tune.uniform(0.5, 4.0),
    "method.settings.fs.steps": tune.randint(1, 5),
    "method.settings.fs.family": tune.choice(["linear", "tanh", "step"]),
    "method.name": tune.choice(["sample", "class"]),
    "optimizer.lr": 0.01,
}
STOP, CONTINUE = TrialScheduler.STOP, TrialScheduler.CONTINUE


def config(*overrides):
    return load(None, ("training.epochs=10", "method.warmup=2", *overrides))


def test_values_are_brought_back_into_their_ranges():
    sampled = {
        "method.settings.fs.scale": 4.8,
        "method.settings.fs.steps": 6,
        "method.settings.fs.family": "tanh",
        "trial": "a",
    }
    assert within(sampled, SPACE) == {**sampled, "method.settings.fs.scale": 4.0, "method.settings.fs.steps": 4}
    low = {"method.settings.fs.scale": 0.1, "method.settings.fs.steps": 0, "optimizer.lr": 99.0}
    assert within(low, SPACE) == {
        "method.settings.fs.scale": 0.5,
        "method.settings.fs.steps": 1,
        "optimizer.lr": 99.0,
    }
    inside = {"method.settings.fs.scale": 4.0, "method.settings.fs.steps": 4}
    assert within(inside, SPACE) == inside


def test_only_samplers_of_what_every_epoch_reads_anew_may_change():
    assert set(mutable(SPACE)) == {f"method.settings.fs.{name}" for name in ("scale", "steps", "family")}
    assert set(mutable({**SPACE, "optimizer.lr": tune.loguniform(1e-4, 1e-2)})) - set(mutable(SPACE)) == {
        "optimizer.lr"
    }
    assert mutable({"method.settings.fs.scale": tune.grid_search([1.0]), "optimizer.lr_x": 1}) == {}


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        ({"grace": 10, "scheduler": "asha"}, r"--grace 10: trials have training\.epochs=10, so none could end early"),
        ({"scheduler": "pbt", "search": "optuna"}, r"--scheduler pbt: chooses settings itself; use --search random"),
    ],
)
def test_a_scheduler_that_could_do_nothing_is_refused(plan, words):
    with pytest.raises(ConfigError, match=words):
        check_scheduler(SweepConfig(space="s.py", **plan), config(), SPACE)
    check_scheduler(SweepConfig(space="s.py", scheduler="pbt", grace_period=9), config(), SPACE)


def test_a_population_needs_something_that_may_change():
    space = {"method.name": SPACE["method.name"], "method.settings.fs.scale": 2.0}
    words = (
        r"--scheduler pbt: s\.py draws nothing that may change while a run goes on; let it draw one of .*row_budget"
    )
    with pytest.raises(ConfigError, match=words):
        check_scheduler(SweepConfig(space="s.py", scheduler="pbt"), config(), space)
    check_scheduler(SweepConfig(space="s.py", scheduler="asha"), config(), space)


def test_grace_and_interval_follow_the_warmup():
    plain = SweepConfig(space="s.py")
    assert grace_period_of(plain, config()) == 3
    assert grace_period_of(SweepConfig(space="s.py", grace_period=7), config()) == 7
    assert grace_period_of(plain, config("method.name=joint", "method.warmup=30")) == 10
    assert [interval_of(config(f"training.epochs={n}")) for n in (3, 10, 30)] == [1, 3, 9]


class Controller:
    """Stands in for Tune's controller."""

    def get_trials(self):
        return []

    def get_live_trials(self):
        return []


def lives(scheduler, name, scores):
    """Tune's way with one trial: what it decides after each report, up to the first stop."""
    trial = SimpleNamespace(trial_id=name, status="RUNNING")
    scheduler.on_trial_add(Controller(), _Hashed(trial))
    trial, decisions = _Hashed(trial), []
    for epoch, score in enumerate(scores, 1):
        result = {EPOCHS: epoch, SCORE: score}
        decisions.append(scheduler.on_trial_result(Controller(), trial, result))
        if decisions[-1] == STOP:
            break
    scheduler.on_trial_complete(Controller(), trial, result)
    return decisions


class _Hashed:
    """A trial of Tune is told apart by its id."""

    def __init__(self, values):
        self.trial_id, self.status = values.trial_id, values.status

    def __hash__(self):
        return hash(self.trial_id)

    def __eq__(self, other):
        return self.trial_id == other.trial_id


SCORES = [
    [0.1 * trial + 0.01 * epoch * (1 + trial % 3) for epoch in range(1, 11)] for trial in (3, 5, 1, 4, 2, 6, 0, 3.5)
]


@pytest.mark.parametrize("scheduler", ["asha", "median"])
def test_a_scheduler_after_a_stop_decides_like_one_that_saw_it_all(tmp_path, dataset, monkeypatch, scheduler):
    sections = {"training": {"epochs": 10}, "method": {"warmup": 2}}
    sweep = sweep_of(tmp_path / "s", dataset, sections, scheduler=scheduler)
    trials = [propose(sweep, number, fs__scale=1.0 + number) for number in range(len(SCORES))]
    told = {
        trial.key: [[{"metrics": {"val/accuracy": score}} for score in scores]]
        for trial, scores in zip(trials, SCORES, strict=True)
    }
    monkeypatch.setattr(schedule, "read_histories", lambda _, trial: told[trial.key])
    live = scheduler_of(sweep, {})
    whole = []
    for trial, scores in zip(trials, SCORES, strict=True):
        whole.append(lives(live, trial.key, scores))
    assert {decisions[-1] for decisions in whole} == {STOP, CONTINUE}
    for stopped_after in (3, 5, 7):
        for trial, decisions in list(zip(trials, whole, strict=True))[:stopped_after]:
            status = "stopped" if decisions[-1] == STOP else "finished"
            write_outcome(trial, TrialOutcome(status, len(decisions)))
        again = scheduler_of(sweep, {})
        rest = list(zip(trials, SCORES, strict=True))[stopped_after:]
        assert [lives(again, trial.key, scores) for trial, scores in rest] == whole[stopped_after:]
    forgetful = schedule._make(sweep.settings, sweep.config, {})
    assert [lives(forgetful, trial.key, scores) for trial, scores in rest] != whole[7:]


def test_the_median_counts_what_has_ended_as_often_as_a_live_one(tmp_path, dataset, monkeypatch):
    sweep = sweep_of(tmp_path / "s", dataset, scheduler="median")
    trial, scores = propose(sweep, 0, fs__scale=1.0), [0.1, 0.2, 0.9]
    live = scheduler_of(sweep, {})
    lives(live, trial.key, scores)
    histories = [[{"metrics": {"val/accuracy": score}} for score in scores]]
    monkeypatch.setattr(schedule, "read_histories", lambda *_: histories)
    write_outcome(trial, TrialOutcome("finished", 3))
    assert list(scheduler_of(sweep, {})._results.values()) == list(live._results.values())


@pytest.mark.parametrize("status", ["failed", None])
def test_what_failed_or_is_under_way_is_no_measure(tmp_path, dataset, monkeypatch, status):
    sweep = sweep_of(tmp_path / "s", dataset, scheduler="asha")
    trial = propose(sweep, 0, fs__scale=1.0)
    if status:
        write_outcome(trial, TrialOutcome(status, 1, "x"))
    monkeypatch.setattr(schedule, "read_histories", lambda *_: pytest.fail("was asked"))
    scheduler_of(sweep, {})


def test_trials_that_reach_the_last_epoch_are_let_finish(tmp_path, dataset):
    for name, steps in (("asha", 2), ("none", 3)):
        sweep = sweep_of(tmp_path / name, dataset, scheduler=name, reduction_factor=steps, grace_period=1)
        assert lives(scheduler_of(sweep, {}), "a", [0.1, 0.2, 0.3]) == [CONTINUE] * 3
    assert type(scheduler_of(sweep, {})) is FIFOScheduler


def test_grace_without_anybody_who_ends_trials_early_is_a_mistake():
    with pytest.raises(
        ConfigError, match=r"--grace 3: nothing ends trials early; give --scheduler halving, asha or median too"
    ):
        check_scheduler(SweepConfig(space="s.py", grace_period=3), load(None), {})


@pytest.mark.parametrize(
    "names", [{"method.name": "umt"}, {"method.name": tune.choice(["sample", "umt"])}], ids=["given", "drawn"]
)
def test_settings_of_a_method_that_keeps_something_do_not_change(names):
    space = {**names, "method.settings.strength": tune.uniform(1, 9)}
    with pytest.raises(ConfigError, match=r"pbt: method\.settings of umt cannot change while a run goes on"):
        check_scheduler(SweepConfig(space="s.py", scheduler="pbt"), config(), space)
    check_scheduler(
        SweepConfig(space="s.py", scheduler="pbt"), config(), {**names, "optimizer.lr": tune.uniform(0, 1)}
    )
