"""Which parameters decay, have a rate of their own, and are frozen; against torch on the same weights."""

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from raymm.config import load, parse
from raymm.errors import CheckpointError, ConfigError
from raymm.methods import build_method
from raymm.models.model import build_model
from raymm.storage.layout import epoch_folder
from raymm.training import optim
from raymm.training.loop import Backends, train
from raymm.training.optim import build_optimizer, check_optimizer, try_updates
from raymm.training.parameter_groups import (
    check_groups,
    freeze,
    named_parameters,
    parameter_groups,
    set_learning_rate,
)
from raymm.training.run import create_or_open, open_run, problems_of
from tests.games import settings

SAMPLES = 120


def groups_of(module, *given):
    config = load(None, tuple(f"optimizer.{one}" for one in given)).optimizer
    return parameter_groups(module, None, config), config


def names_in(module, group):
    wanted = {id(parameter) for parameter in group["params"]}
    return {name for name, parameter in module.named_parameters() if id(parameter) in wanted}


class Net(nn.Module):
    """Parts of every sort, and a learned baseline."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(2, 3, 3)
        self.norms = nn.ModuleList([nn.BatchNorm1d(3), nn.GroupNorm(1, 3), nn.LayerNorm((3, 4)), nn.RMSNorm(3)])
        self.head = nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 2, bias=False))
        self.baseline = nn.Parameter(torch.zeros(2, 3))


def test_weights_decay_and_nothing_else_does():
    net = Net()
    rest, decaying = sorted(groups_of(net, "weight_decay=0.3")[0], key=lambda group: group["weight_decay"])
    assert (decaying["weight_decay"], rest["weight_decay"]) == (0.3, 0.0)
    assert names_in(net, decaying) == {"conv.weight", "head.0.weight", "head.2.weight"}
    assert names_in(net, decaying) | names_in(net, rest) == {name for name, _ in net.named_parameters()}


def test_everything_decays_in_one_group_where_that_is_asked_for():
    net = Net()
    (group,) = groups_of(net, "weight_decay=0.3", "decay=all")[0]
    assert group["weight_decay"] == 0.3
    assert names_in(net, group) == {name for name, _ in net.named_parameters()}


def test_the_first_pattern_that_matches_counts():
    net = Net()
    given = "groups={head.0.*: {lr: 0.5}, head: {factor: 0.1, weight_decay: 0.7}, '*': {frozen_epochs: 2}}"
    groups, config = groups_of(net, "lr=0.01", "weight_decay=0.3", given)
    found = {
        name: (group["lr"], group["weight_decay"], group["frozen_epochs"])
        for group in groups
        for name in names_in(net, group)
    }
    assert found["head.0.weight"] == (0.5, 0.3, 0)
    assert found["head.0.bias"] == (0.5, 0.0, 0)
    assert found["head.2.weight"] == (pytest.approx(0.001), 0.7, 0)
    assert found["conv.bias"] == (0.01, 0.0, 2)
    optimizer = build_optimizer(groups, config)
    set_learning_rate(optimizer, 0.004)
    rates = {name: group["lr"] for group in optimizer.param_groups for name in names_in(net, group)}
    assert rates["head.0.weight"] == pytest.approx(0.2)
    assert rates["head.2.weight"] == pytest.approx(0.0004)
    assert rates["conv.bias"] == 0.004
    as_list = "[{pattern: head.0.*, lr: 0.5}, {pattern: head, factor: 0.1, weight_decay: 0.7}, "
    again = groups_of(net, "lr=0.01", f"groups={as_list}{{pattern: '*', frozen_epochs: 2}}]")[1]
    assert again.groups == config.groups
    assert parse(load(None, (f"optimizer.{given}",)).model_dump(mode="json")).optimizer.groups == config.groups


@pytest.mark.parametrize("name", ["sgd", "adam", "adamw"])
def test_updates_are_those_of_torch_with_the_same_groups(name):
    ours, theirs = Net(), Net()
    theirs.load_state_dict(ours.state_dict())
    groups, config = groups_of(ours, f"name={name}", "lr=0.05", "weight_decay=0.2", "groups={head: {factor: 0.5}}")
    optimizer = build_optimizer(groups, config)
    weights = {"conv.weight", "head.0.weight", "head.2.weight"}
    plain = [
        {
            "params": [one],
            "lr": 0.025 if own.startswith("head") else 0.05,
            "weight_decay": 0.2 if own in weights else 0.0,
        }
        for own, one in theirs.named_parameters()
    ]
    kinds = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
    other = kinds[name](plain, lr=0.05, **({"momentum": 0.9} if name == "sgd" else {}))
    for number in range(4):
        for one, its in zip(ours.parameters(), theirs.parameters(), strict=True):
            one.grad = torch.randn(one.shape, generator=torch.Generator().manual_seed(number))
            its.grad = one.grad.clone()
        set_learning_rate(optimizer, 0.05)
        optimizer.step()
        other.step()
    for one, its in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(one, its, rtol=1e-6, atol=1e-7)


def test_nesterov_and_implementations_are_torch_s():
    optimizer = build_optimizer(
        Net().parameters(), load(None, ("optimizer.name=sgd", "optimizer.nesterov=true")).optimizer
    )
    assert optimizer.defaults["nesterov"]
    for name, flags in {
        "fused": (None, True),
        "foreach": (True, None),
        "loop": (False, None),
        "auto": (None, None),
    }.items():
        config = load(None, (f"optimizer.implementation={name}",)).optimizer
        defaults = build_optimizer(Net().parameters(), config).defaults
        assert (defaults["foreach"], defaults["fused"]) == flags
        check_optimizer(config)


@pytest.mark.parametrize("implementation", ["auto", "loop", "foreach", "fused"])
@pytest.mark.parametrize(
    "given",
    [
        {"name": "adam"},
        {"name": "adamw", "lr": 1e3, "weight_decay": 10.0},
        {"name": "sgd"},
        {"name": "sgd", "momentum": 0.0},
        {"name": "sgd", "nesterov": True, "momentum": 0.5},
    ],
)
def test_optimizers_of_torch_need_not_be_tried(given, implementation, monkeypatch):
    config = parse({"optimizer": {**given, "implementation": implementation}}).optimizer
    try_updates(config)
    monkeypatch.setattr(optim, "try_updates", lambda _: pytest.fail("tried"))
    check_optimizer(config)


def test_frozen_parameters_wait_and_their_normalisation_keeps_its_statistics():
    net = Net()
    net.norms[0].requires_grad_(False)  # by somebody else: stays so
    groups, config = groups_of(net, "groups={conv: {frozen_epochs: 2}, 'norms.[13].*': {frozen_epochs: all}}")
    optimizer = build_optimizer(groups, config)
    trained = []
    for epoch in range(3):
        net.train()
        freeze(net, optimizer, epoch)
        trained.append({name for name, one in net.named_parameters() if one.requires_grad})
        assert not net.norms[0].training
        assert net.norms[1].training
    others = {"norms.2.weight", "norms.2.bias", "head.0.weight", "head.0.bias", "head.2.weight", "baseline"}
    assert trained == [others, others, others | {"conv.weight", "conv.bias"}]


def test_patterns_that_match_nothing_are_refused_with_near_names(dataset):
    def said(groups, **sections):
        config = settings(optimizer={"groups": groups}, **sections)
        with pytest.raises(ConfigError) as raised:
            check_groups(config, dataset.schema)
        return str(raised.value)

    assert said({"encoder.m0.*": {"lr": 1.0}}).endswith(
        "'encoder.m0.*' matches no parameter; did you mean 'encoders.m0'?"
    )
    words = said({"*": {"lr": 1.0}, "fusion": {"lr": 2.0}, "nothing": {}})
    assert "'fusion': all that it matches is matched by '*' before it; put it first" in words
    assert "'nothing' matches no parameter" in words
    assert "nothing to train" in said({"*": {"frozen_epochs": 1}})
    own = settings(method={"name": "multitask", "settings": {"heads": "own"}}, optimizer={"groups": {"method.*": {}}})
    method = build_method(own, dataset.schema)
    check_groups(own, dataset.schema)
    model = build_model(dataset.schema, own.model, 0)
    assert any(name.startswith("method.") for name in named_parameters(model, method.module))
    assert problems_of(settings(optimizer={"groups": {"x": {}}}), dataset.schema)
    check_groups(settings(optimizer={"groups": {"encoders.m?.*": {"factor": 0.1}}}), dataset.schema)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"groups": {"a": 3}}, "optimizer.groups: 'a': write what is different, such as {lr: 0.0001} (got 3)"),
        ({"groups": {"a": {"lr": 1.0, "factor": 2.0}}}, "'a' has lr=1.0 and factor=2.0; give one of them"),
        ({"groups": {"a": {"factr": 1}}}, "optimizer.groups.0.factr: no such setting; did you mean 'factor'?"),
        (
            {"groups": {"a": {"frozen_epochs": "some"}}},
            "must be a number of epochs, 0 or more, or 'all' (got 'some')",
        ),
        ({"groups": [{"pattern": "a"}, {"pattern": "a"}]}, "groups: 'a' stands twice"),
        ({"name": "sdg"}, "optimizer.name: no optimizer 'sdg'; did you mean 'sgd'?"),
        ({"name": "sgd", "nesterov": True, "momentum": 0.0}, "nesterov=true needs a momentum"),
        ({"args": {"betas": [0.9, 0.99]}}, "args are of an optimizer by package.module:NAME, not of name=adamw"),
        ({"name": "torch.optim:Nothing"}, "module 'torch.optim' has no 'Nothing'"),
    ],
)
def test_groups_and_optimizers_that_cannot_be_are_refused(given, words):
    with pytest.raises(ConfigError) as raised:
        parse({"optimizer": given})
    assert words in str(raised.value)


class Forgetful(torch.optim.SGD):
    """Keeps its count of steps in the group."""

    def step(self, closure=None):
        self.param_groups[0]["seen"] = self.param_groups[0].get("seen", 0) + 1
        return super().step(closure)


def counting(parameters, lr, weight_decay):
    del parameters, lr, weight_decay
    return "none"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("torch.optim:LBFGS", "with lr, weight_decay and optimizer.args it raises TypeError"),
        ("tests.training.test_parameter_groups:counting", "returns a str; expected a torch.optim.Optimizer"),
        ("tests.training.test_parameter_groups:Forgetful", "keeps 'seen' outside of tensors by parameter"),
    ],
)
def test_an_optimizer_that_a_run_could_not_go_on_with_is_refused(name, words):
    with pytest.raises(ConfigError) as raised:
        check_optimizer(parse({"optimizer": {"name": name}}).optimizer)
    assert words in str(raised.value)


def test_an_optimizer_of_another_package_gets_its_arguments():
    given = {"name": "torch.optim:RAdam", "lr": 0.5, "args": {"betas": [0.5, 0.75]}}
    config = parse({"optimizer": given}).optimizer
    optimizer = build_optimizer(Net().parameters(), config)
    assert isinstance(optimizer, torch.optim.RAdam)
    assert (optimizer.defaults["lr"], optimizer.defaults["betas"]) == (0.5, [0.5, 0.75])


def test_a_run_from_before_the_setting_goes_on_as_it_was(tmp_path, dataset):
    """A run.json without `optimizer.decay` decays all, also where it is opened with today's default settings."""
    import json

    old = create_or_open(tmp_path / "r", settings(optimizer={"decay": "all"}), dataset)
    file = tmp_path / "r" / "run.json"
    about = json.loads(file.read_text())
    del about["config"]["optimizer"]["decay"]
    file.write_text(json.dumps(about))
    assert open_run(old.path).config.optimizer.decay == "all"
    for _ in range(2):  # also once the file has been written anew
        assert create_or_open(old.path, settings(), dataset).config.optimizer.decay == "all"
    with pytest.raises(CheckpointError, match=r"optimizer\.decay: all then, weights now"):
        create_or_open(old.path, settings(optimizer={"decay": "weights"}), dataset)
    assert create_or_open(tmp_path / "new", settings(), dataset).config.optimizer.decay == "weights"


def test_what_is_frozen_does_not_move_in_a_run_and_then_does(tmp_path, dataset):
    groups = {"encoders.m0": {"frozen_epochs": 1}, "encoders.m1": {"frozen_epochs": "all"}}
    config = settings(training={"epochs": 2, "keep": 9}, optimizer={"groups": groups, "weight_decay": 0.5})
    run = create_or_open(tmp_path / "r", config, dataset)
    initial = build_model(dataset.schema, config.model, 0).state_dict()
    train(run, dataset, Backends())
    one, two = (load_file(epoch_folder(run.path, epoch) / "model.safetensors") for epoch in (1, 2))

    def moved(state, part):
        names = [name for name in initial if name.startswith(part)]
        return [name for name in names if not torch.equal(state[name], initial[name])]

    assert moved(one, "encoders.m0") == moved(two, "encoders.m1") == []
    assert len(moved(two, "encoders.m0")) > 1
    assert len(moved(one, "fusion")) > 1
