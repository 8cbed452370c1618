"""RandAugment and SpecAugment by torchvision and torchaudio: keyed by the row, and nothing where they are off."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torchvision.transforms.v2 import RandAugment

from raymm.config import parse
from raymm.config.view import RandAugmentConfig, SpecAugmentConfig
from raymm.data import Dataset, Schema
from raymm.data.augmentation import AUGMENT, mask_spectra_at_random, randaugment
from raymm.data.in_memory import MemoryRows
from raymm.data.reader import BatchReader
from raymm.errors import ConfigError

KEYS = np.array([3, 2**63 + 5, 3, 77], np.uint64)


def pictures(*shape):
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def spectra(count=4):
    return torch.randn(count, 1, 40, 50, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("shape", [(4, 3, 16, 20), (4, 5, 3, 16, 20)])
def test_randaugment_is_that_of_torchvision_and_keyed(shape):
    stored = pictures(*shape)
    stored[2] = stored[0]
    made = randaugment(stored, KEYS, RandAugmentConfig(ops=2, magnitude=12))
    assert (made.dtype, made.shape) == (np.uint8, stored.shape)
    np.testing.assert_array_equal(made[0], made[2])  # the same picture by the same key
    alone = randaugment(stored[3:], KEYS[3:], RandAugmentConfig(ops=2, magnitude=12))
    np.testing.assert_array_equal(alone[0], made[3])
    with torch.random.fork_rng():
        torch.manual_seed((77 ^ AUGMENT) % 2**63)
        expected = RandAugment(num_ops=2, magnitude=12)(torch.from_numpy(stored[3]))
    np.testing.assert_array_equal(made[3], expected.numpy())
    assert sum((made[row] != stored[row]).any() for row in range(4)) >= 2
    others = randaugment(stored, KEYS + np.uint64(9), RandAugmentConfig(ops=2, magnitude=12))
    assert (others != made).any()


def test_specaugment_masks_bands_and_frames_with_the_mean():
    values = spectra()
    values[2] = values[0]
    made = mask_spectra_at_random(values, KEYS, SpecAugmentConfig(time=0.4, frequency=0.5, masks=2))
    torch.testing.assert_close(made[0], made[2], rtol=0, atol=0)
    alone = mask_spectra_at_random(values[3:], KEYS[3:], SpecAugmentConfig(time=0.4, frequency=0.5, masks=2))
    torch.testing.assert_close(alone[0], made[3], rtol=0, atol=0)
    masked = made == 0
    torch.testing.assert_close(made[~masked], values[~masked], rtol=0, atol=0)
    for one in masked[:, 0]:
        bands, frames = one.all(dim=1), one.all(dim=0)
        assert (one == (bands[:, None] | frames)).all()  # whole bands and whole frames, nothing else
        assert bands.sum() <= 2 * 20
        assert frames.sum() <= 2 * 20
    assert masked.any()
    only = mask_spectra_at_random(values, KEYS, SpecAugmentConfig(time=0.4)) == 0
    assert not only[:, 0].all(dim=2).any()


def test_nothing_is_done_or_drawn_where_they_are_off_or_without_keys():
    stored, values = pictures(4, 3, 8, 8), spectra()
    state = torch.random.get_rng_state()
    assert randaugment(stored, KEYS, RandAugmentConfig()) is stored
    assert mask_spectra_at_random(values, KEYS, SpecAugmentConfig()) is values
    assert mask_spectra_at_random(values, None, SpecAugmentConfig(time=0.5)) is values
    randaugment(stored, KEYS, RandAugmentConfig(ops=1))
    mask_spectra_at_random(values, KEYS, SpecAugmentConfig(time=0.5))
    assert torch.equal(torch.random.get_rng_state(), state)


def test_generators_of_gpus_that_hold_none_of_the_values_are_left_alone(monkeypatch):
    seeded = []
    monkeypatch.setattr(torch.cuda, "manual_seed_all", seeded.append)
    torch.manual_seed(5)
    assert seeded == [5]  # what torch does by itself
    randaugment(pictures(4, 3, 8, 8), KEYS, RandAugmentConfig(ops=1))
    mask_spectra_at_random(spectra(), KEYS, SpecAugmentConfig(time=0.5))
    assert seeded == [5]


@pytest.fixture(scope="module")
def dataset():
    specs = [
        {"name": "image", "kind": "image", "height": 16, "width": 16},
        {"name": "rgb", "kind": "rgb", "frames": 2, "height": 16, "width": 16},
        {"name": "sound", "kind": "audio", "rate": 8000, "seconds": 0.5},
    ]
    schema = Schema(modalities=specs, classes=["a", "b"])
    generator = np.random.default_rng(0)
    rows = MemoryRows(
        schema,
        {
            "image": list(pictures(6, 3, 16, 16)),
            "rgb": list(pictures(6, 2, 3, 16, 16)),
            "sound": list(generator.normal(size=(6, *schema["sound"].shape)).astype(np.float32)),
        },
    )
    return Dataset(Path(), schema, rows, statistics={}, digest="")


def test_a_reader_augments_training_rows_alone_and_each_alike_in_any_batch(dataset):
    view = {"randaugment": {"ops": 2, "magnitude": 15}, "specaugment": {"time": 0.5, "frequency": 0.5}}
    plain, reader = BatchReader(dataset, parse({}).view, 0), BatchReader(dataset, parse({"view": view}).view, 0)
    rows = np.arange(6)
    keys = reader.augmentation_keys(1, rows)
    whole, off = reader.batch(rows, keys=keys), plain.batch(rows, keys=keys)
    for name in dataset.schema.names:
        assert not torch.equal(whole.inputs[name], off.inputs[name]), name
        evaluated = reader.batch(rows).inputs[name]
        torch.testing.assert_close(evaluated, plain.batch(rows).inputs[name], rtol=0, atol=0)
        one = reader.batch(rows[4:5], keys=keys[4:5]).inputs[name]
        torch.testing.assert_close(one[0], whole.inputs[name][4], rtol=1e-5, atol=1e-5)
    other = reader.batch(rows, keys=reader.augmentation_keys(2, rows))
    assert not torch.equal(other.inputs["image"], whole.inputs["image"])


@pytest.mark.parametrize(
    ("view", "words"),
    [
        ({"randaugment": {"ops": -1}}, "view.randaugment.ops"),
        ({"randaugment": {"magnitude": 31}}, "view.randaugment.magnitude"),
        ({"specaugment": {"time": 1.5}}, "view.specaugment.time"),
        ({"specaugment": {"freq": 0.5}}, "did you mean 'frequency'"),
    ],
)
def test_settings_out_of_range_are_refused(view, words):
    with pytest.raises(ConfigError) as caught:
        parse({"view": view})
    assert words in str(caught.value)
