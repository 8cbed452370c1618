"""Batches that are added up before an update are one batch of all their rows."""

import numpy as np
import pytest
import torch

from raymm.errors import ConfigError
from raymm.methods.plan import base_plan, epoch_batches
from raymm.tracking.metrics import UPDATES
from raymm.training.context import RunContext
from raymm.training.epoch import rank_parts, updates_of
from raymm.training.loop import Backends, train
from raymm.training.run import create_or_open, problems_of
from tests.games import advanced, settings
from tests.ranks import on_ranks, ranks

SAMPLES = 120


def run_of(path, dataset, accumulate, batch_size, **sections):
    training = {"epochs": 2, "batch_size": batch_size, "accumulate": accumulate, "keep": 9}
    model = {"feature_size": 8, "encoder": {"width": 4}}
    plain = {"optimizer": {"name": "sgd", "lr": 0.1, "momentum": 0.9}, "method": {"name": "joint"}}
    return create_or_open(path, settings(**{**plain, "training": training, "model": model, **sections}), dataset)


def trained(path, dataset, *how, **sections):
    """The weights after two epochs, and the history."""
    run = run_of(path, dataset, *how, **sections)
    with RunContext.build(run, dataset, Backends()) as context:
        return ends_of(context)


def ends_of(context):
    history = advanced(context, 2).history
    return context.trainer.model.state_dict(), history


@pytest.mark.parametrize(("accumulate", "size"), [(2, 16), (4, 8), (3, 7)])
@pytest.mark.parametrize("method", ["joint", "sample", "coalition"])
def test_small_batches_added_up_are_one_large_batch(tmp_path, dataset, accumulate, size, method):
    section = {"method": {"name": method, "warmup": 1}}
    whole, history = trained(tmp_path / "whole", dataset, 1, accumulate * size, **section)
    parts, of_parts = trained(tmp_path / "parts", dataset, accumulate, size, **section)
    apart, _ = trained(tmp_path / "apart", dataset, 1, size, **section)
    for name, tensor in whole.items():
        assert torch.allclose(parts[name], tensor, rtol=1e-4, atol=1e-5), name
    assert not torch.allclose(apart["fusion.weight"], whole["fusion.weight"], rtol=1e-2, atol=1e-3)
    for one, other in zip(history, of_parts, strict=True):
        assert one["metrics"]["train/loss"] == pytest.approx(other["metrics"]["train/loss"], rel=1e-5)
        assert (
            one["metrics"][UPDATES]
            == other["metrics"][UPDATES]
            == np.ceil(one["metrics"]["rows/epoch"] / accumulate / size)
        )


def test_gradients_of_an_update_are_divided_by_its_rows(tmp_path, dataset):
    """The last update has fewer batches, and the last batch fewer rows: the sum of rows divides, not their number."""
    run = run_of(tmp_path / "r", dataset, 3, 7)
    plan = base_plan(dataset.rows("train")[:24], 2)
    with RunContext.build(run, dataset, Backends()) as context:
        parts = list(rank_parts(context.trainer, context.loader, plan, 0))
    assert [part.rows for part in parts] == [7, 7, 7, 3]
    assert [part.update_rows for part in parts] == [21, 21, 21, 3]
    assert [part.ends_update for part in parts] == [False, False, True, True]
    assert updates_of(run.config, plan, 0) == 2
    assert len(epoch_batches(plan, 7, 0, 0)) == 4


def test_two_ranks_add_up_what_one_process_does(tmp_path, dataset):
    one, _ = trained(tmp_path / "one", dataset, 2, 15)
    run = run_of(tmp_path / "two", dataset, 2, 15)
    communicators = ranks(2)
    built = [RunContext.build(run, dataset, Backends(communicator=rank)) for rank in communicators]
    (first, history), (second, _) = on_ranks(communicators, built, ends_of)
    for name, tensor in one.items():
        assert torch.equal(first[name], second[name])
        assert torch.allclose(first[name], tensor, rtol=1e-4, atol=1e-5)
    assert history[-1]["metrics"]["train/loss"] > 0


def test_a_loss_that_is_not_finite_is_found_at_its_batch(tmp_path, dataset):
    run = run_of(tmp_path / "r", dataset, 2, 16, optimizer={"name": "sgd", "lr": 1e30, "clip_norm": None})
    with pytest.raises(Exception, match=r"epoch 0, step [23]: the loss is"):
        train(run, dataset, Backends())


@pytest.mark.parametrize("name", ["ogm_ge", "agm"])
def test_methods_that_change_gradients_by_a_batch_are_refused(dataset, name):
    (said,) = problems_of(settings(training={"accumulate": 4}, method={"name": name}), dataset.schema)
    assert said.startswith(f"training.accumulate=4: method={name} changes gradients")
    assert problems_of(settings(training={"accumulate": 1}, method={"name": name}), dataset.schema) == []
    with pytest.raises(ConfigError, match=r"training\.accumulate"):
        settings(training={"accumulate": 0})
