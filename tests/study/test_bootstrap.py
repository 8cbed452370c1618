"""Bootstrap intervals, against all resamples of small examples and against formulas."""

from itertools import product

import numpy as np
import pytest

from raymm.study.bootstrap import CELLS, DRAWS, hierarchical, over_samples, over_seeds, resampled_means

BY_DATA = {"a": np.array([0.0, 0.07, 0.2]), "b": np.array([-0.1, 0.31])}


def all_means(values):
    """The mean of every resample, each as likely."""
    return [float(np.mean(drawn)) for drawn in product(values, repeat=len(values))]


def probability(distribution, low, high):
    """Of an outcome in the closed interval; `distribution` has outcomes with their weights."""
    return sum(weight for value, weight in distribution if low - 1e-9 <= value <= high + 1e-9)


def below(distribution, end):
    return sum(weight for value, weight in distribution if value < end - 1e-9)


def check_ends(found, distribution):
    """2.5 % lie below the low end and 97.5 % at most at the high one, but for the error of drawing."""
    error = 3 * np.sqrt(0.025 / DRAWS)
    low, high = found
    assert below(distribution, low) <= 0.025 + error
    assert below(distribution, low) + probability(distribution, low, low) >= 0.025 - error
    assert below(distribution, high) <= 0.975 + error
    assert below(distribution, high) + probability(distribution, high, high) >= 0.975 - error


def test_seeds_against_every_resample():
    means = {name: all_means(values) for name, values in BY_DATA.items()}
    weight = 1 / (len(means["a"]) * len(means["b"]))
    distribution = [((a + b) / 2, weight) for a in means["a"] for b in means["b"]]
    check_ends(over_seeds(BY_DATA), distribution)


def test_draws_that_are_all_alike_give_no_interval():
    alike = {"a": np.full(3, 1 / 24), "b": np.full(4, 0.1 + 0.2)}
    assert over_seeds(alike) is None
    assert over_samples({name: np.zeros((2, DRAWS)) for name in alike}) is None
    assert hierarchical({"a": np.full((2, DRAWS), 1 / 3)}) is None
    assert over_seeds({"a": np.array([0.1, 0.1, 0.2])}) is not None


def test_one_seed_has_no_interval_over_seeds():
    assert over_seeds({"a": np.array([0.1, 0.2]), "b": np.array([0.1])}) is None
    assert over_seeds({}) is None
    assert hierarchical({"a": np.zeros((1, DRAWS))}) is None
    assert hierarchical({}) is None
    assert over_samples({}) is None


def test_data_sets_and_seeds_against_every_resample():
    """Without spread over samples: a data set of two, and in it each seed, by itself."""
    tables = {name: np.repeat(values[:, None], DRAWS, axis=1) for name, values in BY_DATA.items()}
    of_a_set = [(mean, 0.5 / len(means)) for means in map(all_means, BY_DATA.values()) for mean in means]
    distribution = [((x + y) / 2, p * q) for x, p in of_a_set for y, q in of_a_set]
    check_ends(hierarchical(tables), distribution)


def test_samples_of_one_seed_against_every_resample():
    values = np.array([[1.0, 0.0, 0.0, 1.0, 0.0]])
    found = over_samples({"a": resampled_means(values, "a")})
    check_ends(found, [(mean, 1 / 5**5) for mean in all_means(values[0])])


def test_hierarchical_has_the_variance_of_all_levels():
    """Var of the mean over S sets: [between sets + within-set seeds / n + samples] / S, as plug-in estimates."""
    generator = np.random.default_rng(0)
    levels = {str(k): generator.normal(k, 1.0, (4, 1)) + generator.normal(0, 0.7, (1, DRAWS)) for k in range(3)}
    found = hierarchical(levels)
    between = np.var([table.mean() for table in levels.values()])
    seeds = np.mean([table.mean(axis=1).var() / 4 for table in levels.values()])
    samples = np.mean([table.mean(axis=0).var() for table in levels.values()])
    expected = np.sqrt((between + seeds + samples) / 3)
    assert (found[1] - found[0]) / (2 * 1.96) == pytest.approx(expected, rel=0.06)


def test_resampled_means_have_the_mean_and_variance_of_the_binomial():
    right = np.zeros((1, 50), bool)
    right[0, :20] = True
    found = resampled_means(right, "a")
    assert found.shape == (1, DRAWS)
    assert found.mean() == pytest.approx(0.4, abs=4 * np.sqrt(0.24 / 50 / DRAWS))
    assert found.var() == pytest.approx(0.24 / 50, rel=0.1)
    assert np.round(found * 50) == pytest.approx(found * 50)  # of 50 samples each


def test_runs_share_the_samples_of_a_draw():
    right = np.random.default_rng(1).random((2, 60)) < 0.7
    worse = right[0] & (np.arange(60) > 9)
    found = resampled_means(np.stack([right[0], right[0], worse]), "a")
    assert np.array_equal(found[0], found[1])
    assert (found[2] <= found[0]).all()
    alone = resampled_means(right[:1], "a")
    assert np.array_equal(found[:1], alone)  # whatever other runs there are
    assert not np.array_equal(alone, resampled_means(right[:1], "b"))


def test_draws_do_not_fit_at_once():
    samples = CELLS // 1000
    found = resampled_means(np.arange(samples)[None] % 2 == 0, "a")
    assert found.shape == (1, DRAWS)
    assert found.mean() == pytest.approx(0.5, abs=1e-3)
    assert len(np.unique(found)) > 50
