"""What the bench of sweeps says of other orders of its trials."""

import pytest

from bench.sweep import share_of_epochs

FLAT = [0.5] * 12


def curve(score):
    return [score] * 12


def test_equal_trials_all_train_to_the_end():
    assert share_of_epochs([FLAT, FLAT, FLAT], lanes=1, warmup=2) == pytest.approx((2 + 3 * 10) / 36)


def test_worse_trials_end_at_the_first_comparison():
    """After a warm-up of 2 epochs the first comparison is after 3, the next after 9."""
    share = share_of_epochs([curve(0.9), curve(0.8), curve(0.7)], lanes=1, warmup=2)
    assert share == pytest.approx((2 + 10 + 1 + 1) / 36)


def test_an_order_in_which_each_is_better_saves_nothing_but_the_warm_up():
    assert share_of_epochs([curve(0.7), curve(0.8), curve(0.9)], lanes=1, warmup=2) == pytest.approx(32 / 36)


def test_trials_at_once_take_turns():
    """Both reach the first comparison, the better one first."""
    assert share_of_epochs([curve(0.9), curve(0.8)], lanes=2, warmup=2) == pytest.approx((2 + 10 + 1) / 24)
