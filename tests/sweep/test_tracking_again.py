"""A sweep that is recorded in several sessions, and by trackers that fail."""

import json

from raymm.errors import TrackingError
from raymm.sweep.runs import branch_runs, current_paths, open_runs
from raymm.sweep.space import resolve
from raymm.tracking import MemoryTracker
from tests.sweeps import Store, finish, follow, propose, session, sweep_of, train_until

SAMPLES = 90


def spoil(monkeypatch, **scores):
    """Let trials score as a test wants, by number."""
    from raymm.sweep import tracking as sweep_record

    plain = sweep_record.trial_rows

    def rows(sweep):
        made = plain(sweep)
        for row in made:
            object.__setattr__(row, "scores", (scores[f"t{row.number}"],))
        return made

    monkeypatch.setattr(sweep_record, "trial_rows", rows)


def test_a_resumed_sweep_takes_the_crown_from_the_trial_that_had_it(tmp_path, dataset, monkeypatch):
    sweep = sweep_of(tmp_path / "s", dataset)
    trials = [propose(sweep, number, fs__scale=1.0 + number) for number in range(3)]
    store = Store()
    spoil(monkeypatch, t0=0.5, t1=0.6, t2=0.4)
    record = session(sweep, dataset, store)
    follow(record, trials[0], finish(sweep, trials[0], dataset))
    record.close("KILLED")
    assert store.of(trials[0]).tags["raymm.best"] == "true"
    keys = {trial.name: store.of(trial).info.key for trial in trials[:1]}
    for trial, best in ((trials[1], "true"), (trials[2], None)):
        record = session(sweep, dataset, store)
        follow(record, trial, finish(sweep, trial, dataset))
        record.close("FINISHED")
        assert store.of(trial).tags.get("raymm.best") == best
        assert store.of(trials[0]).tags["raymm.best"] == "false"
    assert store.of(trials[1]).tags["raymm.best"] == "true"
    assert (store.of(trials[0]).status, store.of(trials[0]).tags["raymm.ended"]) == ("FINISHED", "finished")
    assert store.of(trials[0]).info.key == keys[trials[0].name]
    parent = store.trackers[sweep.path]
    assert (parent.tags["raymm.best_trial"], parent.summary["best/score"]) == (trials[1].name, 0.6)
    assert json.loads((sweep.path / "summary" / "best.json").read_text())["key"] == trials[1].key


def test_what_ended_unrecorded_is_recorded_when_the_sweep_goes_on(tmp_path, dataset):
    sweep = sweep_of(tmp_path / "s", dataset)
    trial = propose(sweep, 0, fs__scale=1.0)
    finish(sweep, trial, dataset)
    store = Store()
    session(sweep, dataset, store).close("FINISHED")
    assert store.of(trial).status == "FINISHED"
    assert sorted(store.of(trial).epochs) == [1, 2, 3]


def test_an_interrupted_trial_goes_on_as_the_same_run(tmp_path, dataset):
    sweep = sweep_of(tmp_path / "s", dataset)
    trial = propose(sweep, 0, fs__scale=1.0)
    store = Store()
    train_until(open_runs(sweep, trial, dataset), dataset, 1)
    record = session(sweep, dataset, store)
    record.on_trial_start(trial)
    record.on_epoch(trial, 1)
    record.close("KILLED")
    first = dict(store.of(trial).epochs)
    record = session(sweep, dataset, store)
    follow(record, trial, finish(sweep, trial, dataset))
    record.close("FINISHED")
    tracker = store.of(trial)
    assert (tracker.status, tracker.tags["raymm.ended"]) == ("FINISHED", "finished")
    assert (sorted(first), sorted(tracker.epochs)) == ([1], [1, 2, 3])
    assert tracker.epochs[1] == first[1]


def test_settings_that_changed_on_the_way_are_named(tmp_path, dataset):
    sweep = sweep_of(tmp_path / "s", dataset, {"training": {"epochs": 3, "keep": 3}})
    one, two = propose(sweep, 0, fs__scale=1.0), propose(sweep, 1, fs__scale=3.0)
    train_until(open_runs(sweep, one, dataset), dataset, 2)
    changed = resolve(sweep.config, {"method.settings.fs.scale": 1.2})
    branch_runs(sweep, two, changed, current_paths(sweep, one), 2, dataset)
    store = Store()
    record = session(sweep, dataset, store)
    for trial in (one, two):
        follow(record, trial, finish(sweep, trial, dataset))
    record.close("FINISHED")
    assert store.of(two).tags["raymm.changed_to"] == "method.settings.fs.scale=1.2"
    assert store.of(two).info.params["method.settings.fs.scale"] == 3.0
    assert "raymm.changed_to" not in store.of(one).tags


class Broken(MemoryTracker):
    """Raises at whatever it is told."""

    def log_epoch(self, epoch, metrics):
        raise TrackingError(f"epoch {epoch}, {len(metrics)} metrics: the store is full")

    def log_summary(self, metrics):
        raise OSError(f"{len(metrics)} metrics: no space left on device")


def test_a_tracker_that_raises_stops_nothing_and_is_said(tmp_path, dataset, caplog):
    sweep = sweep_of(tmp_path / "s", dataset)
    trial = propose(sweep, 0, fs__scale=1.0)

    def make(folder):
        return MemoryTracker() if folder == sweep.path else Broken()

    record = session(sweep, dataset, make)
    follow(record, trial, finish(sweep, trial, dataset))
    rows = record.close("FINISHED")
    assert [row.status for row in rows] == ["finished"]
    assert "s: could not be recorded" in caplog.text
    assert "the store is full" in caplog.text
    assert record.parent.status == "FINISHED"
    assert record.parent.tags["raymm.best_trial"] == trial.name


def test_a_parent_that_raises_at_the_end_loses_no_rows(tmp_path, dataset, caplog):
    sweep = sweep_of(tmp_path / "s", dataset)
    trial = propose(sweep, 0, fs__scale=1.0)
    record = session(sweep, dataset, lambda folder: Broken() if folder == sweep.path else MemoryTracker())
    follow(record, trial, finish(sweep, trial, dataset))
    assert [row.status for row in record.close("FINISHED")] == ["finished"]
    assert "no space left on device" in caplog.text
    assert record.parent.status == "FINISHED"
    assert (sweep.path / "summary" / "trials.csv").exists()
