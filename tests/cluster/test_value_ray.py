"""The actor pool: the same table as one process, for any number of actors, also after an actor was killed."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import ray

from raymm.cluster.valuation_pool import ActorPool, _ranges
from raymm.data import View, open_dataset
from raymm.models.fusion import FUSIONS
from raymm.models.model import build_model
from raymm.valuation import read_table
from raymm.valuation.engine import method_for, stream_rows, value_rows
from tests.cli.calling import call, exit_code
from tests.games import settings
from tests.guests import guest
from tests.planted import planted_game
from tests.reference_values import incomplete_samples, reference, restless_model

SAMPLES = 600

pytestmark = pytest.mark.ray

ROOT = Path(__file__).parents[2]


def setup(dataset, seed=0, fusion="concat", **valuation):
    config = settings(
        model={"feature_size": 16, "fusion_size": 16, "fusion": fusion},
        valuation={"batch_size": 32, **valuation},
        training={"seed": seed},
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


@pytest.fixture(scope="module")
def pools(ray_local):
    """Pools of one actor and of three, which all tests share: an actor costs seconds to start, also after a kill."""
    made = {count: ActorPool(count) for count in (1, 3)}
    yield made
    for pool in made.values():
        pool.close()


@pytest.mark.parametrize("fusion", ["concat", "mlp", "attention"])
def test_one_process_and_1_and_3_actors_agree_bit_for_bit(pools, dataset, fusion):
    job = setup(dataset, fusion=fusion)
    here = value_rows(*job)
    assert len(here) == len(dataset.rows("train")) > 300
    for count, pool in pools.items():
        assert same(pool(*job), here)
        assert len(pool._actors) == count
    assert not same(value_rows(*setup(dataset, seed=1, fusion=fusion)), here)


@pytest.fixture(scope="module")
def six(tmp_path_factory):
    """Six modalities."""
    carriers = np.random.default_rng(1).random((150, 6)) < 0.5
    game = planted_game(carriers | ~carriers.any(axis=1, keepdims=True))
    return open_dataset(game.write(tmp_path_factory.mktemp("six") / "d"))


@pytest.mark.parametrize("utility", ["count", "probability"])
def test_few_samples_split_their_coalitions(pools, six, utility):
    model, view, rows, config = setup(six, fusion="gated", utility=utility)
    few = rows[:20]
    method = method_for(model, view, few, config)
    assert _ranges(6, method, 3) == [range(16), range(16, 40), range(40, 64)]
    assert same(pools[3](model, view, few, config), value_rows(model, view, few, config))


def test_actors_give_the_contributions_of_the_definition_for_every_fusion(pools, tmp_path):
    samples = incomplete_samples(tmp_path / "d").dataset
    rows, pool = samples.rows("test"), pools[3]
    for fusion in sorted(FUSIONS):
        for utility in ("count", "probability"):
            model, config = restless_model(samples, fusion, utility=utility)
            view = View(samples, config.view)
            phi = pool(model, view, rows, config).phi
            expected = reference(model, view, rows, utility, samples.shards.label[rows])
            assert np.allclose(phi, expected.phi, rtol=0, atol=1e-5, equal_nan=True)
            assert np.allclose(np.nansum(phi, axis=1), expected.grand - expected.empty, rtol=0, atol=1e-5)
            assert np.nanmax(expected.phi) - np.nanmin(expected.phi) > 0.2


def test_sampled_values_are_the_same_bits_on_actors_and_differ_by_block(pools, six, monkeypatch):
    """Of probabilities: what an untrained model is right on, it is right on with every coalition."""
    monkeypatch.setattr("raymm.valuation.engine.BATCHES_PER_BLOCK", 2)
    how = {"method": "sampled", "utility": "probability", "budget": 30, "refine": False}
    model, view, rows, config = setup(six, fusion="gated", **how)
    here = value_rows(model, view, rows, config)
    assert here.info.method == "sampled"
    assert (here.stderr > 0).any()
    monkeypatch.undo()
    one = value_rows(model, view, rows, config)
    assert same(pools[3](model, view, rows, config), one)
    assert not np.array_equal(one.phi, here.phi)


def test_blocks_that_are_done_are_not_valued_again(pools, dataset, monkeypatch):
    monkeypatch.setattr("raymm.cluster.valuation_pool.BATCHES_PER_BLOCK", 4)
    model, view, rows, config = setup(dataset)
    pool = pools[3]
    blocks = dict(pool.stream(model, view, rows, config))
    assert sorted(blocks) == list(range(-(-len(rows) // 128)))
    rest = dict(pool.stream(model, view, rows, config, done={0, 2}))
    assert sorted(rest) == sorted(set(blocks) - {0, 2})
    assert all(same(rest[number], blocks[number]) for number in rest)


@pytest.mark.parametrize(("actors", "batch"), [(1, 600), (1, 7), (3, 33)])
def test_any_batch_size_on_any_number_of_actors(pools, dataset, actors, batch):
    """Batches of other sizes, and blocks that end elsewhere: the contributions are the same."""
    here = value_rows(*setup(dataset, fusion="mlp"))
    there = pools[actors](*setup(dataset, fusion="mlp", batch_size=batch))
    assert there.sample_id.tolist() == here.sample_id.tolist()
    assert np.array_equal(there.phi, here.phi, equal_nan=True)
    assert np.array_equal(there.outcomes, here.outcomes)
    assert np.allclose(there.loss, here.loss)


def test_the_order_in_which_blocks_are_valued_does_not_matter(pools, dataset, monkeypatch):
    for module in ("raymm.cluster.valuation_pool", "raymm.valuation.engine"):
        monkeypatch.setattr(f"{module}.BATCHES_PER_BLOCK", 2)
    model, view, rows, config = setup(dataset, utility="probability")
    blocks = dict(stream_rows(model, view, rows, config))
    order = np.random.default_rng(0).permutation(sorted(blocks))
    for number in order.tolist():
        others = set(blocks) - {number}
        assert [(n, same(t, blocks[n])) for n, t in pools[3].stream(model, view, rows, config, done=others)] == [
            (number, True)
        ]
    assert len(blocks) > 4


def test_new_weights_reach_the_actors(pools, dataset):
    for seed in (0, 1):
        _, view, rows, config = setup(dataset)
        other = build_model(dataset.schema, config.model, seed)
        assert same(pools[3](other, view, rows, config), value_rows(other, view, rows, config))


def test_a_killed_actor_costs_nothing_but_time(pools, dataset):
    job = setup(dataset, fusion="attention")
    pool = pools[3]
    first = pool(*job)
    pids = [ray.get(actor.pid.remote()) for actor in pool._actors]
    os.kill(pids[0], signal.SIGKILL)
    again = pool(*job)
    assert same(again, first)
    assert len(set(again.sample_id.tolist())) == len(again)
    assert ray.get(pool._actors[0].pid.remote()) != pids[0]


def test_an_actor_killed_while_blocks_come_leaves_no_row_out_and_none_twice(pools, dataset, monkeypatch):
    for module in ("raymm.cluster.valuation_pool", "raymm.valuation.engine"):
        monkeypatch.setattr(f"{module}.BATCHES_PER_BLOCK", 1)
    model, view, rows, config = setup(dataset, fusion="attention", batch_size=16)
    here = dict(stream_rows(model, view, rows, config))
    pool = pools[3]
    stream = pool.stream(model, view, rows, config)
    came = [next(stream)]
    victims = [ray.get(actor.pid.remote()) for actor in pool._actors]
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    came += list(stream)
    assert sorted(number for number, _ in came) == sorted(here)
    assert all(same(table, here[number]) for number, table in came)
    assert set(victims).isdisjoint(ray.get([actor.pid.remote() for actor in pool._actors]))


CUSTOM = """
import torch
from raymm.valuation import Utility
from tests.games import OwnModel

HALF = Utility("half", lambda logits, labels, sizes: 0.5 * logits.double().softmax(dim=-1)[..., 0])


class Model(OwnModel):
    def encode(self, batch):
        return torch.nn.functional.dropout(super().encode(batch), 0.5, self.training)


def load(schema):
    return Model(schema)
"""


def test_actors_find_a_custom_model_in_the_folder_of_the_command(ray_local, dataset, tmp_path, monkeypatch):
    """With the installed script, whose own folder is another one; the model is in evaluation mode there too."""
    (tmp_path / "mymodel.py").write_text(CUSTOM)
    (tmp_path / "tests").symlink_to(ROOT / "tests")  # which it imports; actors know the folder of the command
    monkeypatch.chdir(tmp_path)
    words = ["--data", dataset.path, "--model", "mymodel:load", "--utility", "mymodel:HALF"]
    words = ["value", *words, "--actors", "1", "--out"]
    with guest(tmp_path):
        assert exit_code(*words, "local.parquet", "--backend", "local") == 0
    env = {**os.environ, "PYTHONPATH": str(ROOT), "RAY_ADDRESS": ray.get_runtime_context().gcs_address}
    command = [Path(sys.executable).with_name("raymm"), *words, "ray.parquet", "--backend", "ray"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == 0, done.stderr
    one, two = (read_table(tmp_path / f"{backend}.parquet") for backend in ("ray", "local"))
    assert np.array_equal(one.phi, two.phi)
    assert len(np.unique(one.phi)) > 3


def test_a_custom_model_that_fails_on_actors_alone_is_told_with_its_line(ray_local, dataset, tmp_path, capfd):
    words = ["--data", dataset.path, "--model", "tests.cluster.breaking:build", "--actors", "1"]
    code, _, err = call(capfd, "value", *words, "--out", tmp_path / "t.parquet")
    assert code == 2
    assert "it raised KeyError: 'weights' (tests/cluster/breaking.py, line 12)" in err
    assert "Traceback" not in err
