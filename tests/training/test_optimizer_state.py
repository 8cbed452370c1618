"""The state of an optimizer by the names of parameters, compared with torch's own function."""

import pytest
import torch
from torch import nn
from torch.distributed.checkpoint.state_dict import StateDictOptions, get_optimizer_state_dict

from raymm.config import OptimizerConfig
from raymm.training.optim import build_optimizer
from raymm.training.optimizer_state import load_optimizer_tensors, names_of_positions, optimizer_tensors


def trained(name, seed=0, steps=3, momentum=0.9):
    torch.manual_seed(seed)
    module = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    optimizer = build_optimizer(module.parameters(), OptimizerConfig(name=name, lr=0.1, momentum=momentum))
    for _ in range(steps):
        update(module, optimizer)
    return module, optimizer


def update(module, optimizer):
    optimizer.zero_grad()
    module(torch.linspace(-1, 1, 12).reshape(4, 3)).square().sum().backward()
    optimizer.step()


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
def test_names_and_tensors_are_those_of_torch(name):
    module, optimizer = trained(name)
    options = StateDictOptions(flatten_optimizer_state_dict=True)
    theirs = get_optimizer_state_dict(module, optimizer, options=options)
    ours = optimizer_tensors(module, optimizer)
    assert {key for key in theirs if key.startswith("state.")} == set(ours)
    assert all(torch.equal(ours[key], theirs[key]) for key in ours)
    assert len(ours) == 4 * (1 if name == "sgd" else 3)


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
def test_an_optimizer_that_was_restored_takes_the_same_step(name):
    module, optimizer = trained(name)
    other, fresh = trained(name, seed=1, steps=0)
    other.load_state_dict(module.state_dict())
    load_optimizer_tensors(other, fresh, {key: t.clone() for key, t in optimizer_tensors(module, optimizer).items()})
    forgetful, without = trained(name, seed=1, steps=0)
    forgetful.load_state_dict(module.state_dict())
    for pair in ((module, optimizer), (other, fresh), (forgetful, without)):
        update(*pair)
    assert all(torch.equal(a, b) for a, b in zip(module.parameters(), other.parameters(), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(module.parameters(), forgetful.parameters(), strict=True))


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
def test_a_parameter_that_was_never_updated_has_no_state_and_none_is_asked_for(name):
    """As of what a method leaves as it is: the optimizer that was restored begins with it where the other does."""
    module, optimizer = trained(name, steps=0)
    for frozen in (True, False):
        module[0].requires_grad_(not frozen)
        update(module, optimizer)
        if frozen:
            saved = {key: tensor.clone() for key, tensor in optimizer_tensors(module, optimizer).items()}
            other, fresh = trained(name, seed=1, steps=0)
            other.load_state_dict(module.state_dict())
            assert {key.split(".")[1] for key in saved} == {"2"}
            load_optimizer_tensors(other, fresh, saved)
    update(other, fresh)
    assert all(torch.equal(a, b) for a, b in zip(module.parameters(), other.parameters(), strict=True))


def test_an_optimizer_without_a_memory_saves_nothing():
    module, optimizer = trained("sgd", momentum=0.0)
    assert optimizer_tensors(module, optimizer) == {}
    load_optimizer_tensors(module, optimizer, {})


def test_positions_of_0_1_0_become_names():
    module, optimizer = trained("adam")
    by_position = {
        f"state.{number}.{entry}": tensor
        for number, parameter in enumerate(module.parameters())
        for entry, tensor in optimizer.state[parameter].items()
    }
    assert by_position.keys() == {
        f"state.{number}.{entry}" for number in range(4) for entry in ("step", "exp_avg", "exp_avg_sq")
    }
    named = names_of_positions(module, by_position)
    ours = optimizer_tensors(module, optimizer)
    assert named.keys() == ours.keys()
    assert all(named[key] is ours[key] for key in ours)


def test_the_state_of_other_parameters_is_refused():
    module, optimizer = trained("adam")
    tensors = optimizer_tensors(module, optimizer)
    smaller = nn.Sequential(nn.Linear(3, 4))
    with pytest.raises(ValueError, match=r"optimizer state of other parameters, first 2\.bias"):
        load_optimizer_tensors(smaller, build_optimizer(smaller.parameters(), OptimizerConfig()), tensors)
    wider = nn.Sequential(nn.Linear(3, 5), nn.ReLU(), nn.Linear(5, 2))
    with pytest.raises(ValueError, match=r"of 0\.weight has shape \(4, 3\), not \(5, 3\)"):
        load_optimizer_tensors(wider, build_optimizer(wider.parameters(), OptimizerConfig()), tensors)
