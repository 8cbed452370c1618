"""Two processes of Lightning, the Hugging Face Trainer and Accelerate train what one process trains by hand."""

import json
import os
import socket
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from tests.integrations.library_loops import EPOCHS, LOOPS, by_hand

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
WORLD = 2


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.fixture(scope="module")
def processes(tmp_path_factory):
    """What each of two processes trained, one library after the other, and how mistakes were answered."""
    folder = tmp_path_factory.mktemp("two")
    given = os.environ | {"PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    given |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port())}
    given |= {"WORLD_SIZE": str(WORLD), "LOCAL_WORLD_SIZE": str(WORLD)}
    words = [sys.executable, "-m", "tests.integrations.two_processes", str(folder)]
    started = [
        subprocess.Popen(
            words,
            cwd=ROOT,
            env=given | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(WORLD)
    ]
    for process in started:
        _, said = process.communicate(timeout=400)
        assert process.returncode == 0, said
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in range(WORLD)]


@pytest.fixture(scope="module")
def alone():
    return by_hand()


def largest_difference(weights, others):
    assert weights.keys() == others.keys()
    return max(np.abs(np.array(weights[name]) - np.array(others[name])).max() for name in weights)


def rows_of(*parts):
    """The rows of a step, whatever their order, over all processes."""
    return Counter(tuple(row) for part in parts for row in part)


@pytest.mark.parametrize("name", LOOPS)
def test_two_processes_train_the_rows_and_weights_of_one(processes, alone, name):
    first, second = (process[name] for process in processes)
    assert (first["epoch"], first["rows"]) == (EPOCHS, alone["rows"])
    assert len(alone["seen"]) == len(first["seen"]) == len(second["seen"])
    uneven = 0
    for step, one, other in zip(alone["seen"], first["seen"], second["seen"], strict=True):
        assert rows_of(one, other) == rows_of(step)
        assert 0 <= len(one) - len(other) <= 1
        uneven += len(one) != len(other)
    assert uneven  # else a mean of means would do
    assert not all(all(keep) for step in alone["seen"] for _, *keep in step)  # some are masked
    assert first["phi"] == alone["phi"]
    assert (len(first["phi"]), second["phi"]) == (EPOCHS - 1, [])
    assert first["weights"] == second["weights"]
    assert largest_difference(first["weights"], alone["weights"]) < 1e-5


def test_the_trainer_counts_the_steps_and_epochs_of_the_plans(processes, alone):
    for process in processes:
        assert process["transformers"]["steps"] == len(alone["seen"])
        assert process["transformers"]["epochs"] == pytest.approx(EPOCHS)


def test_means_over_uneven_parts_are_another_loss(processes, alone):
    """The twin: so the comparison above sees what `batch_rows` is for."""
    assert largest_difference(processes[0]["mean"]["weights"], alone["weights"]) > 1e-4
    assert largest_difference(by_hand("mean")["weights"], alone["weights"]) < 1e-5  # in one process it is the same


@pytest.mark.parametrize("name", ["lightning", "accelerate"])
def test_a_loss_of_coalitions_is_that_of_one_process(processes, alone, name):
    """Its weights of phi are of the whole batch, which both have parts of."""
    first, second = (process["valued"][name] for process in processes)
    by_one = by_hand("valued")
    assert first["weights"] == second["weights"]
    assert largest_difference(first["weights"], by_one["weights"]) < 1e-5
    assert largest_difference(alone["weights"], by_one["weights"]) > 1e-3


def test_a_loss_beside_the_wrapper_is_said_once(processes):
    for process in processes:
        (said,) = process["beside"]
        assert "outside of the forward of DistributedDataParallel, which then does not average the gradients" in said


@pytest.mark.parametrize(
    ("mistake", "words"),
    [
        ("lightning", "the Resampler splits rows over the processes; set use_distributed_sampler=False"),
        ("no callback", "would split the parts again; Lightning and Fabric: set use_distributed_sampler=False"),
        ("accelerate", "Accelerate: make the loader by raymm.integrations.accelerate.prepare_loader"),
        ("dispatched", "1 of 2 processes have read rows of epoch 0, and each has to read its own part"),
    ],
)
def test_what_would_train_other_rows_is_refused_in_every_process(processes, mistake, words):
    for process in processes:
        assert words in process["refused"][mistake]


def test_the_example_holds_equal_weights_in_both(processes):
    first, second = (process["example"] for process in processes)
    assert first == second
    assert first["rows"] > 120
