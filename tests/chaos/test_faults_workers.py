"""F01 to F16: a train worker of either rank is killed in each phase of training, on Ray Train with two workers.

The rows of a phase are those of rank 0 and of rank 1: `F01_F02_restore`, first with the one and then with the other.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from raymm.cluster.train import train_on_ray
from raymm.tracking.metrics import TRAIN_SECONDS
from raymm.training.run import create_or_open
from tests.chaos.runs import BITS, EPOCHS, KILLER, numbers
from tests.games import settings, untimed

pytestmark = [pytest.mark.ray, pytest.mark.chaos, pytest.mark.timeout(500)]

SAMPLES = 160
SLEEP_S = 15
PHASES = ["restore", "first step", "mid-epoch", "before the update", "before saving", "in a file"]
PHASES += ["after the commit", "valuation"]
ROWS = list(enumerate(PHASES))
IDS = [f"F{2 * number + 1:02d}_F{2 * number + 2:02d}_{phase.replace(' ', '_')}" for number, phase in ROWS]


def run_of(path, dataset, *kills):
    config = settings(
        training={"epochs": EPOCHS, "batch_size": 32, "threads": 1, "keep": 9},
        cluster={"workers": 2, "actors": 0, "max_failures": len(PHASES)},
        optimizer={"name": "adam"},
    )
    config = config.model_copy(update={"plugins": (str(KILLER),)})
    run = create_or_open(path, config, dataset)
    (path / "fault.json").write_text(json.dumps({"kills": kills}))
    return run


@pytest.fixture(scope="module")
def straight(ray_local, tmp_path_factory, dataset):
    """The same run, in which nobody is killed."""
    run = run_of(tmp_path_factory.mktemp("straight") / "r", dataset)
    result = train_on_ray(run, lambda _: None)
    return numbers(run.path), result, run.path


@dataclass
class Killed:
    """A run of which one rank was killed in every phase of the second epoch and slow in the third; what it said."""

    path: Path
    result: object
    lengths: list[int]


@pytest.fixture(scope="module", params=[0, 1])
def killed(ray_local, request, tmp_path_factory, dataset):
    """One phase after the other: each start of the worker group comes as far as the next kill."""
    kills = [{"phase": phase, "rank": request.param, "epoch": 1} for phase in PHASES]
    slow = {"phase": "mid-epoch", "rank": request.param, "epoch": 2, "sleep": SLEEP_S}
    run = run_of(tmp_path_factory.mktemp("killed") / "r", dataset, *kills, slow)
    reports = []
    result = train_on_ray(run, reports.append)
    return request.param, Killed(run.path, result, [len(history) for history in reports])


@pytest.mark.parametrize(("number", "phase"), ROWS, ids=IDS)
def test_a_killed_worker_costs_no_bit(killed, straight, number, phase):
    rank, run = killed
    order = json.loads((run.path / "fault.json").read_text())["kills"][number]
    assert order == {"phase": phase, "rank": rank, "epoch": 1}
    assert (run.path / f"fault-{number}-0.done").exists()
    assert numbers(run.path) == straight[0]
    assert run.result.metrics == straight[1].metrics
    pairs = list(zip(run.result.history, straight[1].history, strict=True))
    assert len(pairs) == EPOCHS
    assert all(untimed(a["metrics"]) == untimed(b["metrics"]) for a, b in pairs)
    assert run.lengths == sorted(set(run.lengths))


def test_F40_a_slow_worker(killed, straight):
    """One that is ten times as slow as all of the epoch is: the others wait for it, and nothing is started again.

    The run would end with one more lost group than it has kills.
    """
    _, run = killed
    seconds = [epoch["metrics"][TRAIN_SECONDS] for epoch in run.result.history]
    assert seconds[1] < SLEEP_S < seconds[2]
    assert (run.path / f"fault-{len(PHASES)}-0.done").exists()
    assert numbers(run.path) == straight[0]


def test_a_run_that_was_trained_for_less_differs(straight):
    """The comparison of bits can fail. (The last epoch but one has the same plan: none is made after the last.)"""
    assert not set(numbers(straight[2], 1)[: len(BITS)]) & set(straight[0])
