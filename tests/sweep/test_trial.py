"""What a trial does and tells Tune, without Tune: training takes place in this process."""

import json
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import pytest

from raymm.errors import ClusterError, TrainingError
from raymm.sweep import trial as module
from raymm.sweep.reported import CAUSE, EPOCHS, SCORE, STATUS
from raymm.sweep.runs import current_config, current_paths, open_runs, score_at, warmup_epochs_done
from raymm.sweep.trial import run_trial, run_warmup
from raymm.training.checkpoint import read_history
from raymm.training.loop import Backends, iter_epochs
from raymm.training.result import read_result
from tests.sweeps import propose, sweep_of, train_until

SAMPLES = 90

SCALE = "method.settings.fs.scale"


class Pointer:
    """A checkpoint of Tune."""

    def __init__(self, folder):
        self.pointer = json.loads((Path(folder) / "pointer.json").read_text())

    @contextmanager
    def as_directory(self):
        with TemporaryDirectory() as folder:
            (Path(folder) / "pointer.json").write_text(json.dumps(self.pointer))
            yield folder


@pytest.fixture
def tuned(monkeypatch):
    """Tune's part: what it was told, and the checkpoint that it gives."""
    told = SimpleNamespace(results=[], pointers=[], checkpoint=None)

    def report(result, checkpoint=None):
        told.results.append(result)
        if checkpoint is not None:
            told.pointers.append(checkpoint)

    def train_together(runs, reports, storage, restarts, until=None):
        ongoing = [iter_epochs(run, run.dataset(), Backends()) for run in runs]
        for states in zip(*ongoing, strict=True):
            if states[0].epoch:
                reports([state.history for state in states])
            if until is not None and states[0].epoch >= until:
                return

    monkeypatch.setattr(module.tune, "report", report)
    monkeypatch.setattr(module.tune, "get_checkpoint", lambda: told.checkpoint)
    monkeypatch.setattr(module.tune.Checkpoint, "from_directory", Pointer)
    monkeypatch.setattr(module, "train_together", train_together)
    return told


def given(sweep, trial, **more):
    return {"sweep": str(sweep.path), "trial": trial.name, **more}


def test_every_epoch_is_told_once_and_the_last_one_with_the_end(tmp_path, dataset, tuned):
    sweep = sweep_of(tmp_path / "s", dataset, seeds=(3, 5))
    trial = propose(sweep, 0, fs__scale=1.0)
    run_trial(given(sweep, trial))
    hiepochs = [read_result(path).history for path in current_paths(sweep, trial)]
    scores = [score_at(hiepochs, epochs, "accuracy") for epochs in (1, 2, 3)]
    assert [(result[EPOCHS], result[SCORE]) for result in tuned.results] == list(enumerate(scores, 1))
    assert [result.get(STATUS) for result in tuned.results] == [None, None, "finished"]
    assert tuned.pointers == []
    log = (trial.path / "trial.log").read_text()
    assert f"{trial.name}: 2 runs, from the start" in log
    assert "epoch 2, score" in log


def test_a_trial_that_was_started_again_tells_its_history_from_the_beginning(tmp_path, dataset, tuned):
    sweep = sweep_of(tmp_path / "s", dataset)
    trial = propose(sweep, 0, fs__scale=1.0)
    train_until(open_runs(sweep, trial, dataset), dataset, 2)
    run_trial(given(sweep, trial))
    assert [result[EPOCHS] for result in tuned.results] == [1, 2, 3]
    run_trial(given(sweep, trial))
    assert [result[EPOCHS] for result in tuned.results[3:]] == [1, 2, 3]
    assert tuned.results[3:] == tuned.results[:3]


def test_a_trial_that_is_promoted_goes_on_and_tells_each_epoch_once(tmp_path, dataset, tuned):
    sweep = sweep_of(tmp_path / "s", dataset, scheduler="halving")
    trial = propose(sweep, 0, fs__scale=1.0)
    run_trial(given(sweep, trial, until=1))
    assert [(result[EPOCHS], result.get(STATUS)) for result in tuned.results] == [(1, None), (1, "waiting")]
    run_trial(given(sweep, trial, until=2))
    assert [(result[EPOCHS], result.get(STATUS)) for result in tuned.results[2:]] == [(2, None), (2, "waiting")]
    (path,) = current_paths(sweep, trial)
    assert not (path / "result").exists()
    run_trial(given(sweep, trial, until=None))
    assert [(result[EPOCHS], result.get(STATUS)) for result in tuned.results[4:]] == [(3, "finished")]
    scores = [score_at([read_result(path).history], epochs, "accuracy") for epochs in (1, 2, 3)]
    assert [result[SCORE] for result in tuned.results] == [scores[0], scores[0], scores[1], scores[1], scores[2]]


def test_a_mistake_ends_the_trial_and_a_lost_worker_is_raised(tmp_path, dataset, tuned, monkeypatch):
    sweep = sweep_of(tmp_path / "s", dataset)
    trial = propose(sweep, 0, fs__scale=1.0)

    def fails(error):
        def train_together(*_, **__):
            raise error

        monkeypatch.setattr(module, "train_together", train_together)

    fails(TrainingError("the loss is nan"))
    run_trial(given(sweep, trial))
    assert tuned.results == [{STATUS: "failed", CAUSE: "the loss is nan"}]
    fails(ClusterError("a node was lost"))
    with pytest.raises(ClusterError, match="a node was lost"):
        run_trial(given(sweep, trial))
    assert len(tuned.results) == 1
    log = (trial.path / "trial.log").read_text()
    assert "Traceback" in log
    assert "a node was lost" in log


def test_a_warmup_is_left_where_its_trials_begin(tmp_path, dataset, tuned):
    sweep = sweep_of(tmp_path / "s", dataset)
    trial = propose(sweep, 0, warmup=2)
    run_warmup({"sweep": str(sweep.path), "config": trial.config.model_dump(mode="json"), "until": 2})
    assert tuned.results == [{STATUS: "finished"}]
    assert warmup_epochs_done(sweep, trial.config) >= 2
    assert warmup_epochs_done(sweep, trial.config) < 3
    run_trial(given(sweep, trial))
    assert [result[EPOCHS] for result in tuned.results[1:]] == [1, 2, 3]


def test_the_score_of_a_level_within_a_shared_warm_up_is_that_at_the_level(tmp_path, dataset, tuned):
    sweep = sweep_of(tmp_path / "s", dataset, scheduler="halving", grace_period=1)
    trial = propose(sweep, 0, warmup=2)
    run_warmup({"sweep": str(sweep.path), "config": trial.config.model_dump(mode="json"), "until": 2})
    run_trial(given(sweep, trial, until=1))
    histories = [read_history(path) for path in current_paths(sweep, trial)]
    assert [len(history) for history in histories] == [2]
    expected = {EPOCHS: 1, SCORE: score_at(histories, 1, "accuracy"), STATUS: "waiting"}
    assert tuned.results[-1] == expected


def population(path, dataset):
    sweep = sweep_of(path, dataset, {"training": {"epochs": 4, "keep": 4}}, scheduler="pbt")
    return sweep, propose(sweep, 0, fs__scale=1.0, strategy="class"), propose(sweep, 1, fs__scale=3.0)


def test_a_member_of_a_population_goes_on_from_another(tmp_path, dataset, tuned):
    sweep, one, two = population(tmp_path / "s", dataset)
    run_trial(given(sweep, one, **{SCALE: 1.0}))
    assert [each.pointer["epochs"] for each in tuned.pointers] == [1, 2, 3]
    train_until(open_runs(sweep, two, dataset), dataset, 2)
    tuned.checkpoint, tuned.results[:] = tuned.pointers[1], []
    run_trial(given(sweep, two, **{SCALE: 1.2}))
    assert [result[EPOCHS] for result in tuned.results] == [3, 4]
    (path,) = current_paths(sweep, two)
    assert read_history(path)[:1] == read_history(current_paths(sweep, one)[0])[:1]
    assert "fs" not in current_config(two).method.settings.model_dump()  # `class` reads none
    assert current_config(two).method.name == "class"
    assert f"from epoch 2 of {one.name}" in (two.path / "trial.log").read_text()
    assert {each.pointer["trial"] for each in tuned.pointers[3:]} == {two.name}


def test_a_member_that_was_paused_goes_on_from_itself(tmp_path, dataset, tuned):
    sweep, one, _ = population(tmp_path / "s", dataset)
    run_trial(given(sweep, one, **{SCALE: 1.0}))
    tuned.checkpoint, tuned.results[:] = tuned.pointers[1], []
    run_trial(given(sweep, one, **{SCALE: 1.0}))
    assert [result[EPOCHS] for result in tuned.results] == [3, 4]
    assert not (one.path / "current.json").exists()


def test_after_a_stop_a_member_points_only_to_epochs_that_its_runs_hold(tmp_path, dataset, tuned):
    sweep, one, two = population(tmp_path / "s", dataset)
    run_trial(given(sweep, one, **{SCALE: 1.0}))
    tuned.checkpoint = tuned.pointers[1]
    run_trial(given(sweep, two, **{SCALE: 1.0}))
    tuned.checkpoint, tuned.pointers[:], tuned.results[:] = None, [], []
    run_trial(given(sweep, two, **{SCALE: 1.0}))
    assert [result[EPOCHS] for result in tuned.results] == [2, 3, 4]
    for each in tuned.pointers:
        for run in each.pointer["runs"]:
            assert (Path(run) / "epochs" / f"epoch-{each.pointer['epochs']:05d}" / "manifest.json").exists()
