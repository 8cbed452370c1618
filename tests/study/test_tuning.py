"""Tuning: as many trials of every arm, chosen on validation, without a look at test; the same draws every time."""

import json

import pytest

from raymm.config.loading import parse
from raymm.config.registries import METHODS
from raymm.study.tuning import draws
from raymm.training.run import open_run
from tests.study.studies import SETTINGS, Events, HereLane, run_here, study_of

SAMPLES = 60


@pytest.fixture(scope="module")
def tuned(tmp_path_factory, dataset):
    """A study of two arms with three trials each, and what was told of it."""
    events = Events()
    study = study_of(tmp_path_factory.mktemp("tuned") / "s", {"d": dataset}, ["joint", "sample"], seeds=[5], tune=3)
    return study, run_here(study, events=events), events


def test_every_arm_gets_as_many_trials_of_a_seed_that_is_not_the_studys(tuned):
    study, results, events = tuned
    assert [event[2:4] for event in events.ended if event[0].startswith("trial")] == [
        *[("joint", 1005)] * 3,
        *[("sample", 1005)] * 3,
    ]
    assert not list(study.path.glob("tuning/**/result"))  # test was not read
    assert "3 trials of every arm" in results.facts["tuned"]


def test_the_best_on_validation_is_what_the_runs_are_trained_with(tuned):
    study, results, _ = tuned
    arms = json.loads((study.path / "tuning.json").read_text())["arms"]
    assert [(arm["data"], arm["arm"]) for arm in arms] == [("d", "joint"), ("d", "sample")]
    for arm, run in zip(arms, results.runs, strict=True):
        scores = []
        for number in range(3):
            folder = study.path / "tuning/d" / arm["arm"] / f"trial-{number}" / "epochs"
            last = json.loads((folder / "epoch-00004" / "state.json").read_text())
            scores.append(max(entry["metrics"]["val/accuracy"] for entry in last["history"]))
        assert [trial["score"] for trial in arm["trials"]] == scores
        assert arm["chosen"] == scores.index(max(scores))
        config = open_run(run.path).config
        drawn = arm["trials"][arm["chosen"]]["settings"]
        assert config.optimizer.lr == drawn.get("optimizer.lr", 0.005)
        assert config.training.seed == 5


def test_what_was_chosen_stays_when_the_study_goes_on(tuned):
    study, results, _ = tuned
    file = study.path / "tuning.json"
    before = file.read_text()
    lane = HereLane()
    assert run_here(study, lane).runs == results.runs
    assert lane.trained == []
    assert file.read_text() == before


class FullDisk(HereLane):
    """A lane on which a trial of `sample` fails."""

    def train(self, path, until):
        if (path.parent.name, path.name) == ("sample", "trial-1"):
            return "no space left"
        return super().train(path, until)


@pytest.fixture
def lacking(tmp_path, dataset):
    """A study of which a trial of `sample` has failed, and its results."""
    study = study_of(tmp_path / "s", {"d": dataset}, ["joint", "sample"], seeds=[5], tune=2, match="rows")
    return study, run_here(study, FullDisk())


def test_an_arm_of_which_a_trial_failed_is_not_trained_before_that_is_tried_again(lacking):
    study, results = lacking
    assert {run.arm for run in results.runs} == {"joint"}
    assert not (study.path / "runs/d/sample").exists()
    assert (len(results.runs), results.failed_runs, results.pending) == (1, 2, 0)  # that of joint_matched hangs on it
    assert results.failed[0] == "failed: d, sample, trial 1: no space left"
    assert any(
        "d, sample, all seeds: 1 of 2 trials finished, so that its settings" in line for line in results.failed
    )
    assert "finished were only 1 of 2 of sample on d" in results.facts["tuned"]
    lane = HereLane()
    again = run_here(study, lane)
    assert lane.trained[0] == study.path / "tuning/d/sample/trial-1"
    assert {run.arm for run in again.runs} == {"joint", "sample", "joint_matched"}
    assert (again.failed, again.pending) == ((), 0)
    assert "only" not in again.facts["tuned"]
    arm = next(arm for arm in json.loads((study.path / "tuning.json").read_text())["arms"] if arm["arm"] == "sample")
    scores = [trial["score"] for trial in arm["trials"]]
    assert arm["chosen"] == scores.index(max(scores))


def test_a_trial_that_fails_again_leaves_the_choice_to_the_others_and_the_report_says_so(lacking):
    study, _ = lacking
    results = run_here(study, FullDisk())
    assert {run.arm for run in results.runs} == {"joint", "sample", "joint_matched"}
    assert (results.failed, results.failed_runs) == (("failed: d, sample, trial 1: no space left",), 0)
    assert "finished were only 1 of 2 of sample on d" in results.facts["tuned"]
    sample = next(run for run in results.runs if run.arm == "sample")
    assert open_run(sample.path).config.optimizer.lr == 0.005  # of trial 0
    lane = FullDisk()
    assert run_here(study, lane).runs == results.runs
    assert lane.trained == []


def test_draws_are_keyed_and_arms_are_tried_at_the_same_learning_rates():
    joint, sample = (parse({**SETTINGS, "method": {"name": name, "warmup": 1}}) for name in ("joint", "sample"))
    one, other = draws(joint, 20, 3), draws(sample, 20, 3)
    assert one == draws(joint, 20, 3)
    assert one != draws(joint, 20, 4)
    assert one[0] == other[0] == {}
    assert draws(joint, 20, 3)[:6] == draws(joint, 6, 3)
    rates = [trial["optimizer.lr"] for trial in one[1:]]
    assert rates == [trial["optimizer.lr"] for trial in other[1:]]
    assert min(rates) >= 0.001
    assert max(rates) <= 0.025
    assert len(set(rates)) == 19
    assert {trial["method.settings.fs.scale"] for trial in other[1:]} == {1.0, 2.0, 4.0}
    assert draws(sample, 3, 3, {"method.settings.fs.scale"})[1:] == one[1:3]


def test_what_methods_say_is_worth_tuning_they_read():
    named = 0
    for name in METHODS:
        for setting, values in METHODS.get(name).tuned:
            for value in values:
                nested = value
                for part in reversed(setting.split(".")):
                    nested = {part: nested}
                read = parse({"method": {"name": name, "settings": nested}}).model_dump()["method"]["settings"]
                for part in setting.split("."):
                    read = read[part]
                assert read == value, (name, setting)
                named += 1
    assert named > 20
