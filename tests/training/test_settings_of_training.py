"""Runs with each setting of optimizer and loop are resumed to the same bits, and do the same on two ranks."""

import pytest
import torch
from safetensors.torch import load_file

from raymm.storage import sha256_of
from raymm.storage.layout import epoch_folder
from raymm.training.context import RunContext
from raymm.training.loop import Backends, iter_epochs, train
from raymm.training.run import create_or_open, open_run
from tests.games import advanced, gappy_dataset, settings, untimed
from tests.ranks import on_ranks, ranks

pytestmark = pytest.mark.usefixtures("without_waiting_for_the_disk")

EPOCHS = 4
SPLITS = ("train",) * 22 + ("val",) * 9 + ("test",) * 6
"""22 rows in batches of 7: of the last batch, the second of two ranks has none."""

CASES = {
    "sgd with nesterov": {"optimizer": {"name": "sgd", "nesterov": True}},
    "fused": {"optimizer": {"implementation": "fused"}},
    "of torch by name": {"optimizer": {"name": "torch.optim:NAdam", "args": {"momentum_decay": 0.01}}},
    "factored": {"optimizer": {"name": "torch.optim:Adafactor"}},
    "all decay": {"optimizer": {"decay": "all", "weight_decay": 0.1}},
    "groups": {"optimizer": {"groups": {"encoders.m0": {"frozen_epochs": 2, "factor": 0.5}, "fusion": {"lr": 0.02}}}},
    "warm-up of updates": {"optimizer": {"warmup": "5 steps", "per": "step", "min_lr": 1e-4}},
    "warm-up of epochs": {"optimizer": {"warmup": 1.5, "schedule": "linear", "per": "step"}},
    "plateau": {"optimizer": {"schedule": "plateau", "plateau_patience": 0, "plateau_factor": 0.5}},
    "wsd": {"optimizer": {"schedule": "wsd", "per": "step", "wsd_stable": 0.3, "wsd_decay": "sqrt"}},
    "accumulate": {"training": {"accumulate": 2}},
    "patience": {"training": {"patience": 1}},
    "average": {"training": {"ema": 0.8}},
    "average of added batches": {"training": {"ema": 0.8, "accumulate": 2}, "optimizer": {"warmup": 0.5}},
}
"""Sections of settings, each beside dropout, a learned baseline and a method that re-samples."""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return gappy_dataset(tmp_path_factory.mktemp("data") / "d", 2, SPLITS, (0.3, 0.4), "classification")


def config_of(case, dropout=0.2):
    sections = {
        "training": {"epochs": EPOCHS, "batch_size": 7, "keep": 9, "threads": 1},
        "model": {"feature_size": 8, "encoder": {"width": 4, "dropout": dropout}, "baseline": "learned"},
        "method": {"name": "sample", "warmup": 1},
    }
    return settings(
        **{name: {**sections.get(name, {}), **CASES[case].get(name, {})} for name in {**sections, **CASES[case]}}
    )


def committed(run):
    """Hashes of all tensors that are committed, by epoch and file."""
    files = sorted(run.path.glob("epochs/*/*.safetensors"))
    return {str(file.relative_to(run.path)): sha256_of(file) for file in files}


@pytest.mark.parametrize("case", CASES)
def test_a_run_that_is_resumed_after_every_epoch_ends_with_the_same_bits(tmp_path, data, case):
    whole, again = (create_or_open(tmp_path / name, config_of(case), data) for name in ("whole", "again"))
    result = train(whole, data, Backends())
    for epoch in range(1, EPOCHS):
        for state in iter_epochs(open_run(again.path), data, Backends()):
            if state.epoch == epoch:
                break
    resumed = train(open_run(again.path), data, Backends())
    assert committed(again) == committed(whole)
    assert [untimed(entry["metrics"]) for entry in resumed.history] == [
        untimed(entry["metrics"]) for entry in result.history
    ]
    assert untimed(resumed.metrics) == untimed(result.metrics)


def test_the_cases_differ(tmp_path, data):
    """Else a setting that nothing reads would be among them."""
    ends = set()
    for case in CASES:
        run = create_or_open(tmp_path / case.replace(" ", "-"), config_of(case), data)
        for state in iter_epochs(run, data, Backends()):
            if state.epoch == 2:
                break
        if case != "patience":
            ends.add(sha256_of(epoch_folder(run.path, 2) / "model.safetensors"))
    assert len(ends) == len(CASES) - 1


@pytest.mark.parametrize("case", CASES)
def test_two_ranks_do_what_one_process_does(tmp_path, data, case):
    one, two = (create_or_open(tmp_path / name, config_of(case, dropout=0.0), data) for name in ("one", "two"))
    for state in iter_epochs(one, data, Backends()):
        if state.epoch == 2:
            break
    communicators = ranks(2)
    built = [RunContext.build(two, data, Backends(communicator=rank)) for rank in communicators]

    def work(context):
        advanced(context, 2)
        return {name: tensor.clone() for name, tensor in context.trainer.model.state_dict().items()}

    first, second = on_ranks(communicators, built, work)
    mine, theirs = (load_file(epoch_folder(run.path, 2) / "model.safetensors") for run in (one, two))
    for name, tensor in mine.items():
        assert torch.equal(first[name], second[name]), name
        assert torch.allclose(theirs[name], tensor, rtol=1e-3, atol=1e-4), name
