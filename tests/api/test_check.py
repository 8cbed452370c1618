"""`raymm train --check` says all that would stop a run, estimates what it takes, and writes nothing."""

import json
from types import SimpleNamespace

import pytest
import torch

import raymm
from raymm.api import check as checking
from raymm.config import load
from raymm.models.model import build_model
from tests.cli.calling import call
from tests.data.indexed.media_sets import write_manifest

SMALL = ("training.epochs=4", "method.warmup=1", "model.feature_size=16", "training.batch_size=16")


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder to be in."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


def files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("method", ["coalition", "sample", "joint"])
def test_a_run_that_could_be_trained_is_estimated_and_nothing_is_written(here, dataset, method):
    before, state, threads = files(dataset.path), torch.get_rng_state(), torch.get_num_threads()
    given = {"method": method, "settings": (*SMALL, "training.threads=1")}
    found = raymm.check(dataset.path, out=here / "run", store=here / "mlflow", **given)
    assert found.ok, found.summary()
    assert list(here.iterdir()) == []
    assert files(dataset.path) == before
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_num_threads() == threads
    told = found.rehearsal
    train = len(dataset.rows("train"))
    assert told.rows == {split: len(dataset.rows(split)) for split in ("train", "val", "test")}
    assert told.batches == -(-train // 16)
    assert 0 < told.tried <= told.batches
    assert min(told.memory, told.batch_seconds, told.epoch_seconds, told.validation_seconds) > 0
    assert told.epoch_seconds == pytest.approx(told.batch_seconds * told.batches)
    assert told.valuations == (3 if method == "sample" else 0)  # before epochs 1, 2 and 3
    once = told.validation_seconds / told.rows["val"]
    valued = told.epochs * told.rows["val"] + told.rows["test"] + told.valuations * train
    assert told.seconds == pytest.approx(4 * told.epoch_seconds + once * valued)
    model = build_model(dataset.schema, load(None, SMALL).model, 0, dataset.statistics)
    assert told.parameters == sum(one.numel() for one in model.parameters() if one.requires_grad)


def test_the_size_on_disk_is_about_that_of_the_run(here, dataset):
    settings = (*SMALL, "method=sample", "model.feature_size=64")
    told = raymm.check(dataset.path, settings=settings).rehearsal
    run = raymm.train(dataset.path, out=here / "run", settings=settings, store=None, progress=None)
    size = sum(len(content) for content in files(run.folder).values())
    assert size / 2 < told.bytes < size * 2


def test_settings_data_and_store_are_all_said_at_once(here):
    (here / "mlflow").mkdir()
    (here / "mlflow" / "mlflow.db").write_text("no database" * 1000)
    found = raymm.check(
        here / "none",
        store=here / "mlflow",
        method="sampel",
        settings=("training.label_smoothing=1", "optimizer.lr=x"),
    )
    assert not found.ok
    assert found.rehearsal is None
    said = found.summary()
    assert said.startswith("5 problems\n  - ")
    for words in (
        "no method 'sampel'; did you mean 'sample'?",
        "training.label_smoothing: no such setting; did you mean training.loss.label_smoothing?",
        "optimizer.lr: must be a number",
        f"{here / 'none'}: there is no such folder",
        "this is no MLflow database",
    ):
        assert words in said


def test_what_does_not_fit_the_data_is_all_said(dataset):
    found = raymm.check(
        dataset.path,
        noise={"sound": -3},
        settings=(
            "model.encoders.smell.name=cnn",
            "training.selection=mAP",
            "training.loss.class_weights={nobody: 2}",
        ),
    )
    assert len(found.problems) >= 4
    for words in ("sound", "smell", "mAP", "nobody"):
        assert any(words in problem for problem in found.problems), words


def test_a_folder_is_looked_at_and_left_as_it_is(here, dataset):
    run = raymm.train(
        dataset.path,
        out=here / "run",
        settings=(*SMALL, "training.epochs=1", "method=joint"),
        store=None,
        progress=None,
    )
    before = files(run.folder)
    same = {"out": run.folder, "settings": (*SMALL, "training.epochs=1", "method=joint")}
    assert raymm.check(dataset.path, **same).ok
    other = raymm.check(dataset.path, out=run.folder, settings=(*SMALL, "method=joint"))
    assert "holds another run" in other.problems[0]
    assert "training.epochs: 1 then, 4 now" in other.problems[0]
    assert files(run.folder) == before
    (here / "full").mkdir()
    (here / "full" / "mine.txt").write_text("x")
    assert "not empty, and no run of raymm" in raymm.check(dataset.path, out=here / "full").problems[0]
    beside = raymm.check(dataset.path, out=here / "full" / "mine.txt" / "run")
    assert "is a file where a folder is needed" in beside.problems[0]


def test_a_loss_that_is_not_finite_is_found_by_the_first_batches(dataset):
    found = raymm.check(dataset.path, settings=(*SMALL, "optimizer.lr=1e30", "optimizer.clip_norm=null"))
    assert len(found.problems) == 1
    assert "the loss is" in found.problems[0]
    assert found.rehearsal is None


def test_a_disk_that_is_too_small_is_a_problem(monkeypatch, dataset):
    monkeypatch.setattr(checking.shutil, "disk_usage", lambda _: SimpleNamespace(total=2000, used=1000, free=1000))
    found = raymm.check(dataset.path, settings=SMALL)
    assert "disk: the run takes about" in found.problems[0]
    assert "1000 are free" in found.problems[0]
    assert found.rehearsal is not None


def test_a_machine_that_is_too_small_for_the_workers_is_a_problem(dataset):
    found = raymm.check(dataset.path, backend="ray", workers=100_000, settings=SMALL)
    assert "Lower --workers" in found.problems[0]
    assert raymm.check(dataset.path, backend="local", workers=100_000, settings=SMALL).ok


def test_samples_that_stay_where_they_are_get_no_index(here, tmp_path):
    manifest = write_manifest(tmp_path / "media" / "labels.parquet")
    before = files(manifest.parent)
    found = raymm.check(manifest, out=here / "run", settings=("training.epochs=1", "method=joint"))
    assert found.ok, found.summary()
    assert sum(found.rehearsal.rows.values()) > 0
    assert list(here.iterdir()) == []
    assert files(manifest.parent) == before


def test_the_command_line_says_it_and_exits_by_it(capfd, here, dataset):
    words = ["train", "--check", "--data", dataset.path, "--backend", "local"]
    code, out, _ = call(capfd, *words, *SMALL)
    assert code == 0
    assert "nothing was found that would stop the run" in out
    assert "MiB at the most" in out
    code, out, _ = call(capfd, *words, *SMALL, "--json")
    told = json.loads(out)
    assert (code, told["ok"], told["problems"], told["rehearsal"]["epochs"]) == (0, True, [], 4)
    code, out, _ = call(capfd, *words, "training.epoch=3")
    assert code == 2
    assert "1 problem\n  - configuration: training.epoch: no such setting" in out
    code, out, _ = call(capfd, *words, "training.epoch=3", "--json")
    assert (code, json.loads(out)["ok"], json.loads(out)["rehearsal"]) == (2, False, None)
    assert list(here.iterdir()) == []
    code, _, err = call(capfd, "train", "--check")
    assert code == 2
    assert "Missing option '--data'" in err
