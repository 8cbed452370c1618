"""What a sweep says in sentences, by numbers worked out by hand; its page is written again by `raymm report`."""

import re

import numpy as np
import pytest
from scipy import stats

from raymm.reports.pages.words import p_text
from raymm.sweep.summary import sweep_lines, write_sweep_summary
from raymm.sweep.verdict import sweep_headline, sweep_verdict
from tests.sweep.test_summary import ROWS, trial


def test_the_best_trial_is_named_with_what_makes_it_differ():
    assert sweep_headline(ROWS, "val/accuracy").startswith("Trial 1 (")
    assert sweep_headline(ROWS, "val/accuracy").endswith(" is the best by val/accuracy: 0.8400")
    assert sweep_headline(ROWS[3:], "val/accuracy") == "No trial has finished yet"
    assert sweep_headline([], "val/accuracy") == "No trial has finished yet"


@pytest.mark.parametrize(
    ("metric", "score", "shown"), [("loss", -0.5, "0.5000"), ("mae", -0.5, "0.5000"), ("r2", -0.2, "-0.2000")]
)
def test_the_best_score_is_told_as_its_metric_is_measured(metric, score, shown):
    rows = [trial(0, (score - 1,), strategy="joint"), trial(1, (score,), strategy="sample")]
    assert sweep_headline(rows, f"val/{metric}").endswith(f" is the best by val/{metric}: {shown}")
    said = " ".join(each.text for each in sweep_verdict(rows, f"val/{metric}"))
    assert "sample against joint: +1.0000" in said
    assert (f"Of val/{metric} less is better, so scores are negated" in said) == (metric != "r2")


def test_a_method_is_shown_to_differ_where_its_corrected_interval_excludes_0():
    said = {each.about: each for each in sweep_verdict(ROWS, "val/accuracy")}
    tanh = said["sample fs=tanh"]  # 0.10, 0.12, 0.14: margin 4.3027 * 0.02 / sqrt(3), t = 0.12 sqrt(3) / 0.02
    p = 2 * 2 * stats.t.sf(0.12 * 3**0.5 / 0.02, 2)  # two-sided, the smaller of two
    assert tanh.text == f"sample fs=tanh against joint: +0.1200 ± 0.0497 over 3 seeds (p {p:.3f} after Holm): shown."
    assert tanh.tone == "good"
    linear = said["sample fs=linear"]  # 0.04, 0.03, 0.01
    p = stats.ttest_1samp([0.04, 0.03, 0.01], 0).pvalue
    assert linear.text == (
        f"sample fs=linear against joint: +0.0267 ± 0.0379 over 3 seeds (p {p:.3f} after Holm): not shown."
    )
    assert said[""].text.startswith("Scores are of validation")


def test_methods_that_do_not_differ_are_seldom_shown_to():
    generator, shown = np.random.default_rng(0), 0
    for _ in range(150):
        scores = generator.normal(0.8, 0.01, (11, 5))
        rows = [trial(at, tuple(row), strategy=f"m{at}" if at else "joint") for at, row in enumerate(scores)]
        shown += any(each.text.endswith(": shown.") for each in sweep_verdict(rows, "val/accuracy"))
    assert shown <= 15  # 5 % of 150 are 7.5; as many as 16 come by chance once in 200


@pytest.mark.parametrize(("seeds", "groups", "shown"), [(2, 1, False), (6, 1, True), (6, 2, False), (7, 2, True)])
def test_the_same_difference_at_all_seeds_is_judged_by_sign_flips(seeds, groups, shown):
    joint = [0.80 - 0.05 * seed for seed in range(seeds)]
    higher = tuple(score + 0.01 for score in joint)
    rows = [trial(0, tuple(joint), strategy="joint")]
    rows += [trial(at + 1, higher, strategy=f"m{at}", fs="tanh") for at in range(groups)]
    p = min(1.0, groups * 2 / 2**seeds)
    said = [each.text for each in sweep_verdict(rows, "val/accuracy")]
    assert (
        f"m0 fs=tanh against joint: +0.0100, the same over {seeds} seeds ({p_text(p)} after Holm, by sign flips): "
        f"{'shown' if shown else 'not shown'}."
    ) in said


def test_one_seed_has_no_interval():
    rows = [trial(0, (0.7,), strategy="joint"), trial(1, (0.8,), strategy="sample")]
    assert "sample against joint: +0.1000 with one seed, so no interval." in [
        each.text for each in sweep_verdict(rows, "val/accuracy")
    ]


def test_the_page_begins_with_the_verdict(tmp_path):
    page = write_sweep_summary(tmp_path, ROWS, "val/accuracy", page=tmp_path / "other.html")[-1]
    assert page == tmp_path / "other.html"
    text = page.read_text()
    assert text.index('aria-label="Verdict"') < text.index("<table")
    assert sweep_headline(ROWS, "val/accuracy") in text


@pytest.mark.parametrize("rows", [[], ROWS[4:]])
def test_a_sweep_of_which_nothing_has_finished_has_a_page_too(tmp_path, rows):
    assert "No trial has finished yet" in write_sweep_summary(tmp_path, rows, "val/accuracy")[-1].read_text()


def test_scores_of_a_small_unit_are_not_shown_as_0():
    scores = {"joint": (-4.2e-6, -4.6e-6), "sample": (-3.1e-6, -3.4e-6)}
    rows = [trial(number, of_trial, strategy=name) for number, (name, of_trial) in enumerate(scores.items())]
    assert sweep_headline(rows, "val/mae").endswith(" is the best by val/mae: 3.25e-06")
    said = " ".join(each.text for each in sweep_verdict(rows, "val/mae"))
    assert re.search(r"sample against joint: \+1\.15e-06 ± 6\.35e-07 over 2 seeds", said)
    lines = "\n".join(sweep_lines(rows, "val/mae"))
    for words in ("-3.25e-06", "2.12e-07", "-4.4e-06", "+1.15e-06", "6.35e-07"):
        assert words in lines
    assert max(map(len, lines.splitlines())) <= 80
