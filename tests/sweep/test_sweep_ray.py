"""Sweeps through Ray Tune over Ray Train: what runs, what is stopped, what fails, and what MLflow holds of it."""

import json
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient

from raymm.cli import main
from raymm.storage import sha256_of
from raymm.sweep.runs import current_paths, open_warmups, trial_rows
from raymm.sweep.store import open_sweep, read_trials
from raymm.training.loop import Backends, train
from raymm.training.run import create_or_open, open_run
from tests.cli.calling import result_in
from tests.games import small_dataset

pytestmark = pytest.mark.ray

SETTINGS = (
    "training.epochs=6",
    "training.batch_size=32",
    "training.threads=1",
    "method.warmup=2",
    "model.feature_size=16",
    "model.encoder.width=8",
    "cluster.workers=1",
    "cluster.actors=0",
)

SPACE = """
from ray import tune

def rates():
    return {"optimizer.lr": tune.grid_search([0.005, 1e30, 1e-6]), "optimizer.clip_norm": None}

def scales():
    return {"method.name": tune.grid_search(["joint", "sample"]), "optimizer.lr": 0.005}

def population():
    return {"method.name": "sample", "method.settings.fs.scale": tune.uniform(0.5, 4.0), "optimizer.lr": 0.005}
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sweeps")
    small_dataset(folder / "data")
    (folder / "space.py").write_text(SPACE)
    return folder


def sweep(place, *arguments, code=0):
    with pytest.raises(SystemExit) as ended:
        main(["sweep", "--store", str(place / "mlflow"), *map(str, arguments)])
    assert ended.value.code == code


def new(place, function, name, *options, settings=()):
    space = f"{place / 'space.py'}:{function}"
    sweep(place, "--data", place / "data", "--space", space, "--out", place / name, *options, *SETTINGS, *settings)
    return open_sweep(place / name)


def runs_of(place, job):
    """The sweep's own run, and those of its trials by name."""
    client = MlflowClient(f"sqlite:///{place / 'mlflow' / 'mlflow.db'}")
    experiment = client.get_experiment_by_name("raymm").experiment_id
    found = client.search_runs([experiment], f"tags.`raymm.key` LIKE '{job.key}%'")
    parents = [run for run in found if run.data.tags["raymm.key"] == job.key]
    assert len(parents) == 1
    children = [run for run in found if run.data.tags.get("mlflow.parentRunId") == parents[0].info.run_id]
    assert len(children) == len(found) - 1
    return client, parents[0], {Path(run.data.tags["raymm.run_dir"]).name: run for run in children}


def test_a_good_trial_finishes_a_poor_one_is_stopped_and_a_broken_one_fails(ray_local, place, capsys):
    options = ("--seeds", 2, "--scheduler", "asha", "--grace", 3, "--reduction", 2, "--concurrent", 1)
    job = new(place, "rates", "mixed", *options, "--register", "digits")
    good, broken, poor = trial_rows(job)
    assert [row.status for row in (good, broken, poor)] == ["finished", "failed", "stopped"]
    assert good.epochs == 12
    assert 3 <= poor.epochs / 2 < 6
    assert "the loss is" in broken.cause
    assert good.score > poor.score

    client, parent, children = runs_of(place, job)
    names = [trial.name for trial in read_trials(job)]
    assert [children[name].info.status for name in names] == ["FINISHED", "FAILED", "KILLED"]
    assert children[names[2]].data.tags["raymm.ended"].startswith("stopped early after")
    assert "the loss is" in children[names[1]].data.tags["raymm.ended"]
    assert children[names[0]].data.params["optimizer.lr"] == "0.005"
    assert "method.settings.fs.rate" not in children[names[0]].data.params
    history = client.get_metric_history(children[names[0]].info.run_id, "val/accuracy")
    assert [point.step for point in history] == list(range(1, 7))
    assert parent.info.status == "FINISHED"
    assert parent.data.tags["raymm.best_run_id"] == children[names[0]].info.run_id
    assert parent.data.metrics["best/score"] == pytest.approx(good.score)
    summary = {file.path for file in client.list_artifacts(parent.info.run_id, "summary")}
    assert summary == {f"summary/{name}" for name in ("trials.csv", "parameters.png", "summary.md", "summary.html")}
    files = {file.path for file in client.list_artifacts(children[names[0]].info.run_id)}
    assert {"trial.log", "model", "plots", "config.yaml"} <= files
    assert client.get_model_version_by_alias("digits", "best").run_id == children[names[0]].info.run_id

    weights = [
        sha256_of(path / "result" / "model" / "model.safetensors") for path in current_paths(job, read_trials(job)[0])
    ]
    capsys.readouterr()
    sweep(place, "--resume", job.path, "--json")
    table = result_in(capsys.readouterr().out)["trials"]
    assert [row["status"] for row in table] == ["finished", "stopped", "failed"]
    again = runs_of(place, job)[2]
    assert {run.info.run_id for run in again.values()} == {run.info.run_id for run in children.values()}
    assert weights == [
        sha256_of(path / "result" / "model" / "model.safetensors") for path in current_paths(job, read_trials(job)[0])
    ]


def test_the_better_half_is_promoted_and_trains_as_without_a_pause(ray_local, place, tmp_path, capsys):
    options = ("--scheduler", "halving", "--grace", 3, "--reduction", 2, "--concurrent", 2)
    job = new(place, "rates", "halved", *options)
    good, broken, poor = trial_rows(job)
    assert [(row.status, row.epochs) for row in (good, poor)] == [("finished", 6), ("stopped", 3)]
    assert broken.status == "failed"
    lines = (job.path / "sweep.log").read_text()
    names = [trial.name for trial in read_trials(job)]
    assert f"{names[0]}  waits  val/accuracy" in lines
    assert f"{names[0]}  goes on  " in lines
    assert f"{names[2]}  stopped  val/accuracy" in lines
    children = runs_of(place, job)[2]
    assert [children[name].info.status for name in names] == ["FINISHED", "FAILED", "KILLED"]
    assert children[names[2]].data.tags["raymm.ended"] == "stopped early after 3 of 6 epochs"
    (path,) = current_paths(job, read_trials(job)[0])
    own = create_or_open(tmp_path / path.name, open_run(path).config, job.dataset())
    train(own, job.dataset(), Backends())
    name = "result/model/model.safetensors"
    assert sha256_of(own.path / name) == sha256_of(path / name)
    capsys.readouterr()
    sweep(place, "--resume", job.path, "--json")
    assert [row["status"] for row in result_in(capsys.readouterr().out)["trials"]] == [
        "finished",
        "stopped",
        "failed",
    ]


@pytest.mark.long
def test_a_shared_warm_up_gives_the_bits_of_one_s_own(ray_local, place, tmp_path):
    job = new(place, "scales", "shared", "--seeds", 2, "--concurrent", 1)
    assert "warm-up that trials share: 0 of 2 epochs" in (job.path / "sweep.log").read_text()
    for warm in open_warmups(job, read_trials(job)[0].config, job.dataset(), 2):
        assert not (warm.path / "result").exists()
    for trial in read_trials(job):
        for path in current_paths(job, trial):
            run = open_run(path)
            assert run.start.epoch == 2
            own = create_or_open(tmp_path / path.name, run.config, job.dataset())
            result = train(own, job.dataset(), Backends())
            name = "result/model/model.safetensors"
            assert sha256_of(own.path / name) == sha256_of(path / name)
            assert (
                result.metrics["test/loss"]
                == json.loads((path / "result/result.json").read_text())["metrics"]["test/loss"]
            )


@pytest.mark.long
def test_a_population_goes_on_from_its_better_half(ray_local, place):
    options = ("--trials", 2, "--scheduler", "pbt", "--concurrent", 2, "--own-warmup")
    job = new(place, "population", "population", *options, settings=("method.warmup=1",))
    rows = trial_rows(job)
    assert [row.status for row in rows] == ["finished", "finished"]
    moved = [trial for trial in read_trials(job) if (trial.path / "current.json").exists()]
    assert moved, "nobody went on from the other"
    for trial in moved:
        (path,) = current_paths(job, trial)
        run = open_run(path)
        assert run.start.run.parent.parent.name != trial.name
        assert len(json.loads((path / "result/result.json").read_text())["history"]) == 6
