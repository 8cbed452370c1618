"""Exported models that are not what they were, committed again, so that no checksum tells."""

import json
import pickle
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from raymm.storage.layout import MODEL_JSON, WEIGHTS
from raymm.training.loop import Backends, train
from raymm.training.run import create_or_open
from tests.chaos.refusing import refused, taken
from tests.chaos.spoiling import commit_again
from tests.games import settings

SAMPLES = 60


@pytest.fixture(scope="module")
def finished(tmp_path_factory, dataset):
    training = {"epochs": 1, "batch_size": 64, "threads": 1}
    run = create_or_open(
        tmp_path_factory.mktemp("runs") / "r", settings(training=training, method={"name": "joint"}), dataset
    )
    train(run, dataset, Backends())
    return run.path / "result" / "model"


@pytest.fixture
def model(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "model")


def words(model, dataset):
    """The words that value a data set by a model."""
    out = model.parent / "t.parquet"
    return ["value", "--data", dataset.path, "--checkpoint", model, "--out", out, "--backend", "local"]


def weights(model, change):
    tensors = load_file(model / WEIGHTS)
    change(tensors)
    save_file(tensors, model / WEIGHTS)


def about(model, change):
    values = json.loads((model / MODEL_JSON).read_text())
    change(values)
    (model / MODEL_JSON).write_text(json.dumps(values))


def first_matrix(tensors):
    return next(name for name in sorted(tensors) if tensors[name].ndim == 2)


def other_architecture(model):
    about(model, lambda values: values["config"]["model"].update(feature_size=24))


def other_classes(model):
    def fewer(values):
        values["schema"]["classes"] = values["schema"]["classes"][:-1]

    about(model, fewer)


def newer(model):
    about(model, lambda values: values.update(format=999))


class Evil:
    """What a pickle runs when it is read."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def evil(model):
    (model / WEIGHTS).write_bytes(pickle.dumps(Evil(model.parent / "canary")))


def not_a_number(model):
    weights(model, lambda tensors: tensors[first_matrix(tensors)].view(-1)[:1].fill_(torch.nan))


def empty(model):
    (model / WEIGHTS).write_bytes(b"")


def gone(model):
    (model / WEIGHTS).unlink()


@pytest.mark.parametrize(
    ("row", "spoil", "said"),
    [
        ("B_checkpoint_01_architecture", other_architecture, "size mismatch for fusion.weight"),
        ("B_checkpoint_02_classes", other_classes, "size mismatch for fusion.weight"),
        ("B_checkpoint_03_newer", newer, "model.json: "),
        ("B_checkpoint_04_pickle", evil, "the model cannot be read ("),
        ("B_checkpoint_05_nan", not_a_number, "model.safetensors: holds NaN or infinite weights in "),
        ("B_checkpoint_06_gone", gone, "model.safetensors"),
        ("B_checkpoint_08_empty", empty, "the model cannot be read ("),
    ],
)
def test_a_model_that_is_not_what_it_was(capfd, tmp_path, model, dataset, row, spoil, said):
    spoil(model)
    commit_again(model)
    line = refused(capfd, tmp_path, *words(model, dataset))
    assert said in line
    assert str(model) in line
    assert not (tmp_path / "canary").exists()


def test_B_checkpoint_07_file_too_many(capfd, tmp_path, model, dataset):
    """It is not read: the table is the same. The evil file is one, too: it would be refused if it were read."""
    taken(capfd, *words(model, dataset))
    before = (tmp_path / "t.parquet").read_bytes()
    (tmp_path / "t.parquet").unlink()
    (model / "model-00002-of-00002.safetensors").write_bytes(pickle.dumps(Evil(tmp_path / "canary")))
    taken(capfd, *words(model, dataset))
    assert (tmp_path / "t.parquet").read_bytes() == before
    assert not (tmp_path / "canary").exists()


def test_the_pickle_is_evil(tmp_path):
    """The canary appears where the pickle is read, so its absence says something."""
    pickle.loads(pickle.dumps(Evil(tmp_path / "canary")))
    assert (tmp_path / "canary").exists()
