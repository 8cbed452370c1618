"""A study from its beginning to its results, in this process: order, matching, failures, and lanes that are lost."""

import json
import time
from collections import Counter

import pytest

from raymm.study.costs import cost_of_run
from raymm.study.failures import read_failures
from raymm.study.lanes import Task, run_tasks
from raymm.study.records import budgets_reached, read_results
from raymm.training.loop import Backends, train
from raymm.training.result import read_result
from raymm.training.run import create_or_open, open_run
from tests.games import settings, small_dataset
from tests.study.studies import SETTINGS, Events, HereLane, run_here, study_of, told

SAMPLES = 60


def test_every_run_is_the_run_that_raymm_train_makes(tmp_path, dataset):
    events = Events()
    study = study_of(tmp_path / "s", {"d": dataset}, ["joint", "random"])
    results = run_here(study, events=events)
    assert [(run.arm, run.seed) for run in results.runs] == [("joint", 0), ("joint", 1), ("random", 0), ("random", 1)]
    ended = [event[2:4] for event in events.ended if event[0] == "run"]
    assert ended == [("joint", 0), ("random", 0), ("joint", 1), ("random", 1)]
    assert (results.metric, results.higher, results.reference, results.pending) == ("accuracy", True, "joint", 0)
    alone = create_or_open(
        tmp_path / "r", settings(**{**SETTINGS, "method": {"name": "random", "warmup": 1}}), dataset
    )
    expected = train(alone, dataset, Backends())
    assert results.runs[2].metrics == expected.metrics
    assert results.runs[2].cost == cost_of_run(read_result(study.path / "runs/d/random/seed-0").history)


def test_warmups_that_arms_share_are_trained_once_and_change_no_bit(tmp_path, dataset):
    arms = {
        "joint": None,
        "sample": None,
        "late": {"method": "random", "method.warmup": 2},
        "loss": {"method": "tests.training.methods:Remembering"},
        "other": {"method": "random", "optimizer.lr": 0.01},
        "online": {"method": "sample", "valuation.source": "online"},
        "online_more": {"method": "sample", "valuation.source": "online", "method.settings.fs.scale": 3.0},
    }
    events = Events()
    study = study_of(tmp_path / "s", {"d": dataset}, arms)
    run_here(study, events=events)
    warm = [event for event in events.ended if event[0] == "warm-up"]
    assert [event[3] for event in warm] == [0, 0, 1, 1]
    starts = {path.parents[0].name: open_run(path).start for path in study.path.glob("runs/d/*/seed-0")}
    assert {arm: start and start.epoch for arm, start in starts.items()} == {
        "joint": 2,
        "sample": 1,
        "late": 2,
        "loss": None,
        "other": None,
        "online": 1,
        "online_more": 1,
    }
    for arm in arms:
        own = study_of(tmp_path / arm, {"d": dataset}, {arm: study.settings.arms[arm]})
        run_here(own)
        assert told(own.path) == {name: bits for name, bits in told(study.path).items() if f"/{arm}/" in name}


def test_what_is_finished_is_not_trained_again(tmp_path, dataset):
    study, lane = study_of(tmp_path / "s", {"d": dataset}, ["joint"]), HereLane()
    run_here(study, lane)
    before = told(study.path)
    again = HereLane()
    assert len(run_here(study, again).runs) == 2
    assert (len(lane.trained), again.trained) == (2, [])
    assert told(study.path) == before


def test_a_lane_that_is_lost_goes_on_from_the_last_commit(tmp_path, dataset):
    straight = study_of(tmp_path / "straight", {"d": dataset}, ["sample"])
    run_here(straight)
    lane, events = HereLane(losses=2), Events()
    study = study_of(tmp_path / "lost", {"d": dataset}, ["sample"])
    run_here(study, lane, events)
    assert told(study.path) == told(straight.path)
    assert len(lane.trained) == 4
    assert [text for text in events.setups if "was lost (SIGKILL)" in text]


def test_a_run_whose_lane_is_lost_too_often_fails_and_the_others_go_on(tmp_path, dataset):
    study = study_of(tmp_path / "s", {"d": dataset}, ["joint"], settings={**SETTINGS, "cluster": {"max_failures": 1}})
    results = run_here(study, HereLane(losses=2))
    assert [run.seed for run in results.runs] == [1]
    (failure,) = read_failures(study)
    assert failure.is_of("d", "joint", 0)
    assert "died 2 times (SIGKILL" in failure.cause


def test_an_arm_that_fails_does_not_end_the_study_and_is_tried_again(tmp_path, dataset):
    arms = {"joint": None, "wild": {"method": "joint", "optimizer.lr": 1e30, "optimizer.clip_norm": None}}
    study = study_of(tmp_path / "s", {"d": dataset}, arms)
    results = run_here(study)
    assert [run.arm for run in results.runs] == ["joint", "joint"]
    assert (results.pending, results.failed_runs) == (0, 2)
    assert len(results.failed) == 2
    assert results.failed[0].startswith("failed: d, wild, seed 0: ")
    lane = HereLane()
    assert len(run_here(study, lane).failed) == 2
    assert [path.parent.name for path in lane.trained] == ["wild", "wild"]


def test_an_arm_that_one_data_set_does_not_allow_fails_there_alone(tmp_path, dataset):
    other = small_dataset(tmp_path / "e", 80)
    data = {
        "d": {"path": str(dataset.path), "settings": {"valuation.utility": "logit"}},
        "e": {"path": str(other.path)},
    }
    study = study_of(tmp_path / "s", {"d": dataset}, ["joint", "sample"], data=data, seeds=[0, 1, 2])
    results = run_here(study)
    assert (len(results.runs), results.pending, len(results.failed), results.failed_runs) == (9, 0, 1, 3)
    assert {(run.data, run.arm) for run in results.runs} == {("d", "joint"), ("e", "joint"), ("e", "sample")}
    assert (
        "failed: d, sample, all seeds: method=sample: valuation.utility=logit has no fair share" in results.failed[0]
    )


@pytest.mark.parametrize("by", ["rows", "encodings", "seconds"])
def test_arms_get_the_epochs_that_cost_what_the_named_arm_used(tmp_path, dataset, by):
    more = {"match": by, "settings": {**SETTINGS, "training": {**SETTINGS["training"], "epochs": 6}}}
    study = study_of(tmp_path / "s", {"d": dataset}, ["joint", "sample", "multi=random"], **more)
    events = Events()
    results = run_here(study, events=events)
    first = [(kind, arm) for kind, _, arm, _, _ in events.ended]
    assert first[:2] == [("run", "sample"), ("run", "sample")]
    if by == "seconds":
        assert sorted(first[2:5]) == [("pilot", "joint_matched"), ("pilot", "multi"), ("pilot", "sample")]
    else:
        assert first[2:4] == [("pilot", "multi"), ("pilot", "joint_matched")]
    runs = {(run.arm, run.seed): run for run in results.runs}
    assert len(runs) == 8
    assert len(runs["joint", 0].history) == len(runs["sample", 0].history) == 6
    if by == "seconds":
        return
    budget = (runs["sample", 0].cost[by] + runs["sample", 1].cost[by]) / 2  # the median of two
    reached = budgets_reached(study, results.runs)
    assert set(reached) == {("d", "multi"), ("d", "joint_matched")}
    for arm in ("multi", "joint_matched"):
        own = [runs[arm, seed] for seed in (0, 1)]
        used = sum(run.cost[by] for run in own) / 2
        assert reached["d", arm] == pytest.approx(used / budget)
        assert abs(used - budget) <= 0.75 * max(run.cost[by] for run in own) / len(own[0].history) * 2
    assert results.about["joint_matched"].startswith(f"{by} of sample: ")


def test_the_report_names_arms_that_are_not_near_their_budget(tmp_path, dataset):
    more = {"match": "encodings", "settings": {**SETTINGS, "training": {**SETTINGS["training"], "epochs": 8}}}
    study = study_of(tmp_path / "s", {"d": dataset}, ["joint", "sample", "umt"], seeds=[0], **more)
    results = run_here(study)
    runs = {run.arm: run for run in results.runs}
    used = runs["umt"].cost["encodings"]
    over = used / runs["sample"].cost["encodings"]
    assert over > 1.2  # teachers encode every row once more in the second stage, which the pilot does not reach
    assert f"not near this budget (0.9 to 1.1 of it) are umt on d {over:.3g} of it" in results.facts["matched"]
    file = study.path / "pilots.json"
    decided = json.loads(file.read_text())
    for part, far in ((0.89, True), (0.91, False), (1.09, False), (1.11, True)):
        for match in decided["matches"]:
            own = runs[match["arm"]].cost["encodings"]
            match["budget"] = own / (part if match["arm"] == "umt" else 1.0)
        file.write_text(json.dumps(decided))
        said = read_results(study).facts["matched"]
        assert said.endswith(f"are umt on d {part} of it") == far
        assert ("not near" in said) == far


def test_epochs_that_were_decided_stay(tmp_path, dataset):
    study = study_of(tmp_path / "s", {"d": dataset}, ["joint", "sample"], match="rows", seeds=[0])
    run_here(study)
    file = study.path / "pilots.json"
    decided = json.loads(file.read_text())
    decided["matches"][0]["epochs"] = 2
    file.write_text(json.dumps(decided))
    (study.path / "runs/d/joint_matched").rename(study.path / "away")
    events = Events()
    results = run_here(study, events=events)
    assert [event[:3] for event in events.ended] == [("run", "d", "joint_matched")]
    assert len(next(run for run in results.runs if run.arm == "joint_matched").history) == 2


def test_where_the_budget_is_not_known_the_matched_arms_fail_and_joint_is_trained(tmp_path, dataset):
    wild = {"optimizer.lr": 1e30, "optimizer.clip_norm": None}
    arms = {"joint": None, "sample": wild, "random": None}
    results = run_here(study_of(tmp_path / "s", {"d": dataset}, arms, match="rows", seeds=[0]))
    assert [run.arm for run in results.runs] == ["joint"]
    assert any(
        "random, all seeds: its budget is that of sample, which did not finish on d" in f for f in results.failed
    )


def test_a_pilot_that_fails_is_no_run_and_is_not_of_all_seeds(tmp_path, dataset):
    class NoPilots(HereLane):
        def train(self, path, until):
            return "no space left" if path.parents[1].name == "pilots" else super().train(path, until)

    study = study_of(tmp_path / "s", {"d": dataset}, ["joint", "sample"], match="rows")
    results = run_here(study, NoPilots())
    assert results.failed == (
        "failed: d, joint_matched, pilot: no space left",
        "failed: d, joint_matched, all seeds: its pilot did not finish, so its epochs are not known",
    )
    assert (len(results.runs), results.failed_runs, results.pending) == (4, 2, 0)
    pilot, arm = read_failures(study)
    assert not pilot.is_of("d", "joint_matched", 0)
    assert arm.is_of("d", "joint_matched", 0)


@pytest.mark.parametrize("by", [pytest.param("rows", marks=pytest.mark.long), "cpu_seconds"])
def test_a_study_that_is_left_among_its_pilots_measures_seconds_anew(tmp_path, dataset, by):
    class Interrupted(HereLane):
        """A lane that is interrupted in the last epoch of the pilot of `multi`."""

        def train(self, path, until):
            if (path.parents[1].name, path.name) == ("pilots", "multi"):
                super().train(path, until - 1)
                raise KeyboardInterrupt
            return super().train(path, until)

    study = study_of(tmp_path / "s", {"d": dataset}, ["joint", "sample", "agm", "multi=random"], match=by)
    with pytest.raises(KeyboardInterrupt):
        run_here(study, Interrupted())
    assert not (study.path / "pilots.json").exists()
    events = Events()
    run_here(study, events=events)
    trained = [arm for kind, _, arm, _, _ in events.ended if kind == "pilot"]
    if by == "rows":
        assert trained == ["multi", "joint_matched"]
        return
    times = [tuple(trained[start : start + 4]) for start in (0, 4, 8)]
    assert all(sorted(each) == ["agm", "joint_matched", "multi", "sample"] for each in times)
    assert len(trained) == 12
    assert len(set(times)) > 1  # neighbours change


class Uneven(HereLane):
    """A lane of a machine that is a hundred times slower one of three times, and slower in its first runs."""

    def __init__(self, tick, loud):
        super().__init__()
        self.tick, self.loud, self.times = tick, loud, Counter()

    def train(self, path, until):
        if path.parents[1].name == "pilots":
            self.tick[:] = [100.0 if self.times[path.name] == self.loud else 1.0]
            self.times[path.name] += 1
        else:
            self.tick[:] = [1.0] * 9 + [7.0] * 5
        return super().train(path, until)


@pytest.mark.parametrize(
    "loud", [pytest.param(0, marks=pytest.mark.long), pytest.param(1, marks=pytest.mark.long), 2]
)
def test_a_machine_whose_speed_changes_changes_no_epochs(tmp_path, dataset, monkeypatch, loud):
    now, tick = [0.0], [1.0]

    def ticks():
        now[0] += tick.pop() if len(tick) > 1 else tick[0]
        return now[0]

    monkeypatch.setattr(time, "process_time", ticks)
    decided, uneven = [], Uneven(tick, loud)
    for name, lane in (("even", HereLane()), ("uneven", uneven)):
        tick[:] = [1.0]
        study = study_of(tmp_path / name, {"d": dataset}, ["joint", "sample"], match="cpu_seconds", seeds=[0])
        run_here(study, lane)
        decided += json.loads((study.path / "pilots.json").read_text())["matches"]
    first, second = decided
    assert uneven.times == {"joint_matched": 3, "sample": 3}
    assert second["epochs"] == first["epochs"] == 4
    assert first["slower"] == pytest.approx(1.0, abs=0.1)  # this clock ticks for epochs, not for encoder rows
    times = second["slower"] / first["slower"]
    assert times > 1.5
    for name in ("budget", "before", "after", "expected"):
        assert second[name] == pytest.approx(first[name] * times)


class Failing(HereLane):
    """A lane that loses a pilot each time from the n-th on."""

    def __init__(self, arm, since):
        super().__init__()
        self.arm, self.since, self.times = arm, since, 0

    def train(self, path, until):
        if path.parents[1].name == "pilots" and path.name == self.arm:
            self.times += 1
            if self.times >= self.since:
                return "no space left"
        return super().train(path, until)


@pytest.mark.parametrize(
    ("arm", "since", "cause"),
    [
        ("joint_matched", 2, ""),
        ("joint_matched", 1, "its pilot did not finish, so its epochs are not known"),
        ("sample", 1, "the pilot of sample did not finish on d, so it is not known how fast its runs were"),
    ],
)
def test_of_pilots_in_seconds_those_count_that_finished(tmp_path, dataset, arm, since, cause):
    study = study_of(tmp_path / "s", {"d": dataset}, ["joint", "sample"], match="cpu_seconds", seeds=[0])
    results = run_here(study, Failing(arm, since))
    said = [f"failed: d, {arm}, pilot: no space left", f"failed: d, joint_matched, all seeds: {cause}"]
    assert list(results.failed) == (said if cause else [])
    assert ("joint_matched" in {run.arm for run in results.runs}) == (not cause)


@pytest.mark.parametrize("to", ["umt", "pretrained"])
def test_stages_of_the_named_arm_are_no_change_of_the_machine(tmp_path, dataset, monkeypatch, to):
    now = [0.0]

    def ticks():
        now[0] += 1.0
        return now[0]

    monkeypatch.setattr(time, "process_time", ticks)
    more = {"to": to, "settings": {**SETTINGS, "training": {**SETTINGS["training"], "epochs": 8}}}
    study = study_of(tmp_path / "s", {"d": dataset}, ["joint", to], match="cpu_seconds", seeds=[0], **more)
    run_here(study)
    (match,) = json.loads((study.path / "pilots.json").read_text())["matches"]
    assert match["slower"] == pytest.approx(1.0)


def test_a_pilot_that_cannot_be_removed_fails_alone(tmp_path, dataset, monkeypatch):
    def refused(job):
        if job.arm == "agm":
            raise PermissionError(13, "Permission denied", str(job.path))

    monkeypatch.setattr("raymm.study.session.remove", refused)
    study = study_of(tmp_path / "s", {"d": dataset}, ["joint", "sample", "agm"], match="cpu_seconds", seeds=[0])
    results = run_here(study)
    assert {run.arm for run in results.runs} == {"joint", "sample", "joint_matched"}
    assert [line.split(":")[1] for line in results.failed] == [" d, agm, pilot", " d, agm, all seeds"]


def test_arms_that_are_decided_later_get_the_same_budget(tmp_path, dataset):
    study = study_of(tmp_path / "s", {"d": dataset}, ["joint", "sample", "agm"], match="cpu_seconds", seeds=[0])
    run_here(study, Failing("agm", 1))
    run_here(study)
    decided = json.loads((study.path / "pilots.json").read_text())
    assert {match["arm"]: match["budget"] for match in decided["matches"]} == dict.fromkeys(
        ["agm", "joint_matched"], decided["budgets"]["d"]
    )


def test_lanes_share_the_tasks_and_an_error_of_a_lane_itself_is_raised(tmp_path):
    class Counting(HereLane):
        def train(self, path, until):
            assert until is None
            self.trained.append(path.name)
            return ""

    lanes = [Counting(), Counting(), Counting()]
    ended = list(run_tasks(lanes, [Task(tmp_path / str(i)) for i in range(20)]))
    assert sorted(name for lane in lanes for name in lane.trained) == sorted(map(str, range(20)))
    assert {end.cause for end in ended} == {""}

    class Broken(HereLane):
        def train(self, path, until):
            raise OSError(f"no process for {path} {until}")

    with pytest.raises(OSError, match="no process"):
        list(run_tasks([Broken()], [Task(tmp_path)]))
