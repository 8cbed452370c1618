"""Randomness: a function of the seed and the purpose, and good enough."""

import numpy as np

from raymm.seeds import derive, keys_of, normal, uniform


def test_purposes_and_seeds_give_different_numbers():
    seeds = {derive(seed, "epoch", epoch) for seed in range(50) for epoch in range(50)}
    assert len(seeds) == 2_500
    assert derive(1, "a", 2) == derive(1, "a", 2)
    assert derive(1, "a/2") == derive(1, "a", 2)


def test_a_row_draws_the_same_in_any_company():
    rows = np.arange(1_000)
    whole = normal(keys_of(3, rows), 7)
    assert np.array_equal(normal(keys_of(3, rows[500:]), 7), whole[500:])
    assert not np.array_equal(whole[0], whole[1])
    assert not np.array_equal(normal(keys_of(4, rows), 7), whole)


def test_uniform_and_normal_have_their_moments():
    keys = keys_of(derive(0, "test"), np.arange(2_000))
    u, z = uniform(keys, 100), normal(keys, 101)
    assert 0 < u.min() < u.max() < 1
    assert abs(u.mean() - 0.5) < 0.003
    assert abs(u.var() - 1 / 12) < 0.001
    assert abs(z.mean()) < 0.01
    assert abs(z.std() - 1) < 0.01
    assert abs(np.corrcoef(z[:, 0], z[:, 1])[0, 1]) < 0.08
    assert np.isfinite(z).all()
