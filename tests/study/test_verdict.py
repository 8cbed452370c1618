"""Sentences: what is shown, what is not, and what cannot be."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from raymm.study.comparison import compare_all
from raymm.study.figures import figures_of
from raymm.study.samples import Samples
from raymm.study.sections import sections_of
from raymm.study.verdict import headline, outcome, verdict
from tests.studies import record, results_of

JOINT = (0.70, 0.71, 0.69, 0.72, 0.70)


def comparison(gains, data=("digits",), others=None, **named):
    """An arm that gains these amounts over joint, by seed, on every data set; `others` are gains of more arms."""
    arms = {"coalition": gains, **(others or {})}
    runs = [record(name, "joint", seed, JOINT[seed]) for name in data for seed in range(len(gains))]
    runs += [
        record(name, arm, seed, JOINT[seed] + gain)
        for name in data
        for arm, of_arm in arms.items()
        for seed, gain in enumerate(of_arm)
    ]
    return compared(runs, **named)


def compared(runs, **named):
    results = results_of(runs, **named)
    return compare_all(results, {figure: Samples() for figure in figures_of(results)})[0].comparisons[0]


def p_of(gains):
    return stats.ttest_1samp(gains, 0).pvalue


def test_a_gain_that_is_shown():
    gains = [0.05, 0.06, 0.04, 0.05, 0.07]
    found = comparison(gains)
    margin = stats.t.ppf(0.975, 4) * stats.sem(gains)
    low, high = 100 * (0.054 - margin), 100 * (0.054 + margin)
    assert outcome(found) == "better"
    assert (
        verdict(found)
        == f"coalition beats joint by 5.4 points (95 % {low:.1f} to {high:.1f}, p < 0.001 after Holm, 5 pairs)"
    )


def test_a_loss_that_is_shown():
    found = comparison([-0.05, -0.06, -0.04, -0.05, -0.07])
    assert outcome(found) == "worse"
    assert verdict(found).startswith("coalition is worse than joint by 5.4 points (95 % 4.0 to 6.8, p < 0.001")


def test_what_is_not_shown():
    gains = [0.05, -0.06, 0.04, 0.01, -0.02]
    found = comparison(gains)
    assert outcome(found) == "not shown"
    assert verdict(found) == (
        f"coalition against joint: not shown, +0.4 points (95 % -5.2 to 6.0, p {p_of(gains):.2f} after Holm, 5 pairs)"
    )


def test_correction_takes_back_what_one_comparison_alone_would_show():
    gains = [0.02, 0.05, 0.01, 0.06, 0.03]
    alone = comparison(gains)
    noise = [0.03, -0.03, 0.01, -0.02, 0.01]
    among = comparison(gains, others={f"arm{number}": noise for number in range(5)})
    assert outcome(alone) == "better"
    assert among.over_pairs == alone.over_pairs
    assert among.p_holm == pytest.approx(6 * p_of(gains))
    assert outcome(among) == "not shown"
    assert f"p {6 * p_of(gains):.2f} after Holm" in verdict(among)


def test_one_pair_has_no_interval():
    found = comparison([0.05])
    assert verdict(found) == "coalition against joint: not shown, +5.0 points in one pair: no interval"


def test_one_seed_has_no_interval_on_any_number_of_data_sets():
    found = comparison([0.05], data=("digits", "letters", "sounds"))
    assert (
        verdict(found) == "coalition against joint: not shown, +5.0 points on 3 data sets with one seed: no interval"
    )
    assert outcome(found) == "not shown"


def test_arms_that_are_equal_in_every_pair():
    found = comparison([0.0, 0.0, 0.0])
    assert (found.won, found.tied, found.lost) == (0, 3, 0)
    assert verdict(found) == "coalition against joint: not shown, equal in all 3 pairs"


def test_a_difference_without_spread_is_judged_by_sign_flips():
    few, many = comparison([0.02] * 5), comparison([0.02] * 5, data=("digits", "letters"))
    assert few.p == 2 / 2**5
    assert verdict(few) == (
        "coalition against joint: not shown, +2.0 points (the same in all 5 pairs: no interval; p 0.062 after Holm, "
        "by sign flips)"
    )
    assert many.p == 2 / 2**10
    assert verdict(many) == (
        "coalition beats joint by 2.0 points (the same in all 10 pairs: no interval; p 0.002 after Holm, by sign "
        "flips) on these 2 data sets; for others like them it is not shown (the same on each)"
    )


def test_what_one_data_set_gives_is_not_shown_for_others():
    gains = {
        "imu": (0.15, 0.16, 0.14, 0.15, 0.17),
        "grid": (0.01, 0.0, 0.01, 0.02, 0.01),
        "emoji": (0.0, 0.01, 0.0, 0.0, 0.01),
    }
    runs = [record(name, "joint", seed, JOINT[seed]) for name in gains for seed in range(5)]
    runs += [record(name, "coalition", s, JOINT[s] + gain) for name, of in gains.items() for s, gain in enumerate(of)]
    found = compared(runs)
    assert outcome(found) == "better"
    means = [np.mean(of_data) for of_data in gains.values()]
    margin = stats.t.ppf(0.975, 2) * stats.sem(means)
    assert verdict(found).endswith(
        " on these 3 data sets; for others like them it is not shown "
        f"(95 % {100 * (np.mean(means) - margin):.1f} to {100 * (np.mean(means) + margin):.1f})"
    )


def test_data_sets_whose_means_are_equal_show_nothing_of_others():
    gains = {"imu": (0.04, 0.05, 0.06, 0.05), "grid": (0.06, 0.05, 0.04, 0.05)}
    runs = [record(name, "joint", seed, JOINT[seed]) for name in gains for seed in range(4)]
    runs += [record(name, "coalition", s, JOINT[s] + gain) for name, of in gains.items() for s, gain in enumerate(of)]
    said = verdict(compared(runs))  # 2.3646 * 0.7559 / sqrt(8) points
    assert said.startswith("coalition beats joint by 5.0 points (95 % 4.4 to 5.6, ")
    assert said.endswith(" on these 2 data sets; for others like them it is not shown (the same on each)")


@pytest.mark.parametrize(
    ("data", "where", "short"),
    [
        (("grid",), " on grid alone, of 3 data sets", " (on grid)"),
        (("imu", "grid"), " on grid and imu, of 3 data sets; for others like them it is", " (on grid and imu)"),
        (("imu", "grid", "emoji"), " on these 3 data sets; for others like them it is", ""),
    ],
)
@pytest.mark.parametrize("gain", [0.05, 0.0])
def test_a_comparison_on_some_data_sets_says_on_which(data, where, short, gain):
    runs = [record(name, "joint", seed, JOINT[seed]) for name in ("imu", "grid", "emoji") for seed in range(5)]
    gains = [gain + more for more in (0.001, -0.001, 0.002, -0.002, 0.0)]
    runs += [record(name, "coalition", seed, JOINT[seed] + gains[seed]) for name in data for seed in range(5)]
    results = results_of(runs)
    (table,) = compare_all(results, {figure: Samples() for figure in figures_of(results)})
    said = verdict(table.comparisons[0])
    assert said.partition("pairs)")[2].startswith(where if gain else where.partition(";")[0] if short else "")
    assert headline([table]) == (
        f"coalition{short} is better than joint" if gain else "No arm is shown to differ from joint"
    )
    text = f"Not compared on all 3 data sets: coalition{short}."
    found = [section.text for section in sections_of(results, {table.figure: Samples()}, [table], {})]
    assert (text in found) is bool(short)


def test_of_a_loss_less_is_better():
    runs = [record("digits", "joint", seed, 0.7, {"test/loss": 1.0 + 0.01 * seed}) for seed in range(4)]
    runs += [record("digits", "sample", s, 0.7, {"test/loss": 0.8 + 0.01 * s + 0.001 * s**2}) for s in range(4)]
    found = compared(runs, metric="loss", higher=False)
    assert outcome(found) == "better"
    assert found.won == 4
    assert verdict(found).startswith("sample beats joint by 0.196 nats (95 % 0.190 to 0.203, p < 0.001")


def test_a_difference_that_rounds_to_nothing_is_not_written_as_nothing():
    found = comparison([0.0004, 0.0003, 0.0005, 0.0004, 0.0004])
    assert verdict(found).startswith("coalition beats joint by 0.04 points (95 % 0.03 to 0.05, ")


def test_a_shown_difference_needs_an_interval_without_0():
    found = comparison([0.05, 0.06, 0.04, 0.05, 0.07])
    wide = replace(found, over_pairs=replace(found.over_pairs, margin=0.06))
    assert outcome(wide) == "not shown"
