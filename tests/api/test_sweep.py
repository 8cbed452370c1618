"""`raymm.sweep`: a callable package, its arguments, and the trials that it returns."""

import inspect
import json
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace

import pytest

import raymm
import raymm.sweep.store as store_of_sweeps
from raymm.api.sweep import _resumed
from raymm.api.sweep_result import SweepResult
from raymm.errors import CheckpointError, ConfigError
from raymm.sweep.runs import trial_rows
from raymm.sweep.store import open_sweep, read_trials
from tests.sweeps import finish, propose, stop, sweep_of

SAMPLES = 90
SPACE = """
from ray import tune

def space():
    return {"optimizer.lr": tune.loguniform(1e-4, 1e-2)}
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder with a space, where nothing is run."""
    (tmp_path / "space.py").write_text(SPACE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("raymm.api.sweep._run", lambda *_, **__: [])
    return tmp_path


def test_the_package_is_called_like_the_function():
    assert raymm.sweep.store is store_of_sweeps
    assert list(inspect.signature(raymm.sweep).parameters)[:2] == ["data", "space"]
    assert list(inspect.signature(raymm.study).parameters)[:2] == ["data", "arms"]


def test_a_sweep_is_that_of_the_arguments(here, dataset):
    fixed = {"training.epochs": 4, "method.warmup": 1}
    asked = {"trials": 3, "seeds": 2, "seed": 5, "scheduler": "asha", "own_warmup": True, "noise": {"m0": -10}}
    result = raymm.sweep(dataset.path, "space.py", out="s", settings=fixed, **asked)
    job = open_sweep(here / "s")
    assert (job.settings.seeds, job.settings.scheduler, job.settings.share_warmup) == ((5, 6), "asha", False)
    assert job.settings.trials == 3
    assert [trial.config.view.noise_db for trial in read_trials(job)] == [{"m0": -10.0}] * 3
    assert repr(result) == f"SweepResult({str(here / 's')!r}, no trial has ended)"
    assert result.summary() == "no trial has ended yet"
    assert result.to_pandas().empty
    with pytest.raises(CheckpointError, match="no trial has finished"):
        _ = result.best
    again = raymm.sweep(resume=here / "s", trials=None)
    assert again.sweep.key == job.key


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "give data, space and out for a new sweep, or resume SWEEP"),
        ({"retry_failed": True}, "retry_failed tries the trials of a sweep again; give resume SWEEP"),
        ({"resume": "s3://b/n"}, "resume s3://b/n: give out, the folder to bring the sweep to"),
        ({"resume": "s", "seed": 0}, "leave out seed"),
        ({"resume": "s", "own_warmup": True, "settings": ["training.epochs=3"]}, "leave out own_warmup, settings"),
        ({"data": "d", "space": "space.py", "out": "s", "register": "best"}, "register needs a store"),
    ],
)
def test_arguments_that_do_not_go_together_are_refused(here, arguments, words):
    with pytest.raises(ConfigError) as raised:
        raymm.sweep(**arguments)
    assert words in str(raised.value)
    assert [path.name for path in here.iterdir()] == ["space.py"]


def test_what_a_result_shows(tmp_path, dataset):
    sweep = sweep_of(tmp_path / "s", dataset)
    trials = [propose(sweep, n, **{"optimizer.lr": lr}) for n, lr in enumerate((1e-6, 0.02, 0.02))]
    for trial in trials[:2]:
        finish(sweep, trial, dataset)
    stop(sweep, trials[2], dataset, epochs=1, trained=1)
    rows = trial_rows(sweep)
    result = SweepResult(sweep, rows)
    scores = {row.number: row.score for row in rows if row.status == "finished"}
    assert result.best.number == max(scores, key=scores.get) == 1
    assert result.best_config() == trials[1].config
    frame = result.to_pandas()
    assert frame["trial"].tolist() == [1, 0, 2]
    assert frame["score"].tolist()[:2] == [scores[1], scores[0]]
    assert json.loads(json.dumps(result.table()))[0]["trial"] == 1
    assert repr(result).endswith("2 finished, 1 stopped)")
    assert result.plot().axes[0].get_xlabel() == "lr"
    assert result.summary().splitlines()[0].split()[:2] == ["trial", "accuracy"]
    with pytest.raises(ConfigError, match="the trials allow no 'families'"):
        result.plot("families")


@pytest.mark.parametrize(
    ("search", "trials", "starts"), [("random", 9, False), ("optuna", 1, False), ("optuna", 2, True)]
)
def test_ray_is_started_only_where_a_trial_is_left(tmp_path, dataset, monkeypatch, search, trials, starts):
    sweep = sweep_of(tmp_path / "s", dataset, search=search, trials=trials)
    finish(sweep, propose(sweep, 0, **{"optimizer.lr": 0.02}), dataset)
    (tmp_path / "space.py").write_text(SPACE)
    monkeypatch.chdir(tmp_path)
    asked = []

    @contextmanager
    def connect(cluster):
        asked.append(cluster)
        raise ConfigError("a Ray is asked for")
        yield

    monkeypatch.setattr("raymm.cluster.connect.connect", connect)
    with pytest.raises(ConfigError, match="a Ray is asked for") if starts else nullcontext():
        again = raymm.sweep(resume=tmp_path / "s", progress=None)
        assert again.best.status == "finished"
    assert len(asked) == starts
    propose(sweep, 1, **{"optimizer.lr": 0.01})
    with pytest.raises(ConfigError, match="a Ray is asked for"):
        raymm.sweep(resume=tmp_path / "s", progress=None)


@pytest.mark.parametrize(("search", "noted"), [("random", 1), ("optuna", 0)])
def test_a_space_that_a_resumed_sweep_does_not_read_is_said(tmp_path, monkeypatch, search, noted):
    """Its trials are drawn: another space would change nothing."""
    monkeypatch.setattr("raymm.sweep.space.load_space", lambda space, *_: {"space": space})
    plan = SimpleNamespace(search=search, scheduler="none", space="own.py")
    job = SimpleNamespace(settings=plan, data=tmp_path, config=None, dataset=lambda: SimpleNamespace(schema=None))
    notes = []
    assert _resumed(job, None, "other.py", False, notes.append)[1] == ({} if noted else {"space": "other.py"})
    assert notes == ["other.py is not read: all trials of this sweep are drawn; a new sweep draws others"] * noted
    _resumed(job, None, None, False, notes.append)
    assert len(notes) == noted
