"""Any name of a modality can be that of an encoder, also what torch's modules have for something else."""

import copy
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

import raymm
from raymm.data import Batch, Schema, VectorSpec
from raymm.data.kinds.base import NAME
from raymm.models.by_modality import ByModality
from raymm.models.model import build_model
from tests.games import settings

TAKEN = sorted({*filter(NAME.fullmatch, dir(nn.ModuleDict)), "training"})
GROUPS = [TAKEN[start : start + 20] for start in range(0, len(TAKEN), 20)]
PLAUSIBLE = ("values", "type", "keys", "training", "parameters", "forward")


@pytest.mark.parametrize("names", GROUPS, ids=lambda names: names[0])
def test_attributes_of_a_module_dict_are_names_like_others(names):
    schema = Schema(modalities=[VectorSpec(name=name, size=2) for name in names], classes=["a", "b"])
    model = build_model(schema, settings().model, 3)
    rows = {name: torch.randn(4, 2, generator=torch.Generator().manual_seed(1)) for name in names}
    batch = Batch(rows, torch.ones(4, len(names), dtype=torch.bool), torch.tensor([0, 1, 0, 1]), torch.arange(4))
    assert tuple(model.encoders.keys()) == tuple(model.encoders) == tuple(names)
    for training in (True, False):
        model.train(training)
        assert {one.training for one in (model.encoders, *model.encoders.values())} == {training}
    model(batch).sum().backward()
    for position, name in enumerate(names):
        assert isinstance(model.encoders[name], nn.Module)
        assert all(one.grad is not None for one in model.encoder_parameters(position))
        assert any(key.startswith(f"encoders.{name}.") for key in model.state_dict())
    other = build_model(schema, settings().model, 4)
    other.load_state_dict(model.state_dict())
    for same in (other.eval(), copy.deepcopy(model)):
        assert torch.equal(same(batch), model(batch))


def test_names_of_weights_are_those_of_a_module_dict():
    parts = {name: nn.Linear(2, 3) for name in ("audio", "rgb")}
    plain, own = nn.ModuleDict(parts), ByModality(parts)
    assert list(own.state_dict()) == list(plain.state_dict())
    assert [name for name, _ in own.named_parameters()] == [name for name, _ in plain.named_parameters()]


def test_modules_are_keyed_by_modalities_in_one_place():
    called = re.compile(r"\b(ModuleDict|ParameterDict)\(")
    files = Path(raymm.__file__).parent.rglob("*.py")
    assert not [path for path in files if called.search(path.read_text())]


@pytest.mark.parametrize("method", ["umt", "coalition"])
def test_they_are_trained_loaded_and_exported(tmp_path, method):
    draw, labels = np.random.default_rng(0), np.arange(60) % 2
    columns = {name: draw.normal(size=(60, 2)) + labels[:, None] for name in PLAUSIBLE}
    data = raymm.write_dataset(tmp_path / "d", columns, labels=labels, progress=None)
    run = raymm.train(data, out=tmp_path / "run", method=method, epochs=2, progress=None)
    values = raymm.value(run, data, progress=None)
    assert np.array_equal(values.phi, run.values("test").phi)
    assert values.modalities == PLAUSIBLE
    answer = raymm.predict(run, {name: column[:3] for name, column in columns.items()}, progress=None)
    assert np.isfinite(answer.outputs).all()
    if method == "coalition":
        assert raymm.export(run, data=data, torch=tmp_path / "m.pt2", onnx=tmp_path / "m.onnx", progress=None)
