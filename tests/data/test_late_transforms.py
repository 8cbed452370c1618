"""`training.transforms`: where values are transformed changes where they lie, and on a CPU no bit."""

from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import torch

from raymm.config import ViewConfig, load
from raymm.data import AudioSpec, BatchReader, EmbeddingSpec, RgbSpec, SequenceSpec, open_dataset, transforms
from raymm.data.loading import BatchLoader, BatchRequest
from raymm.data.mixup import Mixing
from raymm.errors import DataError
from raymm.storage import sha256_of
from raymm.storage.layout import epoch_folder
from raymm.training.loop import Backends, train
from raymm.training.run import create_or_open

SIX = Path(__file__).parents[1] / "compat" / "v0_1_0" / "data" / "six"
"""A data set of every kind of modality; some samples lack some."""

VIEWS = {
    "plain": {"augment": False},
    "augmented": {"flip": True, "shift": 0.3, "crop": 0.2, "noise_db": {"points": -3.0, "sound": 0.0}},
    "spectra": {"specaugment": {"time": 0.5, "frequency": 0.5, "masks": 2}, "randaugment": {"ops": 2}},
}


def reader_of(view):
    return BatchReader(open_dataset(SIX), ViewConfig(**VIEWS[view]), seed=5)


def requests(reader, count=6, size=5, mix=False):
    generator = np.random.default_rng(0)
    rows, names = reader.dataset.rows("train"), reader.dataset.schema.names
    numbers = np.array([not reader.dataset.schema[name].is_text for name in names])
    for number in range(count):
        index, mask = generator.choice(rows, size), generator.random((size, len(names))) < 0.8
        keys = reader.augmentation_keys(0, np.arange(number * size, (number + 1) * size))
        part = generator.random(size - 1).astype(np.float32)
        mixing = Mixing(generator.permutation(size)[: size - 1], part, numbers) if mix else None
        yield BatchRequest(index, mask, keys, mixing)


def tensors(batch):
    more = [] if batch.mixed is None else [batch.mixed.partner, batch.mixed.own]
    return [*batch.inputs.values(), batch.mask, batch.labels, batch.index, *more]


def read(reader, late, workers=0, mix=False):
    with BatchLoader(reader, workers, late=late) as loader:
        return list(chain(*(tensors(batch) for batch in loader.load(requests(reader, mix=mix)))))


def same(some, others):
    return all(one.dtype == other.dtype and torch.equal(one, other) for one, other in zip(some, others, strict=True))


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("mix", [False, True])
def test_batches_have_the_same_bits_wherever_they_are_transformed(view, mix):
    reader = reader_of(view)
    assert same(read(reader, late=True, mix=mix), read(reader, late=False, mix=mix))


def test_workers_read_and_the_process_that_trains_transforms(monkeypatch):
    reader = reader_of("augmented")
    before = torch.get_num_threads()
    expected = read(reader, late=False)
    seen = []
    original = transforms.log_mel
    monkeypatch.setattr("raymm.data.kinds.audio.log_mel", lambda *given: seen.append(1) or original(*given))
    assert same(read(reader, late=True, workers=1), expected)
    assert len(seen) == 6  # here, a batch each: not in the worker
    seen.clear()
    assert same(read(reader, late=False, workers=1), expected)
    assert not seen
    assert torch.get_num_threads() == before


def test_values_that_wait_are_those_before_the_transform():
    reader = reader_of("augmented")
    request = next(requests(reader))
    waiting = reader.untransformed(request.index, request.mask, request.keys)
    assert waiting.batch.inputs["sound"].ndim == 2  # waveforms
    assert reader.transformed(waiting).inputs["sound"].ndim == 4
    assert waiting.batch.inputs["sound"].ndim == 2
    assert set(waiting.waiting) == set(reader.dataset.schema.names)


def test_another_shape_is_refused_there_too(monkeypatch):
    reader = reader_of("plain")
    monkeypatch.setattr("raymm.data.kinds.audio.log_mel", lambda mel, waveforms: waveforms)
    with (
        BatchLoader(reader, late=True) as loader,
        pytest.raises(DataError, match="sound: the kind 'audio' transforms"),
    ):
        list(loader.load(requests(reader, 1)))


@pytest.mark.parametrize(
    "spec",
    [
        AudioSpec(name="a", seconds=0.1),
        RgbSpec(name="a", frames=2, height=12, width=12),
        SequenceSpec(name="a", channels=2, length=9),
        EmbeddingSpec(name="a", tokens=3, size=2),
    ],
)
def test_transforms_make_their_tensors_on_the_device_of_the_values(spec):
    """torch's device "meta" has shapes and no numbers; a tensor on the CPU beside it is refused."""
    keys = np.arange(4, dtype=np.uint64)
    values = torch.empty(4, *spec.shape, device="meta")
    made = spec.transform(values, keys, ViewConfig(flip=True, shift=0.3, crop=0.2))
    assert made.device.type == "meta"
    assert made.shape == (4, *spec.input_shape)


def test_a_run_trains_the_same_weights(tmp_path):
    dataset, hashes = open_dataset(SIX), {}
    for place in ("loader", "device"):
        settings = ("method=joint", "training.epochs=1", "model.encoder.width=4", f"training.transforms={place}")
        run = create_or_open(tmp_path / place, load(None, settings), dataset)
        train(run, dataset, Backends())
        hashes[place] = sha256_of(epoch_folder(run.path, 1) / "model.safetensors")
    assert hashes["device"] == hashes["loader"]
