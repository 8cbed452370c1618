"""Batches are the same whoever reads them, and workers neither change errors nor outlive their loader."""

import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import torch

from raymm.config import ViewConfig
from raymm.data import BatchReader, open_dataset
from raymm.data.in_memory import MemoryRows
from raymm.data.loading import BatchLoader, BatchRequest
from raymm.errors import DataError, TrainingError
from raymm.storage import commit_directory

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}
SIX = ROOT / "tests" / "compat" / "v0_1_0" / "data" / "six"
"""A data set of every kind of modality; some samples lack some."""


@pytest.fixture(scope="module")
def reader():
    return BatchReader(open_dataset(SIX), ViewConfig(noise_db={"points": -3.0, "sound": 0.0}, flip=True), seed=5)


def requests(reader, count=9, size=5, epoch=0):
    """Random rows with random keep-masks, augmented."""
    generator = np.random.default_rng(0)
    rows = reader.dataset.rows("train")
    for number in range(count):
        index = generator.choice(rows, size)
        mask = generator.random((size, len(reader.dataset.schema.names))) < 0.8
        yield BatchRequest(
            index, mask, reader.augmentation_keys(epoch, np.arange(number * size, (number + 1) * size))
        )


def tensors(batches):
    """All tensors of some batches, in order."""
    return [[*batch.inputs.values(), batch.mask, batch.labels, batch.index] for batch in batches]


def same(some, others):
    pairs = zip(chain(*some), chain(*others), strict=True)
    return all(one.dtype == other.dtype and torch.equal(one, other) for one, other in pairs)


@pytest.fixture(scope="module")
def read_here(reader):
    with BatchLoader(reader) as loader:
        return tensors(loader.load(requests(reader)))


@pytest.mark.filterwarnings("ignore:This DataLoader will create")
@pytest.mark.parametrize("workers", [1, 3])
def test_batches_do_not_depend_on_the_number_of_workers(reader, read_here, workers):
    with BatchLoader(reader, workers) as loader:
        for _ in range(2):  # the workers last from epoch to epoch
            assert same(tensors(loader.load(requests(reader))), read_here)
        assert not same(tensors(loader.load(requests(reader, epoch=1))), read_here)


def test_batches_do_not_depend_on_the_threads_of_the_process_that_reads(reader, read_here):
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(4)
        with BatchLoader(reader) as loader:
            assert same(tensors(loader.load(requests(reader))), read_here)
        assert torch.get_num_threads() == 4
        by_four = [reader.batch(one.index, one.mask, one.keys) for one in requests(reader)]
    finally:
        torch.set_num_threads(before)
    if same(tensors(by_four), read_here):
        pytest.skip("on this processor four threads give the bits of one, so that nothing could differ")


def test_a_data_set_in_memory_goes_to_the_workers_whole(reader):
    columns = {
        name: [reader.dataset.shards.read(name, np.array([row]))[0] for row in range(6)] for name in ("points",)
    }
    schema = reader.dataset.schema.model_copy(update={"modalities": (reader.dataset.schema["points"],)})
    dataset = replace(reader.dataset, schema=schema, shards=MemoryRows(schema, columns), statistics={})
    held = BatchReader(dataset, ViewConfig(augment=False))
    wanted = [BatchRequest(np.arange(3)), BatchRequest(np.arange(3, 6))]
    with BatchLoader(held) as here, BatchLoader(held, 1) as there:
        assert same(tensors(there.load(wanted)), tensors(here.load(wanted)))


@pytest.mark.parametrize("workers", [0, 1])
def test_loading_draws_nothing_from_the_generator_that_dropout_draws_from(reader, workers):
    state = torch.get_rng_state()
    with BatchLoader(reader, workers) as loader:
        list(loader.load(requests(reader, 2)))
    assert torch.equal(torch.get_rng_state(), state)


def test_an_error_for_people_comes_out_of_a_worker_in_its_own_words(tmp_path):
    shutil.copytree(SIX, tmp_path / "six")
    reader = BatchReader(open_dataset(tmp_path / "six"), ViewConfig())
    manifest = json.loads((tmp_path / "six" / "manifest.json").read_text())
    manifest["schema"]["classes"] = ["other", *manifest["schema"]["classes"][1:]]
    commit_directory(tmp_path / "six", manifest)
    with BatchLoader(reader, 1) as loader, pytest.raises(DataError) as caught:
        list(loader.load(requests(reader)))
    assert str(caught.value) == f"{tmp_path / 'six'}: changed while it was read; start a new run"


def test_a_mistake_in_the_program_keeps_its_traceback(reader):
    with BatchLoader(reader, 1) as loader, pytest.raises(IndexError, match="in DataLoader worker process 0"):
        list(loader.load([BatchRequest(np.array([10_000]))]))


def test_a_worker_that_is_killed_is_named(reader):
    def read_and_kill(loader):
        for number, _ in enumerate(loader.load(requests(reader, count=1000))):
            if number == 3:
                os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)

    with BatchLoader(reader, 1) as loader, pytest.raises(TrainingError) as caught:
        read_and_kill(loader)
    assert "was ended from outside" in str(caught.value)
    assert "lower training.loader_workers" in str(caught.value)


def test_a_script_without_a_guard_is_told_what_is_missing(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "from tests.data import test_loading as t\nfrom raymm.data.loading import BatchLoader\n"
        "reader = t.BatchReader(t.open_dataset(t.SIX), t.ViewConfig())\n"
        "list(BatchLoader(reader, 1).load(t.requests(reader)))\n"
    )
    done = subprocess.run([sys.executable, script], check=False, env=ENVIRONMENT, capture_output=True, text=True)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert "the processes that read batches did not start" in last
    assert 'stand under `if __name__ == "__main__":`; or set training.loader_workers=0' in last
    guarded = script.read_text().replace("list(", "if __name__ == '__main__': list(")
    script.write_text(guarded)
    assert subprocess.run([sys.executable, script], check=True, env=ENVIRONMENT).returncode == 0


def alive(pids):
    return [pid for pid in pids if Path(f"/proc/{pid}").exists()]


def fail_within(batches):
    for _ in batches:
        raise ArithmeticError


@pytest.mark.parametrize("ending", ["close", "raise", "abandon"])
def test_workers_end_with_the_loader(reader, ending):
    loader = BatchLoader(reader, 2)
    batches = loader.load(requests(reader))
    next(batches)
    pids = [child.pid for child in multiprocessing.active_children()]
    assert len(alive(pids)) == 2
    if ending == "close":
        list(batches)
        loader.close()
    elif ending == "raise":
        with pytest.raises(ArithmeticError) as kept, loader:
            fail_within(loader.load(requests(reader)))
        assert kept.value.__traceback__ is not None  # its frames refer to the batches
    else:
        loader.close()
    until = time.monotonic() + 10
    while alive(pids) and time.monotonic() < until:
        time.sleep(0.01)
    assert alive(pids) == []
