"""Views: deterministic for valuation, keyed by row for training, nothing read for masked modalities."""

import numpy as np
import pytest
import torch

from raymm.config import ViewConfig
from raymm.data import BatchReader, open_dataset, write_dataset
from raymm.data.transforms import add_noise, mirror, shift_in_space, shift_in_time
from raymm.errors import ConfigError
from tests.data.test_format import SCHEMA, make_samples


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "d"
    write_dataset(path, make_samples(60), SCHEMA)
    return open_dataset(path)


def same(a, b):
    return all(torch.equal(a.inputs[name], b.inputs[name]) for name in SCHEMA.names)


def test_shapes_and_ranges(dataset):
    batch = BatchReader(dataset, ViewConfig()).batch(np.arange(10))
    assert {name: tuple(value.shape) for name, value in batch.inputs.items()} == {
        "audio": (8, 1, 64, 6),
        "rgb": (8, 2, 3, 8, 10),
        "title": (8, 320),
        "v": (8, 5),
        "imu": (8, 3, 12),
    }
    assert batch.mask.tolist() == dataset.present[:10].tolist()
    assert batch.inputs["rgb"].mean().abs() < 0.1
    assert (batch.inputs["rgb"].std() - 1).abs() < 0.1
    assert batch.inputs["audio"].mean().abs() < 1e-5


def test_vectors_are_standardised(dataset):
    rows = dataset.rows("train")
    values = BatchReader(dataset, ViewConfig()).batch(rows).inputs["v"]
    assert torch.allclose(values.mean(dim=0), torch.zeros(5), atol=1e-5)
    assert torch.allclose(values.std(dim=0, correction=0), torch.ones(5), atol=1e-4)


def test_a_sample_reads_the_same_in_any_batch(dataset):
    view = BatchReader(dataset, ViewConfig(noise_db={"audio": -10, "v": 0}))
    whole = view.batch(np.arange(20))
    alone = view.batch(np.arange(13, 14))
    for position, name in enumerate(SCHEMA.names):
        before = int(whole.mask[:13, position].sum())
        assert torch.allclose(
            whole.inputs[name][before : before + len(alone.inputs[name])], alone.inputs[name], atol=1e-5
        )
    assert same(whole, view.batch(np.arange(20)))


def test_noise_depends_on_the_seed_and_the_sample_and_on_nothing_else(dataset):
    rows = np.arange(20)
    noisy = BatchReader(dataset, ViewConfig(noise_db={"v": 0}), seed=1).batch(rows)
    assert not same(noisy, BatchReader(dataset, ViewConfig(noise_db={"v": 0}), seed=2).batch(rows))
    assert not same(noisy, BatchReader(dataset, ViewConfig(), seed=1).batch(rows))
    assert torch.equal(noisy.inputs["imu"], BatchReader(dataset, ViewConfig(), seed=1).batch(rows).inputs["imu"])


def test_augmentation_is_keyed_by_the_row_of_the_plan(dataset):
    view = BatchReader(dataset, ViewConfig(flip=True))
    rows, index = np.arange(30), np.arange(30)
    keys = view.augmentation_keys(0, rows)
    whole = view.batch(index, keys=keys)
    part = view.batch(index[20:], keys=keys[20:])
    for position, name in enumerate(SCHEMA.names):
        before = int(whole.mask[:20, position].sum())
        assert torch.allclose(whole.inputs[name][before:], part.inputs[name], atol=1e-5)
    assert not same(whole, view.batch(index, keys=view.augmentation_keys(1, rows)))
    assert not same(whole, view.batch(index))


def test_only_modalities_of_the_mask_are_read(dataset):
    mask = np.zeros((10, 5), bool)
    mask[:, 3] = True
    batch = BatchReader(dataset, ViewConfig()).batch(np.arange(10), mask)
    assert [len(value) for value in batch.inputs.values()] == [0, 0, 0, 8, 0]
    assert batch.mask.sum() == 8


def test_noise_on_a_modality_that_is_not_there_is_refused(dataset):
    with pytest.raises(ConfigError) as caught:
        BatchReader(dataset, ViewConfig(noise_db={"adio": -10, "title": 0}))
    assert "no modality 'adio'; did you mean 'audio'?" in str(caught.value)
    assert "'title' is text, which takes no noise" in str(caught.value)


@pytest.mark.parametrize("level", [-10.0, 0.0, 20.0])
def test_noise_has_the_power_that_its_level_says(level):
    generator = torch.Generator().manual_seed(0)
    clean, noise = torch.randn(4, 50_000, generator=generator) * 3, torch.randn(4, 50_000, generator=generator)
    added = add_noise(clean, noise, level) - clean
    ratio = 10 * torch.log10(clean.square().mean(dim=1) / added.square().mean(dim=1))
    assert torch.allclose(ratio, torch.full((4,), level), atol=0.1)


def test_shifts_move_and_fill():
    x = torch.arange(1.0, 6.0).repeat(3, 1)
    assert shift_in_time(x, torch.tensor([0, 2, -1])).tolist() == [
        [1, 2, 3, 4, 5],
        [0, 0, 1, 2, 3],
        [2, 3, 4, 5, 0],
    ]
    frames = torch.rand(2, 3, 1, 10, 10)
    still = shift_in_space(frames, 0.1, torch.full((2, 2), 0.5))
    moved = shift_in_space(frames, 0.1, torch.tensor([[0.99, 0.5], [0.5, 0.5]]))
    assert torch.equal(still, frames)
    assert torch.equal(moved[0, :, :, 1:], frames[0, :, :, :-1])
    assert torch.equal(moved[1], frames[1])


def test_mirrored_flow_points_the_other_way():
    flow = torch.ones(2, 1, 2, 4, 4)
    mirrored = mirror(flow, torch.tensor([True, False]), flow=True)
    assert mirrored[0, 0, 0].unique().tolist() == [-1]
    assert mirrored[0, 0, 1].unique().tolist() == [1]
    assert torch.equal(mirrored[1], flow[1])
