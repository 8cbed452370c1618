"""A study in a tracking store: one run for it, one below it for each run of an arm, whatever the sessions."""

import pytest

from raymm.reports.run_tracking import run_info
from raymm.study.driver import run_study
from raymm.study.report import write_study_report
from raymm.study.tracking import StudyTracker
from raymm.training.run import open_run
from tests.study.studies import HereLane, study_of
from tests.sweeps import Store

SAMPLES = 60


@pytest.fixture
def store():
    return Store()


def session(study, store, dataset, lane=None, status="FINISHED"):
    record = StudyTracker(study, {"d": dataset}, store, "games")
    record.begin()
    results = run_study(study, [lane or HereLane()], record)
    record.close(status, write_study_report(results, study.path / "report"))
    return results


def test_one_run_a_study_with_its_report_and_one_a_run_of_an_arm(tmp_path, dataset, store):
    arms = {"joint": None, "wild": {"method": "joint", "optimizer.lr": 1e30, "optimizer.clip_norm": None}}
    study = study_of(tmp_path / "s", {"d": dataset}, arms, match="rows", to="joint", seeds=[4])
    results = session(study, store, dataset)
    parent = store.trackers[study.path]
    assert parent.info.key == study.key
    assert parent.info.params["study.match"] == "rows"
    assert parent.status == "FINISHED"
    names = [f"{folder}/{path.name}".removeprefix("/") for path, folder in parent.artifacts]
    assert names[:4] == ["report/report.md", "report/report.html", "report/runs.csv", "report/comparisons.csv"]
    assert {"study.yaml", "failed.json"} <= set(names)
    (run,) = results.runs
    child = store.trackers[run.path]
    assert child.info.parent_key == study.key
    assert child.info.key == open_run(run.path).key
    assert child.info.name == "d joint seed 4"
    assert child.info.params == {
        **run_info(open_run(run.path), dataset, "games").params,
        "study.data": "d",
        "study.arm": "joint",
    }
    assert child.status == "FINISHED"
    assert child.summary == pytest.approx({**run.metrics, "best/epoch": run.metrics["best/epoch"] + 1})
    assert len(child.epochs) == 4
    assert [path.name for path, _ in child.artifacts] == ["config.yaml", "result.json", "valuation-test.parquet"]
    assert len(store.trackers) == 2  # the pilot of `wild` failed, so that it has no run


def test_what_one_session_did_not_record_the_next_does_and_nothing_twice(tmp_path, dataset, store):
    study = study_of(tmp_path / "s", {"d": dataset}, ["joint"], seeds=[0, 1])
    run_study(study, [HereLane()], _Deaf())
    session(study, store, dataset)
    children = [tracker for folder, tracker in store.trackers.items() if folder != study.path]
    assert [child.status for child in children] == ["FINISHED", "FINISHED"]
    store.trackers.clear()
    session(study, store, dataset)
    assert list(store.trackers) == [study.path]


def test_a_run_that_failed_is_recorded_with_why_and_again_when_it_is_tried_again(tmp_path, dataset, store):
    arms = {"joint": None, "wild": {"method": "joint", "optimizer.lr": 1e30, "optimizer.clip_norm": None}}
    study = study_of(tmp_path / "s", {"d": dataset}, arms, seeds=[0])
    for _ in range(2):
        session(study, store, dataset)
        child = store.trackers[study.path / "runs/d/wild/seed-0"]
        assert child.status == "FAILED"
        assert child.tags["raymm.ended"].startswith("failed: ")
        assert child.info.parent_key == study.key


class _Deaf:
    def on_setup(self, text):
        assert text

    def on_run_start(self, job):
        assert not job.done

    def on_run_end(self, job, cause, seconds):
        assert not cause, (job, seconds)
