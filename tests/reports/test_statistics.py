"""Means and their intervals, against scipy's own and against how often they contain the truth."""

import warnings

import numpy as np
import pytest
from scipy import stats

from raymm.reports.statistics import mean_interval, nan_mean


@pytest.mark.parametrize("level", [0.5, 0.95, 0.99])
@pytest.mark.parametrize("count", [2, 3, 40])
def test_the_interval_is_that_of_a_t_test(count, level):
    values = np.random.default_rng(count).normal(3, 2, count)
    expected = stats.ttest_1samp(values, 0.0).confidence_interval(level)
    found = mean_interval(values, level)
    assert found.count == count
    assert (found.mean - found.margin, found.mean + found.margin) == pytest.approx((expected.low, expected.high))


def test_a_higher_level_is_a_wider_interval():
    assert mean_interval([0.0, 1.0], 0.99).margin > mean_interval([0.0, 1.0]).margin


def test_it_contains_the_mean_as_often_as_it_says():
    samples = np.random.default_rng(0).normal(1, 1, (4000, 4))
    found = [mean_interval(row, 0.8) for row in samples]
    assert np.mean([abs(each.mean - 1) <= each.margin for each in found]) == pytest.approx(0.8, abs=0.02)


def test_nan_is_left_out_and_too_few_values_have_no_margin():
    assert mean_interval([1.0, np.nan, 3.0]) == mean_interval([1.0, 3.0])
    single, none = mean_interval([2.0, np.nan]), mean_interval([np.nan])
    assert (single.mean, single.count, np.isnan(single.margin)) == (2.0, 1, True)
    assert (none.count, np.isnan(none.mean), np.isnan(none.margin)) == (0, True, True)


def test_equal_and_absent_values_raise_no_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert mean_interval([0.1, 0.1, 0.1, 0.1]).margin == 0.0
        assert np.isnan(nan_mean([]))
        assert np.isnan(mean_interval([]).mean)


def test_a_mean_of_what_is_known():
    assert nan_mean([[1.0, np.nan], [2.0, 6.0]]) == 3.0
    assert nan_mean([True, False]) == 0.5
