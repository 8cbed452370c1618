"""Training on a GPU: the numbers of a CPU but for rounding, for every method, and the same run when it goes on."""

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file as load_arrays

from raymm.config import load
from raymm.data import AudioSpec, RgbSpec, Sample, Schema, VectorSpec, open_dataset, write_dataset
from raymm.methods import METHODS
from raymm.storage import layout
from raymm.storage.layout import epoch_folder
from raymm.training.checkpoint import read_checkpoint
from raymm.training.loop import Backends, iter_epochs, train
from raymm.training.run import create_or_open, open_run
from tests.games import gappy_datasets
from tests.methods.test_every_method import SPLITS, config_of, defined_for

pytestmark = pytest.mark.usefixtures("without_waiting_for_the_disk")

EPOCHS = 3
CLOSE = 1e-4
"""How far weights of an epoch may be apart: sums are added in another order."""

DRAW_THERE = {"ogm_ge"}
"""Methods that draw as many numbers as there are weights, which a GPU does by a generator of its own."""

HALVES = 0.05
"""The same where numbers have 8 or 11 bits."""

SETTINGS = {
    "plain": (),
    "bfloat16": ("training.precision=bfloat16",),
    "float16": ("training.precision=float16",),
    "channels_last": ("training.channels_last=true",),
    "average": ("training.ema=0.9",),
    "accumulate": ("training.accumulate=2",),
    "loaders": ("training.loader_workers=1",),
    "on the device": ("training.transforms=device", "training.loader_workers=1"),
    "compiled": ("training.compile=true",),
    "focal": ("training.loss.focal=1.5", "training.loss.class_weights=balanced"),
}
CLIPS = (
    "method=sample",
    "method.warmup=1",
    "model.feature_size=8",
    "model.encoder.width=4",
    f"training.epochs={EPOCHS}",
    "training.batch_size=8",
    "training.keep=9",
)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return gappy_datasets(tmp_path_factory.mktemp("data"), SPLITS, (0.3, 0.4))


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    """Sound, frames and vectors, some of them missing."""
    schema = Schema(
        modalities=(
            RgbSpec(name="rgb", frames=2, height=16, width=16),
            AudioSpec(name="audio", seconds=0.2, n_mels=16),
            VectorSpec(name="v", size=3),
        ),
        classes=("a", "b"),
    )
    generator = np.random.default_rng(0)

    def values(row, label):
        made = {
            "rgb": generator.integers(0, 128 + 100 * label, (2, 3, 16, 16), dtype=np.uint8),
            "audio": (3000 * (1 + label) * generator.standard_normal(3200)).astype(np.int16),
            "v": generator.standard_normal(3, np.float32) + label,
        }
        if row % 5 == 1:
            del made["audio"]
        return made

    splits = ["train"] * 20 + ["val"] * 6 + ["test"] * 6
    samples = [Sample(f"s{row}", split, row % 2, values(row, row % 2)) for row, split in enumerate(splits)]
    return open_dataset(write_dataset(tmp_path_factory.mktemp("clips") / "data", samples, schema))


def stop_at(run, dataset, epoch, device):
    for state in iter_epochs(run, dataset, Backends(device=device)):
        if state.epoch == epoch:
            return


def weights(run, epoch):
    return load_arrays(epoch_folder(run.path, epoch) / layout.WEIGHTS)


def apart(one, other):
    assert one.keys() == other.keys()
    return max(float(np.abs(value.astype(float) - other[name].astype(float)).max()) for name, value in one.items())


@pytest.mark.parametrize("name", METHODS)
def test_every_method_trains_on_a_gpu_as_on_a_cpu_and_goes_on_with_the_same_bits(name, tmp_path, data, cuda):
    dataset, config = data(defined_for(name, data, 2, 3, 1)), config_of(name)
    here, there, again = (create_or_open(tmp_path / part, config, dataset) for part in ("cpu", "cuda", "again"))
    stop_at(here, dataset, 1, torch.device("cpu"))
    train(there, dataset, Backends(device=cuda))
    assert name in DRAW_THERE or apart(weights(here, 1), weights(there, 1)) < CLOSE
    for epoch in range(1, EPOCHS + 1):
        stop_at(open_run(again.path), dataset, epoch, cuda)
    for epoch in range(1, EPOCHS + 1):
        assert apart(weights(again, epoch), weights(there, epoch)) == 0


@pytest.mark.parametrize("chosen", SETTINGS)
def test_settings_of_training_on_a_gpu(chosen, tmp_path, clips, cuda):
    settings = SETTINGS[chosen]
    on_cpu = ("training.precision=float32",) if "float16" in chosen else ()
    runs = {
        part: create_or_open(tmp_path / part, load(None, (*CLIPS, *settings, *more)), clips)
        for part, more in (("cpu", on_cpu), ("cuda", ()), ("again", ()))
    }
    stop_at(runs["cpu"], clips, 1, torch.device("cpu"))
    train(runs["cuda"], clips, Backends(device=cuda))
    assert apart(weights(runs["cpu"], 1), weights(runs["cuda"], 1)) < (HALVES if "float16" in chosen else CLOSE)
    stop_at(open_run(runs["again"].path), clips, 1, cuda)
    train(open_run(runs["again"].path), clips, Backends(device=cuda))
    assert apart(weights(runs["again"], EPOCHS), weights(runs["cuda"], EPOCHS)) == 0
    history = read_checkpoint(runs["cuda"].path, EPOCHS).history
    assert all(np.isfinite(list(entry["metrics"].values())).all() for entry in history)
    assert history[0]["metrics"].keys() == read_checkpoint(runs["cpu"].path, 1).history[0]["metrics"].keys()
