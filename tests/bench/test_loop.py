"""The loops that bench `loop` compares train alike: where nothing is drawn, the weights are the same."""

import numpy as np
import pytest
import torch
import torch.distributed as dist

from bench.plain_loop import PlainLoop
from bench.trainer import trainer_of
from raymm.config import load
from raymm.data import AudioSpec, BatchReader, FlowSpec, RgbSpec, Sample, Schema, open_dataset, write_dataset
from raymm.data.loading import BatchLoader
from raymm.methods import Plan, base_plan
from raymm.training.epoch import train_epoch

SETTINGS = (
    "method=joint",
    "model.feature_size=8",
    "model.encoder.width=4",
    "model.encoder.dropout=0",
    "view.shift=0",
    "view.crop=0",
    "optimizer.name=sgd",
    "training.batch_size=64",
)
ROWS = 12


@pytest.fixture(scope="module")
def clips(tmp_path_factory):
    schema = Schema(
        modalities=(
            AudioSpec(name="audio", seconds=0.1),
            RgbSpec(name="rgb", frames=2, height=12, width=12),
            FlowSpec(name="flow", frames=2, height=12, width=12),
        ),
        classes=("a", "b"),
    )
    generator = np.random.default_rng(0)

    def values():
        return {
            "audio": generator.standard_normal(1600).astype(np.float32) / 3,
            "rgb": generator.integers(0, 256, (2, 3, 12, 12)).astype(np.uint8),
            "flow": generator.standard_normal((2, 2, 12, 12)).astype(np.float16),
        }

    splits = ["train"] * ROWS + ["val"] * 2 + ["test"] * 2
    samples = (Sample(f"s{row:02d}", split, row % 2, values()) for row, split in enumerate(splits))
    return open_dataset(write_dataset(tmp_path_factory.mktemp("data") / "d", samples, schema))


@pytest.fixture
def one_rank(tmp_path):
    dist.init_process_group("gloo", f"file://{tmp_path / 'store'}", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def masked_plan(clips):
    """The samples, and a copy of each that keeps one modality."""
    rows = clips.rows("train")
    return Plan(np.concatenate([rows, rows]), np.concatenate([np.full(ROWS, 7), 2 ** (np.arange(ROWS) % 3)]))


def plain_weights(clips, plan, masked):
    loop = PlainLoop(clips, load(None, SETTINGS), plan, masked)
    for number in range(2):
        loop.epoch(number)
    return loop.weights()


def weights_of_raymm(clips, plan):
    trainer = trainer_of(clips, load(None, SETTINGS))
    loader = BatchLoader(BatchReader(clips, trainer.config.view))
    for number in range(2):
        train_epoch(trainer, loader, plan, number)
    return trainer.model.state_dict()


@pytest.mark.usefixtures("one_rank")
@pytest.mark.parametrize("masked", [False, True])
def test_loops_train_alike(clips, masked):
    plan = masked_plan(clips) if masked else base_plan(clips.rows("train"), 3)
    ours, plain = weights_of_raymm(clips, plan), plain_weights(clips, plan, masked)
    assert ours.keys() == plain.keys()
    assert all(torch.allclose(ours[name], plain[name], atol=1e-5) for name in ours)


@pytest.mark.usefixtures("one_rank")
def test_masks_make_a_difference_to_what_is_trained(clips):
    plan = masked_plan(clips)
    masked, whole = plain_weights(clips, plan, masked=True), plain_weights(clips, plan, masked=False)
    assert not all(torch.allclose(masked[name], whole[name], atol=1e-5) for name in whole)
