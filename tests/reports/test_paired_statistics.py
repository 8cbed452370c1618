"""Statistics of paired differences, against enumeration, their formulas and scipy's own."""

from fractions import Fraction
from itertools import combinations, product
from math import comb, isnan, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from scipy import stats

from raymm.reports.paired_statistics import (
    EXACT_PAIRS,
    differences,
    effect_size,
    holm,
    p_of_mean,
    sign_flip,
    t_test,
)
from raymm.reports.statistics import mcnemar

SMALL = some.lists(some.integers(-6, 6), min_size=1, max_size=8)


@pytest.mark.parametrize("count", [2, 5, 25])
def test_t_is_the_paired_t_test(count):
    generator = np.random.default_rng(count)
    first, second = generator.normal(0.8, 0.1, count), generator.normal(0.75, 0.1, count)
    expected = stats.ttest_rel(first, second)
    found = t_test(first - second)
    interval = expected.confidence_interval()
    assert found.p == pytest.approx(expected.pvalue)
    assert found.interval.mean - found.interval.margin == pytest.approx(interval.low)
    assert found.interval.mean + found.interval.margin == pytest.approx(interval.high)


def test_t_without_spread_or_with_one_value_has_no_p():
    assert isnan(t_test([0.5]).p)
    assert isnan(t_test([0.5]).interval.margin)
    assert isnan(t_test([0.5, 0.5, 0.5]).p)
    assert isnan(t_test([0.5, 0.5, 0.5]).interval.margin)
    assert isnan(t_test([0.1 + 0.2, 0.3, 0.3]).interval.margin)  # a margin of rounding is none
    assert isnan(t_test([]).p)


@given(SMALL)
def test_sign_flips_are_enumerated(values):
    observed = abs(sum(values))
    sums = [abs(sum(sign * value for sign, value in zip(signs, values, strict=True))) for signs in every_sign(values)]
    assert sign_flip([value / 7 for value in values]) == sum(found >= observed for found in sums) / len(sums)


def flips_as_far(values):
    """p of exact numbers, such as whole ones and fractions, by enumeration."""
    sums = [abs(sum(sign * value for sign, value in zip(signs, values, strict=True))) for signs in every_sign(values)]
    return sum(found >= abs(sum(values)) for found in sums) / len(sums)


def test_sign_flips_of_shares_that_were_wrong_by_rounding():
    first, second = np.array([15, 13, 17, 14, 12, 20]), np.array([14, 12, 16, 11, 14, 18])
    assert sign_flip(differences(first / 24, second / 24)) == flips_as_far(list(map(int, first - second))) == 0.28125


@pytest.mark.parametrize("samples", [3, 7, 24, 30, 48, 999, 1024, 3000, 3072, 10**6, 10**7])
def test_sign_flips_of_shares_are_those_of_whole_numbers(samples):
    generator = np.random.default_rng(samples)
    for pairs, near in product((4, 5, 7), (2, max(3, samples // 50))):
        second = generator.integers(samples // 2, samples, pairs, endpoint=True)
        first = np.clip(second + generator.integers(-near, near, pairs, endpoint=True), 0, samples)
        exact = flips_as_far(list(map(int, first - second)))
        assert sign_flip(differences(first / samples, second / samples)) == exact
        assert sign_flip(differences(second / samples, first / samples)) == exact
        assert sign_flip(differences(100 * first / samples, 100 * second / samples)) == exact
        means = [np.mean([side / samples, side / samples + 0.0, side / samples], axis=0) for side in (first, second)]
        assert sign_flip(differences(*means)) == exact


@pytest.mark.parametrize("samples", [24, 999, 10**6])
@pytest.mark.parametrize("pairs", [16, 25, 100])
def test_sign_flips_of_many_shares_are_those_of_whole_numbers(samples, pairs):
    """Drawn ones too, which are the same draws."""
    generator = np.random.default_rng(samples + pairs)
    second = generator.integers(samples // 2, samples, pairs)
    first = second + generator.integers(-2, 4, pairs)
    assert sign_flip(differences(first / samples, second / samples)) == sign_flip(first - second)


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e4])
def test_sign_flips_of_losses_are_those_of_fractions(size):
    generator = np.random.default_rng(7)
    for _ in range(5):
        first, second = generator.normal(2, 0.3, (2, 8)) * size
        exact = flips_as_far([Fraction(a) - Fraction(b) for a, b in zip(first, second, strict=True)])
        assert sign_flip(differences(first, second)) == exact


def test_sign_flips_of_data_sets_of_several_sizes_are_those_of_fractions():
    generator = np.random.default_rng(8)
    sizes = np.repeat([24, 30, 999], 3)
    for _ in range(5):
        second = generator.integers(sizes // 2, sizes)
        first = np.minimum(sizes, second + generator.integers(-2, 4, 9))
        exact = flips_as_far(
            [Fraction(int(a) - int(b), int(size)) for a, b, size in zip(first, second, sizes, strict=True)]
        )
        assert sign_flip(differences(first / sizes, second / sizes)) == exact


@pytest.mark.parametrize("samples", [3072, 7 * 1024, 10**6])
def test_equal_differences_are_equal_wherever_they_lie(samples):
    """Also where many counts of samples are on the steps of a grid of powers of ten."""
    right = np.arange(samples // 2, samples - 9, max(1, samples // 1000))
    for more in (1, 3, 9):
        assert np.ptp(differences((right + more) / samples, right / samples)) == 0
        assert np.ptp(np.abs(differences(right / samples, (right + more) / samples))) == 0


def test_differences_of_what_is_no_number_are_none():
    found = differences([nan, 0.5, 0.5], [0.2, 0.5, 0.4])
    assert isnan(found[0])
    assert found[1:].tolist() == [0.0, pytest.approx(0.1)]
    assert differences([], []).tolist() == []


def every_sign(values):
    return product((-1, 1), repeat=len(values))


def test_sign_flips_are_those_of_scipy():
    values = np.random.default_rng(3).normal(0.4, 1, 11)
    expected = stats.permutation_test((values,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert sign_flip(values) == pytest.approx(expected.pvalue)


def test_drawn_sign_flips_agree_with_all_of_them_and_are_the_same_each_time():
    values = np.random.default_rng(4).normal(0.45, 1, EXACT_PAIRS + 2)
    signs = 1 - 2 * ((np.arange(2 ** len(values))[:, None] >> np.arange(len(values))) & 1)
    exact = np.mean(np.abs(signs @ values) >= abs(values.sum()) - 1e-9)
    assert sign_flip(values) == pytest.approx(exact, abs=4 * np.sqrt(exact / 2**16))
    assert sign_flip(values) == sign_flip(values)
    assert 0 < sign_flip(np.full(40, 1.0)) < 1e-4  # of 2^40 flips two are as far: never 0


@pytest.mark.parametrize("value", [0.01, -3.0, 0.0])
def test_p_of_equal_differences_is_that_of_sign_flips(value):
    for count in (2, 5, 12):
        assert p_of_mean([value] * count) == sign_flip([value] * count)
    assert p_of_mean([value] * 60) == (1.0 if value == 0 else 2**-59)
    assert isnan(p_of_mean([value]))
    spread = [value, 0.3, 0.7]
    assert p_of_mean(spread) == pytest.approx(stats.ttest_1samp(spread, 0).pvalue)


def test_sign_flips_of_no_difference():
    assert sign_flip([0.0, 0.0, 0.0]) == 1
    assert sign_flip(np.zeros(30)) == 1
    assert isnan(sign_flip([]))


@given(some.lists(some.tuples(some.booleans(), some.booleans()), max_size=40))
def test_mcnemar_is_a_sum_of_binomial_probabilities(pairs):
    first, second = (np.array([pair[side] for pair in pairs], dtype=bool) for side in (0, 1))
    only_first, only_second = pairs.count((True, False)), pairs.count((False, True))
    both, fewer = only_first + only_second, min(only_first, only_second)
    expected = min(1.0, 2 * sum(comb(both, k) for k in range(fewer + 1)) / 2**both)
    found = mcnemar(first, second)
    assert (found.only_first, found.only_second) == (only_first, only_second)
    assert found.p == pytest.approx(expected)


@given(some.lists(some.floats(0, 1), min_size=1, max_size=6))
def test_holm_is_the_closed_test_of_bonferroni(p):
    def corrected(i):
        others = [j for j in range(len(p)) if j != i]
        families = ((i, *more) for size in range(len(p)) for more in combinations(others, size))
        return max(min(1.0, len(family) * min(p[j] for j in family)) for family in families)

    assert holm(p) == pytest.approx([corrected(i) for i in range(len(p))])


def test_holm_leaves_out_what_has_no_p():
    assert holm([0.02, nan, 0.01])[::2] == pytest.approx([0.02, 0.02])
    assert isnan(holm([0.02, nan, 0.01])[1])
    assert holm([]) == []


def test_families_without_any_difference_have_false_ones_as_often_as_said():
    families = np.random.default_rng(5).normal(0, 1, (600, 4, 5))
    shown = [min(holm([t_test(values).p for values in family])) <= 0.05 for family in families]
    assert np.mean(shown) == pytest.approx(0.05, abs=0.02)


def test_effect_size_is_mean_over_deviation():
    values = [0.01, 0.03, 0.02, 0.06]
    mean = sum(values) / 4
    deviation = (sum((value - mean) ** 2 for value in values) / 3) ** 0.5
    assert effect_size(values) == pytest.approx(mean / deviation)
    assert isnan(effect_size([0.3, 0.3]))
    assert isnan(effect_size([0.3]))


@given(
    some.integers(1, 5000).flatmap(
        lambda n: some.tuples(some.just(n), some.lists(some.integers(0, n), min_size=2), some.integers(0, n))
    )
)
def test_equal_differences_of_shares_are_equal_numbers(drawn):
    samples, right, more = drawn
    second = [count / samples for count in right]
    first = [(count + more) / samples for count in right]
    found = differences(first, second)
    assert np.ptp(found) == 0
    assert found == pytest.approx(np.full(len(right), more / samples))


def test_one_run_that_diverged_hides_no_other_difference():
    found = differences([1e9, 0.5, 0.6, 0.7], [0.4, 0.4999, 0.6001, 0.7])
    assert found == pytest.approx([1e9, 0.0001, -0.0001, 0.0])
    assert differences([0.0, 0.0], [0.0, 0.3]).tolist() == pytest.approx([0.0, -0.3])


@given(some.integers(2, 100_000), some.data())
def test_shares_that_differ_in_a_sample_stay_different(samples, data):
    right = data.draw(some.integers(1, samples))
    found = differences([right / samples, right / samples], [(right - 1) / samples, right / samples])
    assert found[0] == pytest.approx(1 / samples, rel=1e-3)
    assert found[1] == 0
