"""A custom model: what goes wrong in its author's code is said with the method, the shapes, the file and the line."""

import pytest
import torch

from raymm.data import BatchReader
from raymm.errors import ConfigError
from raymm.models.custom import make_custom_model
from raymm.models.valued import load_own
from raymm.valuation.conformance import ModelError
from raymm.valuation.engine import value_rows

MODEL = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self):
        super().__init__()


class Model(nn.Module):
    def __init__(self, schema):
        super().__init__()
        self.finish = nn.Linear(4, len(schema.classes))
        self.drop = nn.Dropout(0.5)

    def encode(self, batch):
        return torch.ones(len(batch), 2, 4)

    def fuse(self, features, mask):
        return self.finish(self.drop(features * mask[..., None]).sum(dim=1))


class BadEncode(Model):
    def encode(self, batch):
        return batch.inputs["m1"] @ torch.zeros(1000, 4)


class BadFuse(Model):
    def fuse(self, features, mask):
        raise KeyError("head")


def fails(schema):
    return {}["backbone"]


def nothing(schema):
    return None


NUMBER = 3
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("code")
    (path / "custom_net.py").write_text(MODEL)
    (path / "needs_more.py").write_text("import no_such_package")
    (path / "wrong_grammar.py").write_text("def load(:\n")
    (path / "stops.py").write_text("\nraise RuntimeError('no GPU here')")
    return path


@pytest.fixture(autouse=True)
def _beside_the_code(folder, monkeypatch):
    monkeypatch.syspath_prepend(folder)
    monkeypatch.chdir(folder)


@pytest.mark.parametrize(
    ("spec", "error", "words"),
    [
        ("gone_net:load", ConfigError, "--model: there is no module 'gone_net', neither in the current folder ("),
        ("custom_net:Nett", ConfigError, "module 'custom_net' has no 'Nett'; did you mean 'Net'?"),
        ("needs_more:load", ConfigError, "module 'needs_more' is there, but importing it raises ModuleNotFoundError"),
        ("needs_more:load", ConfigError, "'no_such_package' (needs_more.py, line 1)"),
        ("wrong_grammar:load", ConfigError, "(wrong_grammar.py, line 1)"),
        ("stops:load", ConfigError, "importing it raises RuntimeError: no GPU here (stops.py, line 2)"),
        ("custom_net:Net", ConfigError, "TypeError: Net.__init__() takes 1 positional argument but 2 were given; it"),
        ("custom_net:Net", ConfigError, "it must be a function (or class) that takes the schema"),
        ("custom_net:fails", ConfigError, "it raised KeyError: 'backbone' (custom_net.py, line 35)"),
        ("custom_net:nothing", ConfigError, "returned a NoneType without encode(batch) and fuse(features, mask)"),
        ("custom_net:NUMBER", ConfigError, "TypeError: 'int' object is not callable"),
        ("custom_net:BadEncode", ModelError, "in your encode, called with a batch of 8 rows, inputs m0 [8, "),
        ("custom_net:BadEncode", ModelError, "(custom_net.py, line 26); --debug shows the whole trace"),
        ("custom_net:BadFuse", ModelError, "in your fuse, called with float32 [8, 2, 4], bool [8, 2]: KeyError"),
    ],
)
def test_a_mistake_is_named_with_its_place(dataset, spec, error, words):
    with pytest.raises(error) as caught:
        load_own(spec, dataset, "test")
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_its_author_raised_is_the_cause(dataset):
    with pytest.raises(ModelError) as caught:
        load_own("custom_net:BadFuse", dataset, "test")
    assert isinstance(caught.value.__cause__, KeyError)


def test_a_good_model_is_left_as_it_is_but_in_evaluation_mode(dataset):
    torch.manual_seed(0)
    model = make_custom_model("custom_net:Model", dataset.schema)
    assert not model.training
    job = load_own("custom_net:Model", dataset, "test")
    assert len(value_rows(job.model, BatchReader(dataset, job.config.view), job.rows, job.config)) == len(job.rows)
    assert isinstance(model.finish, torch.nn.Linear)


def test_a_file_is_named_as_a_module_is(dataset, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net_in_a_file.py").write_text(MODEL)
    (tmp_path / "broken_net.py").write_text("x = (\n")
    model = make_custom_model("net_in_a_file.py:Model", dataset.schema)
    assert type(model).__module__ == "net_in_a_file"
    for spec, words in {
        "net_in_a_fil.py:Model": "--model: there is no file 'net_in_a_fil.py' in .*; did you mean 'net_in_a_file.py'",
        "broken_net.py:Model": r"--model: 'broken_net.py' is there, but importing it raises SyntaxError: .*line 1\)",
        "net_in_a_file.py:Modle": "--model: module 'net_in_a_file' has no 'Modle'; did you mean 'Model'",
    }.items():
        with pytest.raises(ConfigError, match=words):
            make_custom_model(spec, dataset.schema)
