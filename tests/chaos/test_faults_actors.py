"""F17 to F22: valuation actors and nodes are lost, or too few are there."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from raymm.cluster.connect import connect
from raymm.cluster.train import train_on_ray
from raymm.config import ClusterConfig
from raymm.data import View
from raymm.errors import ClusterError
from raymm.models.model import build_model
from raymm.storage.layout import committed_epochs
from raymm.training.run import create_or_open
from raymm.valuation.engine import stream_rows, value_rows
from raymm.valuation.table import join_tables
from tests.games import settings

pytestmark = [pytest.mark.ray, pytest.mark.chaos]

ROOT = Path(__file__).parents[2]
KILLER = Path(__file__).with_name("killer.py")


@pytest.fixture
def job(dataset, monkeypatch):
    """A valuation of many small blocks."""
    for module in ("raymm.cluster.valuation_pool", "raymm.valuation.engine"):
        monkeypatch.setattr(f"{module}.BATCHES_PER_BLOCK", 1)
    config = settings(valuation={"batch_size": 16, "utility": "probability"})
    model = build_model(dataset.schema, config.model, 0)
    return model, View(dataset, config.view, 0), dataset.rows("train"), config


@pytest.mark.parametrize(
    "blocks_before", [pytest.param(0, id="F17"), pytest.param(2, id="F18"), pytest.param(-1, id="F19")]
)
def test_killed_actors_cost_no_row(ray_local, job, dataset, blocks_before):
    """Every actor of the pool is killed before its first batch, between batches, or after the last one."""
    import ray

    from raymm.cluster.valuation_pool import ActorPool

    exact = join_tables([table for _, table in sorted(stream_rows(*job))])
    pool = ActorPool(2)
    pool._start(job[-1])
    stream = pool.stream(*job)
    victims = ray.get([actor.pid.remote() for actor in pool._actors])
    came = [next(stream) for _ in range(len(list(stream_rows(*job))) if blocks_before < 0 else blocks_before)]
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    came += list(stream)
    if blocks_before < 0:  # the next valuation meets actors that are gone
        came = list(pool.stream(*job))
    assert set(victims).isdisjoint(ray.get([actor.pid.remote() for actor in pool._actors]))
    pool.close()
    assert sorted(number for number, _ in came) == list(range(len(came)))
    table = join_tables([block for _, block in sorted(came)])
    assert table.sample_id.tolist() == [dataset.shards.sample_id[row] for row in job[2]]
    assert len(set(table.sample_id.tolist())) == len(job[2])
    assert np.array_equal(table.phi, exact.phi)
    assert np.array_equal(table.loss, exact.loss)
    other = build_model(dataset.schema, job[-1].model, 1)
    assert not np.array_equal(value_rows(other, *job[1:]).phi, exact.phi)


@pytest.mark.timeout(300)
def test_F20_actors_that_are_killed_again_and_again(ray_local, tmp_path, dataset):
    config = settings(cluster={"workers": 1, "actors": 1, "max_failures": 0}, training={"epochs": 3, "threads": 1})
    run = create_or_open(tmp_path / "r", config.model_copy(update={"plugins": (str(KILLER),)}), dataset)
    orders = [{"phase": "actor", "rank": None, "times": 99}]
    (run.path / "fault.json").write_text(json.dumps({"kills": orders}))
    with pytest.raises(
        ClusterError, match=r"(?s)^a valuation actor died more than 3 times.*lower valuation\.batch_size"
    ):
        train_on_ray(run, lambda _: None)
    assert len(list(run.path.glob("fault-*.done"))) >= 4
    assert committed_epochs(run.path) == []
    assert list(run.path.rglob("*.parquet")) == []
    assert not (run.path / "result").exists()


@pytest.mark.timeout(400)
def test_F21_a_node_that_is_lost_where_another_is_free(tmp_path):
    command = [sys.executable, "-m", "tests.chaos.train_over_nodes", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=380, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    assert told["lost"]
    assert told["run"] == told["straight"]


def test_F22_a_cluster_that_is_too_small(ray_local):
    started = time.monotonic()
    with pytest.raises(ClusterError, match="9 CPUs asked for, the cluster has 4"), connect(ClusterConfig(workers=9)):
        pass
    assert time.monotonic() - started < 10
    with connect(ClusterConfig(workers=2)):
        pass
