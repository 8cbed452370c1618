"""`training.channels_last`: the same training but for rounding, and the same bits when it is resumed."""

import copy

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file as load_arrays
from torch import nn

from raymm.config import OptimizerConfig, load
from raymm.data import RgbSpec, Sample, Schema, VectorSpec, open_dataset, write_dataset
from raymm.models.memory_format import channels_last, laid_out_as
from raymm.storage import sha256_of
from raymm.storage.layout import epoch_folder
from raymm.training.communicator import sum_gradients
from raymm.training.context import RunContext
from raymm.training.loop import Backends, train
from raymm.training.optim import build_optimizer
from raymm.training.run import create_or_open, open_run
from tests.games import StopError, stop_after

SETTINGS = (
    "method=joint",
    "model.feature_size=8",
    "model.encoder.width=4",
    "training.epochs=3",
    "training.batch_size=8",
    "training.keep=9",
    "optimizer.name=adamw",
)


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    schema = Schema(
        modalities=(RgbSpec(name="rgb", frames=2, height=12, width=12), VectorSpec(name="v", size=3)),
        classes=("a", "b"),
    )
    generator = np.random.default_rng(0)

    def values(label):
        return {
            "rgb": generator.integers(0, 128 + 100 * label, (2, 3, 12, 12), dtype=np.uint8),
            "v": generator.standard_normal(3, np.float32) + label,
        }

    splits = ["train"] * 16 + ["val"] * 6 + ["test"] * 6
    samples = [Sample(f"s{row}", split, row % 2, values(row % 2)) for row, split in enumerate(splits)]
    return open_dataset(write_dataset(tmp_path_factory.mktemp("clips") / "data", samples, schema))


def run_of(folder, dataset, *more):
    return create_or_open(folder, load(None, (*SETTINGS, *more)), dataset)


def saved(run, epoch=3):
    return load_arrays(epoch_folder(run.path, epoch) / "model.safetensors")


def test_it_trains_the_same_but_for_rounding(tmp_path, clips):
    runs = [run_of(tmp_path / f"{on}", clips, f"training.channels_last={on}") for on in ("true", "false")]
    losses = [train(run, clips, Backends()).history[-1]["metrics"]["train/loss"] for run in runs]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    weights = [saved(run) for run in runs]
    assert weights[0].keys() == weights[1].keys()
    for name, values in weights[0].items():
        assert np.allclose(values, weights[1][name], atol=2e-4), name


def test_weights_of_convolutions_lie_channels_last_and_no_others(tmp_path, clips):
    with RunContext.build(run_of(tmp_path / "r", clips, "training.channels_last=true"), clips, Backends()) as context:
        parameters = dict(context.trainer.model.named_parameters())
        four = [one for one in parameters.values() if one.ndim == 4 and one.shape[1] > 1]
        assert four
        assert all(one.stride(1) == 1 for one in four)
        assert all(one.is_contiguous() for one in parameters.values() if one.ndim < 4)
    with RunContext.build(run_of(tmp_path / "d", clips), clips, Backends()) as context:
        assert all(one.is_contiguous() for one in context.trainer.model.parameters())


@pytest.mark.parametrize("implementation", ["auto", "fused"])
def test_a_resumed_run_ends_with_the_same_bits(tmp_path, clips, implementation):
    more = ("training.channels_last=true", f"optimizer.implementation={implementation}")
    straight, stopped = run_of(tmp_path / "straight", clips, *more), run_of(tmp_path / "stopped", clips, *more)
    train(straight, clips, Backends())
    with pytest.raises(StopError):
        train(stopped, clips, Backends(report=stop_after(1)))
    train(open_run(stopped.path), clips, Backends())
    for name in ("model.safetensors", "optimizer.safetensors"):
        hashes = {sha256_of(epoch_folder(run.path, 3) / name) for run in (straight, stopped)}
        assert len(hashes) == 1


class Doubling:
    """Two ranks with the same rows."""

    rank, world = 0, 2

    def all_reduce_sum(self, tensor):
        tensor.mul_(2)


@pytest.mark.parametrize("implementation", ["loop", "foreach", "fused"])
def test_summed_gradients_update_the_weights_that_they_are_of(implementation):
    torch.manual_seed(0)
    plain = nn.Sequential(nn.Conv2d(3, 5, 3), nn.Conv3d(1, 2, 2), nn.Linear(2, 2))
    laid = copy.deepcopy(plain)
    channels_last(laid)
    assert laid[0].weight.stride(1) == 1
    for module in (plain, laid):
        config = OptimizerConfig(name="adamw", lr=0.1, implementation=implementation)
        optimizer = build_optimizer(module.parameters(), config)
        for parameter in module.parameters():
            numbers = torch.arange(parameter.numel()).reshape(parameter.shape).float().sin()
            parameter.grad = laid_out_as(numbers, parameter)
        sum_gradients(module.parameters(), Doubling(), torch.zeros(()))
        assert all(one.grad.stride() == one.stride() for one in module.parameters())
        optimizer.step()
    for one, other in zip(plain.parameters(), laid.parameters(), strict=True):
        assert torch.equal(one, other)


def test_the_order_in_memory_follows_another_tensor_and_numbers_stay():
    like = torch.zeros(2, 3, 4, 5).contiguous(memory_format=torch.channels_last)
    tensor = torch.randn(2, 3, 4, 5)
    found = laid_out_as(tensor, like)
    assert torch.equal(found, tensor)
    assert found.stride() == like.stride()
    assert laid_out_as(like, like) is like
    assert laid_out_as(torch.zeros(()), like).ndim == 0
