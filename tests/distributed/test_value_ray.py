"""The actor pool: the same table as one process, for any number of actors, also after an actor was killed."""

import os
import signal

import numpy as np
import pytest
import ray

from raymm.data import View
from raymm.distributed.value import ActorPool
from raymm.model import build_model
from raymm.training.value import value_rows
from tests.games import settings, small_dataset

pytestmark = pytest.mark.ray


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return small_dataset(tmp_path_factory.mktemp("data") / "d", count=600)


def setup(dataset, seed=0, **model):
    config = settings(
        model={"feature_size": 16, "fusion_size": 16, **model}, valuation={"batch_size": 32}, training={"seed": seed}
    )
    network = build_model(dataset.schema, config.model, seed)
    return network, View(dataset, config.view, seed), dataset.rows("train"), config


def same(a, b):
    return (
        a.info == b.info
        and np.array_equal(a.phi, b.phi, equal_nan=True)
        and np.array_equal(a.outcomes, b.outcomes)
        and np.array_equal(a.loss, b.loss)
        and a.sample_id.tolist() == b.sample_id.tolist()
    )


@pytest.mark.parametrize("fusion", ["concat", "attention"])
def test_one_process_and_1_and_4_actors_agree_bit_for_bit(ray_local, dataset, fusion):
    job = setup(dataset, fusion=fusion)
    here = value_rows(*job)
    assert len(here) == len(dataset.rows("train")) > 300
    for actors in (1, 4):
        pool = ActorPool(actors)
        assert same(pool(*job), here)
        pool.close()
    assert not same(value_rows(*setup(dataset, seed=1, fusion=fusion)), here)


def test_few_samples_split_their_coalitions(ray_local, dataset):
    model, view, rows, config = setup(dataset, fusion="gated")
    few = rows[:20]
    pool = ActorPool(3)
    assert same(pool(model, view, few, config), value_rows(model, view, few, config))
    pool.close()


def test_new_weights_reach_the_actors(ray_local, dataset):
    pool = ActorPool(2)
    for seed in (0, 1):
        _, view, rows, config = setup(dataset)
        other = build_model(dataset.schema, config.model, seed)
        assert same(pool(other, view, rows, config), value_rows(other, view, rows, config))
    pool.close()


def test_a_killed_actor_costs_nothing_but_time(ray_local, dataset):
    job = setup(dataset, fusion="attention")
    pool = ActorPool(2)
    first = pool(*job)
    pids = [ray.get(actor.pid.remote()) for actor in pool._actors]
    os.kill(pids[0], signal.SIGKILL)
    again = pool(*job)
    assert same(again, first)
    assert len(set(again.sample_id.tolist())) == len(again)
    assert ray.get(pool._actors[0].pid.remote()) != pids[0]
    pool.close()
