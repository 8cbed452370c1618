"""`training.compile`: the same numbers up to rounding, the same names, and words where there is no compiler."""

import shutil
import subprocess
import sys

import pytest
import torch

from raymm.errors import ConfigError
from raymm.models.model import build_model
from raymm.training import compiled
from raymm.training.compiled import compile_parts
from raymm.training.loop import Backends, iter_epochs, train
from raymm.training.run import create_or_open
from tests.games import settings

SAMPLES = 60


def test_without_a_compiler_it_is_said_what_to_do(tmp_path, dataset, monkeypatch):
    def missing(_):
        def fail(*_):
            raise RuntimeError("Failed to find C++ compiler. Please specify via CXX environment variable.\nmore")

        return fail

    monkeypatch.setattr(compiled.torch, "compile", missing)
    run = create_or_open(tmp_path / "r", settings(training={"compile": True, "epochs": 2}), dataset)
    with pytest.raises(ConfigError) as raised:
        train(run, dataset, Backends())
    assert str(raised.value) == (
        "training.compile: torch cannot compile for cpu here (Failed to find C++ compiler. Please specify via CXX "
        "environment variable.); install a C++ compiler, such as g++, or use training.compile=false"
    )


def test_names_and_numbers_are_those_of_the_model(dataset, monkeypatch):
    """With a backend that runs the graph as it is."""
    monkeypatch.setattr(compiled, "_check_compiler", lambda _: None)
    plain, model = (build_model(dataset.schema, settings().model, 0) for _ in range(2))
    seen = []
    monkeypatch.setattr(torch.nn.Module, "_compiled_call_impl", None)
    monkeypatch.setattr(torch.nn.Module, "compile", lambda part, **how: seen.append((type(part).__name__, how)))
    compile_parts(model, torch.device("cpu"))
    assert seen == [(type(part).__name__, {"dynamic": False}) for part in (*plain.encoders.values(), plain.fusion)]
    assert list(model.state_dict()) == list(plain.state_dict())
    with pytest.raises(ConfigError, match=r"training\.compile: compiles encoders and fusion, and a Linear has none"):
        compile_parts(torch.nn.Linear(1, 1), torch.device("cpu"))


@pytest.mark.long
@pytest.mark.skipif(shutil.which("g++") is None, reason="there is no C++ compiler")
def test_a_compiled_run_trains_as_one_that_is_not(tmp_path, dataset):
    ends = []
    for compiles in (False, True):
        training = {"epochs": 1, "compile": compiles}
        run = create_or_open(tmp_path / str(compiles), settings(training=training, method={"name": "joint"}), dataset)
        ends.append(list(iter_epochs(run, dataset, Backends()))[-1].history[-1]["metrics"])
    assert ends[0]["train/loss"] == pytest.approx(ends[1]["train/loss"], rel=1e-3)
    assert ends[0]["val/loss"] == pytest.approx(ends[1]["val/loss"], rel=1e-3)


PICTURES = """
import torch
from torch._dynamo.utils import counters
from raymm.config import parse
from raymm.data import AudioSpec, RgbSpec, Schema
from raymm.models.model import build_model
from raymm.training.compiled import compile_parts

schema = Schema(
    modalities=(RgbSpec(name="rgb", frames=2, height=16, width=16), AudioSpec(name="audio", seconds=0.2, n_mels=16)),
    classes=("a", "b"),
)
config = parse({"model": {"feature_size": 8, "encoder": {"width": 4}}})
plain, model = (build_model(schema, config.model, 0) for _ in range(2))
compile_parts(model, torch.device("cpu"))
counters.clear()
for rows in (8, 7, 3):
    inputs = {spec.name: torch.randn(rows, *spec.input_shape) for spec in schema.modalities}
    ends = []
    for one in (plain, model):
        one.zero_grad()
        features = torch.stack([one.encoders[name](values) for name, values in inputs.items()], dim=1)
        one.fusion(features, torch.ones(rows, 2, dtype=torch.bool)).square().sum().backward()
        ends.append([parameter.grad for parameter in one.parameters()])
    for one, other in zip(*ends, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)
print(counters["stats"]["unique_graphs"])
"""
"""A process of its own: without the checks of shapes that tests put into encoders, which are compiled as well."""


@pytest.mark.long
@pytest.mark.skipif(shutil.which("g++") is None, reason="there is no C++ compiler")
def test_pictures_and_sound_are_compiled_once_for_any_number_of_rows():
    done = subprocess.run([sys.executable, "-c", PICTURES], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.split()[-1:]) == (0, ["3"]), done.stderr
