"""A study in a tracking store: one run for it, one below it for each run of an arm, whatever the sessions."""

import time
from contextlib import suppress

import pytest

from raymm.reports.run_about import data_of
from raymm.reports.run_tracking import run_info
from raymm.study.driver import run_study
from raymm.study.report import study_verdict, verdict_markdown, write_study_report
from raymm.study.tracking import StudyTracker
from raymm.tracking import NullTracker
from raymm.training.run import open_run
from raymm.training.whole_runs import train_folder
from tests.studies import record, results_of
from tests.study.studies import HereLane, study_of
from tests.sweeps import Store

SAMPLES = 60


@pytest.fixture
def store():
    return Store()


def session(study, store, dataset, lane=None, status="FINISHED", pages=None):
    record = StudyTracker(study, {"d": dataset}, store, "games", pages)
    record.begin()
    results = run_study(study, [lane or HereLane()], record)
    record.close(status, write_study_report(results, study.path / "report"), verdict_markdown(results))
    return results


def test_one_run_a_study_with_its_report_and_one_a_run_of_an_arm(tmp_path, dataset, store):
    arms = {"joint": None, "wild": {"method": "joint", "optimizer.lr": 1e30, "optimizer.clip_norm": None}}
    study = study_of(tmp_path / "s", {"d": dataset}, arms, match="rows", to="joint", seeds=[4])
    results = session(study, store, dataset)
    parent = store.trackers[study.path]
    assert parent.info.key == study.key
    assert parent.info.params["study.match"] == "rows"
    assert parent.info.data == (data_of(dataset, "d"),)
    assert parent.status == "FINISHED"
    assert parent.summary == {"runs/finished": 1.0, "runs/failed": 1.0, "runs/stopped": 0.0}
    said, lines = study_verdict(results)
    what, links, shown = parent.description.split("\n\n")
    assert (what, shown, lines) == ("Study of 2 arms on d, 1 seed each.", f"**{said}.**", [])
    assert links.startswith("[Compare the runs](children:test/accuracy); `report/report.html` among the artifacts")
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
    assert child.info.data == run_info(open_run(run.path), dataset, "games").data
    assert child.info.data[0].digest == parent.info.data[0].digest
    assert child.summary == pytest.approx({**run.metrics, "best/epoch": run.metrics["best/epoch"] + 1})
    assert len(child.epochs) == 4
    assert child.epochs[4]["system/system_memory_usage_percentage"] > 0
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


class _Waits(HereLane):
    """Trains an epoch, and the rest when `seen` says of the folder that it was seen; without, is interrupted."""

    def __init__(self, seen=None):
        super().__init__()
        self.seen = seen

    def train(self, path, until):
        train_folder(path, 1)
        if self.seen is None:
            raise KeyboardInterrupt
        end = time.monotonic() + 30
        while not self.seen(path):
            assert time.monotonic() < end
            time.sleep(0.01)
        return train_folder(path, until)


def test_the_verdicts_are_a_list_that_ends(monkeypatch):
    results = results_of([record("d", arm, seed, 0.5) for arm in ("joint", "sample", "class") for seed in (0, 1)])
    said, lines = study_verdict(results)
    assert len(lines) > 1
    assert verdict_markdown(results).splitlines() == [f"**{said}.**", "", *(f"- {line}" for line in lines)]
    monkeypatch.setattr("raymm.study.report.MOST_LINES", 1)
    assert verdict_markdown(results).splitlines()[2:] == [
        f"- {lines[0]}",
        f"- and {len(lines) - 1} more in the report",
    ]


def test_epochs_are_recorded_while_the_run_is_trained(tmp_path, dataset, store, monkeypatch):
    monkeypatch.setattr("raymm.study.tracking.EVERY", 0.01)
    study = study_of(tmp_path / "s", {"d": dataset}, ["joint"], seeds=[0])
    found = []

    def seen(path):
        tracker = store.trackers.get(path)
        found[:] = [(tracker.status, tracker.tags["raymm.ended"], sorted(tracker.epochs))] if tracker else []
        return bool(tracker and tracker.epochs)

    session(study, store, dataset, _Waits(seen))
    assert found == [(None, "running", [1])]
    (child,) = (tracker for folder, tracker in store.trackers.items() if folder != study.path)
    assert (child.status, child.tags["raymm.ended"], sorted(child.epochs)) == ("FINISHED", "finished", [1, 2, 3, 4])
    assert all("system/disk_usage_percentage" in child.epochs[epoch] for epoch in (1, 4))


def test_a_run_that_was_interrupted_is_so_in_the_store_until_it_goes_on(tmp_path, dataset, store):
    study = study_of(tmp_path / "s", {"d": dataset}, ["joint"], seeds=[0])
    record = StudyTracker(study, {"d": dataset}, store, "games")
    record.begin()
    with suppress(KeyboardInterrupt):
        run_study(study, [_Waits()], record)
    record.close("KILLED")
    child = store.trackers[study.path / "runs/d/joint/seed-0"]
    assert (child.status, sorted(child.epochs)) == ("KILLED", [1])
    assert child.tags["raymm.ended"] == "interrupted; the same command goes on with it"
    parent = store.trackers[study.path]
    assert (parent.status, parent.summary["runs/stopped"], parent.description) == ("KILLED", 1.0, None)
    session(study, store, dataset)
    assert (child.status, child.tags["raymm.ended"], sorted(child.epochs)) == ("FINISHED", "finished", [1, 2, 3, 4])


def test_pages_of_runs_are_recorded_where_they_are_asked_for(tmp_path, dataset, store):
    study = study_of(tmp_path / "s", {"d": dataset}, ["joint"], seeds=[0, 1])
    paged = []

    def pages(tracker, run, result, data, findings):
        assert tracker is store.trackers[run.path]
        assert tracker.status is None
        assert (data, sorted(result.metrics)) == (dataset, sorted(tracker.summary))
        paged.append((run.path.name, isinstance(findings, list)))

    session(study, store, dataset, pages=pages)
    assert sorted(paged) == [("seed-0", True), ("seed-1", True)]


def test_without_a_store_nobody_looks_at_what_is_trained(tmp_path, dataset, monkeypatch):
    monkeypatch.setattr("raymm.study.tracking.EVERY", 0.01)
    monkeypatch.setattr(StudyTracker, "_follow", lambda _: pytest.fail("it looked"))
    study = study_of(tmp_path / "s", {"d": dataset}, ["joint"], seeds=[0])
    session(study, lambda _: NullTracker(), dataset)
    assert not list(study.path.rglob("outbox"))


class _Deaf:
    def on_setup(self, text):
        assert text

    def on_run_start(self, job):
        assert not job.done

    def on_run_end(self, job, cause, seconds):
        assert not cause, (job, seconds)
