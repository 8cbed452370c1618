"""`Resampler` and `CoalitionLoss` in a plain loop give the weights of raymm's own loop, bit by bit."""

import copy

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from raymm.integrations.coalition_loss import CoalitionLoss
from raymm.storage import layout
from raymm.storage.layout import epoch_folder
from raymm.training.loop import Backends, train
from raymm.training.run import create_or_open
from tests.games import gappy_dataset, settings
from tests.integrations.loops import plain_loop, resampler_of

EPOCHS = 4
SPLITS = ("train", "train", "train", "val", "train", "test", "train", "val", "test") * 12


@pytest.fixture(scope="module")
def gappy(tmp_path_factory):
    return gappy_dataset(tmp_path_factory.mktemp("gappy") / "d", 3, SPLITS, (0.8, 0.6), "classification")


def config_of(method, seed=3, fusion="concat", **options):
    return settings(
        training={"epochs": EPOCHS, "batch_size": 16, "seed": seed, "keep": 9},
        method={"name": method, "warmup": 1, **options},
        optimizer={"lr": 0.01, "weight_decay": 0.0, "schedule": "constant"},
        model={"feature_size": 8, "fusion": fusion, "encoder": {"width": 8, "dropout": 0.2}},
    )


def weights_of_run(path, dataset, config):
    run = create_or_open(path, config, dataset)
    train(run, dataset, Backends())
    return load_file(epoch_folder(run.path, EPOCHS) / layout.WEIGHTS)


def same(model, weights):
    own = model.state_dict()
    return own.keys() == weights.keys() and all(torch.equal(own[name], weights[name]) for name in own)


PLANS = [
    ("sample", {}),
    ("sample", {"settings": {"keep": "coalition"}, "every": 2, "row_budget": 0.3}),
    ("modality", {"settings": {"subset": 0.5}}),
    ("class", {"settings": {"fm": {"scale": 2.0}}}),
    ("random", {}),
    ("modality_reference", {}),
    ("dropout", {}),
]


@pytest.mark.parametrize(("method", "options"), PLANS, ids=lambda given: given if isinstance(given, str) else "")
def test_a_resampler_in_a_plain_loop_is_raymms_own_loop(tmp_path, gappy, method, options):
    config = config_of(method, **options)
    resampler = resampler_of(gappy, config)
    model, _ = plain_loop(gappy, config, resampler)
    expected = weights_of_run(tmp_path / "r", gappy, config)
    assert same(model, expected)
    changed, _ = plain_loop(gappy, config, resampler_of(gappy, config, seed=4))
    assert not same(changed, expected)


LOSSES = [
    ("coalition", {}, "concat"),
    ("coalition", {"amount": 0.5, "weights": "uniform"}, "gated"),
    ("coalition", {"draw": 2}, "gated"),
    ("valued", {}, "concat"),
    ("valued", {"floor": 0.1}, "attention"),
]


@pytest.mark.parametrize(("method", "own", "fusion"), LOSSES)
def test_a_loss_of_coalitions_in_a_plain_loop_is_raymms_own_loop(tmp_path, gappy, method, own, fusion):
    config = config_of(method, fusion=fusion, settings=own)
    criterion = CoalitionLoss(gappy.schema.names, method=method, settings=own, seed=config.training.seed)

    def loss(model, batch, keys):
        return criterion(model.encode(batch), batch.mask, batch.labels, model.fuse, keys=keys)

    def resampler():
        return resampler_of(gappy, config, method="joint", settings=None, fields=("mask", "key"))

    model, _ = plain_loop(gappy, config, resampler(), loss)
    expected = weights_of_run(tmp_path / "r", gappy, config)
    assert same(model, expected)
    joint, _ = plain_loop(gappy, config, resampler())
    assert not same(joint, expected)


@pytest.mark.parametrize("stop", [1, 2, 3])
def test_a_resumed_loop_is_the_uninterrupted_one(gappy, stop):
    config = config_of("sample", every=2)
    whole, _ = plain_loop(gappy, config, resampler_of(gappy, config))
    first = resampler_of(gappy, config)
    model, optimizer = plain_loop(gappy, config, first, epochs=stop)
    state = copy.deepcopy(first.state_dict())
    second = resampler_of(gappy, config)
    second.load_state_dict(state)
    assert second.epoch == stop
    resumed, _ = plain_loop(gappy, config, second, model=model, optimizer=optimizer)
    assert same(resumed, whole.state_dict())


def test_values_that_are_not_those_of_the_model_give_other_weights(gappy):
    config = config_of("sample")
    resampler = resampler_of(gappy, config)
    rows = gappy.rows("train")
    plans = []
    for _ in range(2):
        for low in (0.0, 2.0):
            state = resampler.state_dict()
            resampler.update(np.full((len(rows), len(gappy.schema.names)), low))
            plans.append(len(resampler.plan))
            resampler.load_state_dict(state)
        resampler.update(np.full((len(rows), len(gappy.schema.names)), 1.0))
    assert plans[0] > plans[1] == len(rows)
