"""What the bench of sweeps says of other orders of its trials; after a warm-up of 2 the first level is 5 epochs."""

import pytest

from bench.sweep import share_of_epochs


def curve(score):
    return [score] * 12


def test_one_in_three_trains_to_the_end_in_any_order_and_of_equals_the_first():
    for scores in ([0.9, 0.8, 0.7], [0.7, 0.8, 0.9], [0.5, 0.5, 0.5], [0.6, 0.7, 0.8, 0.9]):
        share = share_of_epochs([curve(score) for score in scores], lanes=1, warmup=2)
        assert share == pytest.approx((2 + 3 * len(scores) + 7) / (12 * len(scores)))


def test_a_late_trial_that_is_better_than_all_trains_to_the_end_as_well():
    """All have begun, and a place is free: the best of three is promoted before the fourth has reached the level."""
    share = share_of_epochs([curve(score) for score in (0.6, 0.7, 0.8, 0.9)], lanes=3, warmup=2)
    assert share == pytest.approx((2 + 4 * 3 + 2 * 7) / 48)


def test_a_score_counts_at_the_epoch_of_the_level():
    late, early = [0.1] * 5 + [0.9] * 7, [0.5] * 12
    assert share_of_epochs([late, early], lanes=2, warmup=2) == pytest.approx((2 + 2 * 3 + 7) / 24)


def test_trials_at_once_take_turns():
    """The third begins when the first two have reached the level, and all wait for it."""
    share = share_of_epochs([curve(0.9), curve(0.8), curve(0.7)], lanes=2, warmup=2)
    assert share == pytest.approx((2 + 3 * 3 + 7) / 36)
