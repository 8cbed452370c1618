"""However rows are cut into batches and blocks, and in whatever order they come, every sample keeps its values."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from raymm.data import View, open_dataset
from raymm.models.model import build_model
from raymm.valuation import engine as cuts
from raymm.valuation import join_tables
from raymm.valuation.engine import stream_rows, value_rows
from tests import games
from tests.planted import planted_game

ROWS = 60


def restless(model):
    """The network with large random weights, so that it tells samples and coalitions apart."""
    generator = torch.Generator().manual_seed(0)
    for weight in model.parameters():
        if weight.ndim > 1:
            torch.nn.init.normal_(weight, std=0.5, generator=generator)
    return model


@pytest.fixture(scope="module")
def jobs(tmp_path_factory):
    """`job(fusion, utility, batch_size)` on four modalities, untrained networks: the arguments of `value_rows`."""
    carriers = np.random.default_rng(2).random((ROWS, 4)) < 0.6
    game = planted_game(carriers | ~carriers.any(axis=1, keepdims=True), noise=1.0, parts=(0.0, 0.0))
    dataset = open_dataset(game.write(tmp_path_factory.mktemp("cuts") / "d"))
    made = {}

    def job(fusion, utility, batch_size):
        config = games.settings(
            model={"fusion": fusion, "fusion_size": 16}, valuation={"utility": utility, "batch_size": batch_size}
        )
        if fusion not in made:
            made[fusion] = restless(build_model(dataset.schema, config.model, 0))
        return made[fusion], View(dataset, config.view), dataset.rows("test"), config

    return job


@pytest.mark.parametrize("fusion", ["concat", "mlp", "attention"])
@settings(max_examples=6)
@given(batch=st.integers(1, ROWS + 9), utility=st.sampled_from(["count", "correct"]))
def test_any_batch_size_has_the_same_bits(jobs, fusion, batch, utility):
    whole, parts = value_rows(*jobs(fusion, utility, ROWS)), value_rows(*jobs(fusion, utility, batch))
    assert np.array_equal(parts.phi, whole.phi)
    assert np.array_equal(parts.outcomes, whole.outcomes)
    assert parts.sample_id.tolist() == whole.sample_id.tolist()
    assert len({tuple(row) for row in whole.outcomes.tolist()}) > 5, (
        "samples that are all alike could not be mixed up"
    )


@settings(max_examples=6)
@given(batch=st.integers(1, ROWS + 9), utility=st.sampled_from(["probability", "log_probability", "margin"]))
def test_soft_values_differ_by_rounding_at_most(jobs, batch, utility):
    whole, parts = value_rows(*jobs("mlp", utility, ROWS)), value_rows(*jobs("mlp", utility, batch))
    largest = np.abs(whole.phi).max()
    assert np.allclose(parts.phi, whole.phi, rtol=0, atol=1e-5 * largest)  # float32; how it rounds is the processor's
    assert largest > 1e-3


@settings(max_examples=6)
@given(order=st.permutations(range(ROWS)))
def test_rows_in_any_order_keep_their_values(jobs, order):
    model, view, rows, config = jobs("mlp", "count", 16)
    whole, shuffled = (value_rows(model, view, some, config) for some in (rows, rows[list(order)]))
    assert np.array_equal(shuffled.phi, whole.phi[list(order)])
    assert shuffled.sample_id.tolist() == whole.sample_id[list(order)].tolist()


@settings(max_examples=6)
@given(data=st.data(), batch=st.integers(1, 20), per_block=st.integers(1, 4))
def test_blocks_valued_in_turns_make_the_whole_table(jobs, data, batch, per_block):
    job = jobs("concat", "count", batch)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cuts, "BATCHES_PER_BLOCK", per_block)
        count = -(-ROWS // (batch * per_block))
        first = set(data.draw(st.sets(st.integers(0, count - 1))))
        there = dict(stream_rows(*job, done=set(range(count)) - first))
        rest = dict(stream_rows(*job, done=first))
    assert set(there) == first
    assert set(there) | set(rest) == set(range(count))
    assert not set(there) & set(rest)
    joined, whole = join_tables([table for _, table in sorted({**there, **rest}.items())]), value_rows(*job)
    assert joined.sample_id.tolist() == whole.sample_id.tolist()
    assert np.array_equal(joined.phi, whole.phi)
