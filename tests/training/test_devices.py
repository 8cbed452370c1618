"""A device that is asked for and is not there is refused in words, before anything is put on it."""

import re
from types import SimpleNamespace

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from raymm.errors import ConfigError
from raymm.training.devices import any_device, require_device
from raymm.training.loop import Backends, train
from raymm.training.run import create_or_open
from raymm.training.whole_runs import train_here
from tests.games import settings as settings_of


@pytest.fixture
def without_cuda(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    there=st.integers(0, 4),
    index=st.none() | st.integers(0, 5),
    asked=st.sampled_from(["cluster.gpus_per_worker", "Backends(device=)"]),
    built=st.none() | st.just("13.0"),
)
def test_a_drawn_cuda_device_is_refused_exactly_where_it_is_not_there(monkeypatch, there, index, asked, built):
    with monkeypatch.context() as patched:
        patched.setattr(torch.cuda, "device_count", lambda: there)
        patched.setattr(torch.version, "cuda", built)
        device = torch.device("cuda") if index is None else torch.device("cuda", index)
        if (index or 0) < there:
            assert require_device(device, asked) == device
            return
        with pytest.raises(ConfigError) as caught:
            require_device(device, asked)
    said = str(caught.value)
    assert said.startswith(f"{asked} asks for the device '{device}', and torch {torch.__version__}, built ")
    assert ("without CUDA" if built is None else "for CUDA 13.0") in said
    assert f"finds {there or 'no'} CUDA device" in said
    assert (f"to cuda:{there - 1})" in said) == (there > 0)


def test_the_cpu_is_always_there(without_cuda):
    assert any_device() == require_device(any_device(), "") == torch.device("cpu")


@pytest.mark.usefixtures("without_cuda")
@pytest.mark.parametrize("name", ["cuda", "cuda:0", "cuda:3"])
def test_no_training_takes_a_device_that_is_not_there(tmp_path, dataset, name):
    run = create_or_open(tmp_path / "r", settings_of(training={"epochs": 2}), dataset)
    words = rf"asks for the device '{name}', and torch .* finds no CUDA device here; train on the CPU"
    with pytest.raises(ConfigError, match=rf"Backends\(device=\) {words}"):
        train(run, dataset, Backends(device=torch.device(name)))
    with pytest.raises(ConfigError, match=f"device= {words}"):
        train_here(run, None, torch.device(name))


@pytest.mark.usefixtures("without_cuda")
def test_a_process_that_ray_gave_a_gpu_says_so_where_torch_has_none(tmp_path, dataset, monkeypatch):
    from raymm.cluster import given_device as module
    from raymm.cluster.lanes import Trainer
    from raymm.cluster.train import train_in_this_process

    run = create_or_open(tmp_path / "r", settings_of(training={"epochs": 2}), dataset)
    monkeypatch.setattr(module, "ray", SimpleNamespace(get_gpu_ids=lambda: [0]))
    words = r"cluster\.gpus_per_worker, by which Ray gave .* asks for the device 'cuda', .* finds no CUDA device here"
    with pytest.raises(ConfigError, match=words):
        train_in_this_process([run], lambda _: None)
    assert re.search(words, Trainer().train(str(run.path), None))
    monkeypatch.setattr(module, "ray", SimpleNamespace(get_gpu_ids=list))
    assert module.given_device() == torch.device("cpu")
