"""The summary of a sweep: order, figures worked out by hand, what is missing, and files that hold them."""

import csv
import itertools
import math
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from raymm.reports.means import exact_mean
from raymm.sweep.columns import score_legend
from raymm.sweep.effects import effects
from raymm.sweep.labels import short_names, varied
from raymm.sweep.plots import families_plot, score_by_parameter
from raymm.sweep.rows import TrialRow, best_first, best_of
from raymm.sweep.summary import _parts, sweep_lines, sweep_table, write_sweep_summary

STRATEGY, FS, RATE = "method.name", "method.settings.fs.family", "method.settings.fs.rate"


def trial(number, scores=(0.5,), status="finished", cause="", **settings):
    names = {"strategy": STRATEGY, "fs": FS, "rate": RATE, "fusion": "model.fusion.name", "lr": "optimizer.lr"}
    return TrialRow(
        key=f"key{number}",
        number=number,
        params={names.get(name, name): value for name, value in settings.items()},
        status=status,
        scores=tuple(scores),
        metrics={"test/accuracy": 0.5} if scores else {},
        epochs=4,
        rows=100.0,
        seconds=2.0,
        cause=cause,
    )


ROWS = [
    trial(0, (0.70, 0.72, 0.74), strategy="joint"),
    trial(1, (0.80, 0.84, 0.88), strategy="sample", fs="tanh", rate=0.5),
    trial(2, (0.74, 0.75, 0.75), strategy="sample", fs="linear"),
    trial(3, (0.95,), status="stopped", strategy="sample", fs="tanh", rate=2.0),
    trial(
        4, (), status="failed", cause="TrainingError: the loss is nan; " + "word " * 30, strategy="sample", fs="step"
    ),
]


def test_the_table_is_best_first_and_every_row_has_every_column():
    table = sweep_table(ROWS)
    assert [row["trial"] for row in table] == [1, 2, 0, 3, 4]
    assert [row["place"] for row in table] == [1, 2, 3, 4, 5]
    assert len({tuple(row) for row in table}) == 1
    best, last = table[0], table[-1]
    assert best["score"] == pytest.approx(0.84)
    assert best["sd"] == pytest.approx(0.04)
    assert (best[RATE], table[2][RATE]) == (0.5, "")
    assert (last["score"], last["sd"], last["seeds"], last["test/accuracy"]) == (None, None, 0, "")
    assert last["cause"].startswith("TrainingError")


def test_the_same_scores_of_other_seeds_are_equal():
    """Rounding of a sum decides nothing: each set of scores in every order, the first of them proposed first."""
    for scores in itertools.combinations([round(0.05 * step, 2) for step in range(21)], 3):
        rows = [trial(number, order) for number, order in enumerate(itertools.permutations(scores))]
        assert len({row.score for row in rows}) == 1
        assert rows[0].score == pytest.approx(sum(scores) / 3)
        assert [row.number for row in best_first(rows[::-1])] == list(range(6))


@pytest.mark.parametrize(
    ("values", "mean"),
    [([0.1] * 3, 0.1), ([1e308, 1e308], 1e308), ([math.inf, 1.0], math.inf), ([-math.inf, 0.0], -math.inf)],
)
def test_means_of_few_numbers(values, mean):
    assert exact_mean(values) == mean
    assert math.isnan(exact_mean([math.inf, -math.inf]))
    assert math.isnan(exact_mean([math.nan, *values]))
    assert math.isnan(exact_mean([]))


def test_equal_scores_stay_in_the_order_in_which_they_were_proposed():
    assert [row["trial"] for row in sweep_table([trial(2), trial(0), trial(1, (0.6,))])] == [1, 0, 2]


def test_the_lines_fit_and_say_what_failed_and_why():
    lines = sweep_lines(ROWS, "val/accuracy")
    text = "\n".join(lines)
    assert max(map(len, lines)) <= 80
    for words in ("0.8400", "method=sample", "fs.family=tanh", "fs.rate=0.5", "failed", "TrainingError: the loss"):
        assert words in text
    assert "sample fs=tanh" in text
    assert sweep_lines([], "accuracy") == ["no trial has ended yet"]


def test_the_lines_stop_and_say_how_many_more_there_are():
    rows = [trial(number, (number / 100,), lr=0.1 / (number + 1)) for number in range(25)]
    assert "... and 5 more" in sweep_lines(rows, "accuracy")
    assert not any("more" in line for line in sweep_lines(rows[:20], "accuracy"))


def test_a_setting_that_is_the_same_everywhere_is_not_shown():
    rows = [trial(0, strategy="sample", lr=0.1), trial(1, strategy="sample", lr=0.2)]
    assert "strategy" not in "\n".join(sweep_lines(rows, "accuracy")[:3])
    assert varied(rows) == ["optimizer.lr"]


def test_effects_are_paired_with_joint_by_seed():
    by_name = {effect.group: effect for effect in effects(ROWS)}
    assert list(by_name) == ["sample fs=tanh", "sample fs=linear", "joint"]
    tanh, joint = by_name["sample fs=tanh"], by_name["joint"]
    gains = np.array([0.10, 0.12, 0.14])
    assert tanh.difference == pytest.approx(gains.mean())
    low, high = stats.t.interval(0.95, 2, gains.mean(), stats.sem(gains))
    assert tanh.margin == pytest.approx((high - low) / 2)
    assert (tanh.trials, tanh.seeds) == (1, 3)
    assert joint.difference is None
    unpaired = {effect.group: effect for effect in effects(ROWS[1:])}["sample fs=tanh"]
    assert unpaired.difference is None
    assert unpaired.margin > tanh.margin


def test_a_group_is_the_mean_of_its_trials_not_its_best():
    rows = [
        trial(0, (0.5, 0.5), strategy="joint"),
        trial(1, (0.6, 0.8), strategy="sample", fs="tanh", rate=1.0),
        trial(2, (0.4, 0.6), strategy="sample", fs="tanh", rate=2.0),
    ]
    first = effects(rows)[0]
    assert (first.group, first.trials) == ("sample fs=tanh", 2)
    assert first.difference == pytest.approx(0.1)


def test_random_is_a_control_of_its_own():
    rows = [
        trial(0, (0.5, 0.6), strategy="joint"),
        trial(1, (0.6, 0.6), strategy="random", fs="linear"),
        trial(2, (0.7, 0.9), strategy="sample", fs="linear"),
    ]
    found = {effect.group: effect for effect in effects(rows)}
    assert found["sample fs=linear"].difference == pytest.approx(0.25)
    assert found["sample fs=linear"].over_random == pytest.approx(0.2)
    assert found["sample fs=linear"].over_random_margin == pytest.approx(12.706 * 0.1, rel=1e-3)
    assert found["random fs=linear"].difference == pytest.approx(0.05)
    assert found["random fs=linear"].over_random is None
    assert (found["joint"].difference, found["joint"].over_random) == (None, None)


def test_each_fusion_has_its_own_joint():
    rows = [
        trial(0, (0.5,), strategy="joint", fusion="sum"),
        trial(1, (0.9,), strategy="joint", fusion="film"),
        trial(2, (0.6,), strategy="sample", fusion="sum"),
        trial(3, (0.95,), strategy="sample", fusion="film"),
    ]
    found = {effect.group: effect for effect in effects(rows)}
    assert found["sample fusion=sum"].difference == pytest.approx(0.1)
    assert found["sample fusion=film"].difference == pytest.approx(0.05)
    assert found["sample fusion=sum"].margin is None


def test_nothing_is_compared_where_no_strategy_or_family_was_searched():
    assert effects([trial(0, lr=0.1), trial(1, lr=0.2)]) == []


def test_the_files_hold_the_table_and_a_page_with_its_plots(tmp_path: Path):
    files = write_sweep_summary(tmp_path, ROWS, "accuracy")
    names = ["trials.csv", "parameters.png", "families.png", "summary.md", "summary.html"]
    assert [path.name for path in files] == names
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)
    with files[0].open() as file:
        read = list(csv.DictReader(file))
    assert [row["trial"] for row in read] == ["1", "2", "0", "3", "4"]
    assert float(read[0]["score"]) == pytest.approx(0.84)
    assert [row["seeds"] for row in read] == ["3", "3", "3", "1", "0"]
    assert [row[RATE] for row in read] == ["0.5", "", "", "2.0", ""]
    assert (read[-1]["score"], read[-1]["cause"]) == ("", ROWS[-1].cause)
    page = files[-2].read_text()
    assert "| 1 | 1 | 0.8400 | 0.0400 | 3 | finished | method sample, fs.family tanh, fs.rate 0.5 |" in page
    assert "| 4 | TrainingError: the loss is nan;" in page
    html = files[-1].read_text()
    assert html.count('src="data:image/png;base64,') == 2
    assert "<td>method sample, fs.family tanh, fs.rate 0.5" in html
    assert "+0.1200" in page
    for path in files[1:3]:
        assert path.read_bytes().startswith(b"\x89PNG")
        assert f"({path.name})" in page


@pytest.mark.parametrize("metric", ["val/accuracy", "val/loss"])
def test_every_column_is_said_what_it_is_in_the_page_and_below_the_table(tmp_path, metric):
    random = [trial(8, (0.5, 0.6, 0.7), strategy="random", fs="linear")]
    for rows in (ROWS, [*ROWS, *random], ROWS[1:]):
        parts = _parts(rows, metric, effects(rows))
        assert [part.title for part in parts] == ["Sweep", "Strategies and families", "Failed"]
        for part in parts:
            assert list(part.columns) == list(part.header)
            assert all(len(row) == len(part.header) for row in part.body)
            assert all(means and not means.endswith(".") for means in part.columns.values())
    files = write_sweep_summary(tmp_path, ROWS, metric)
    assert files[-1].read_text().count("What the columns say") == 3
    assert "- **± sd**: standard deviation of the score over its seeds" in files[-2].read_text()
    text = " ".join(" ".join(sweep_lines(ROWS, metric)).split())
    assert score_legend(metric) in text
    assert ("it is negated; higher is better" in text) == (metric == "val/loss")


def test_a_control_that_was_not_tried_has_no_column():
    parts = _parts(ROWS[1:], "val/accuracy", effects(ROWS[1:]))
    assert "± 95 %" in parts[1].header
    assert not [head for head in parts[1].header if "joint" in head or "random" in head]


def test_a_sweep_of_failures_has_a_table_and_no_plots(tmp_path: Path):
    rows = [trial(0, (), status="failed", cause="a | b", lr=0.1), trial(1, (), status="failed", lr=0.2)]
    files = write_sweep_summary(tmp_path, rows, "accuracy")
    assert [path.name for path in files] == ["trials.csv", "summary.md", "summary.html"]
    assert r"a \| b" in files[-2].read_text()
    assert "<td>a | b" in files[-1].read_text()
    assert [path.name for path in write_sweep_summary(tmp_path, [], "accuracy")] == [
        "trials.csv",
        "summary.md",
        "summary.html",
    ]


def test_short_names_stay_apart():
    keys = ["method.settings.fs.family", "method.settings.fm.family", "optimizer.name", "view.name"]
    assert list(short_names(keys).values()) == ["fs.family", "fm.family", "optimizer.name", "view.name"]


def panel(rows, key="lr"):
    """Where the trials of the panel of a setting lie, its labels, and the kind of its axis."""
    (axis,) = [axis for axis in score_by_parameter(rows, "accuracy").axes if axis.get_xlabel() == key]
    points = [line.get_xdata()[0] for line in axis.lines if line.get_marker() == "o" and len(line.get_xdata())]
    return points, [label.get_text() for label in axis.get_xticklabels()], axis.get_xscale()


def test_many_numbers_lie_where_they_are_and_far_apart_ones_on_a_logarithmic_axis():
    rates = [0.001 * 2**k for k in range(8)]
    points, _, scale = panel([trial(k, lr=rate) for k, rate in enumerate(rates)])
    assert (points, scale) == (rates, "log")
    points, _, scale = panel([*[trial(k, lr=5.0 + k) for k in range(8)], trial(8, lr=None), trial(9)])
    assert (points, scale) == ([5.0 + k for k in range(8)], "linear")


def test_few_numbers_and_words_lie_at_even_distances_and_the_unread_last():
    rows = [trial(0, lr=100.0), trial(1, lr="a"), trial(2, lr=0.5), trial(3, lr=None), trial(4), trial(5, lr=0.5)]
    points, labels, scale = panel(rows)
    assert (labels, scale) == (["0.5", "100", "a", "none", "not read"], "linear")
    assert np.rint(points).tolist() == [1, 2, 0, 3, 4, 0]
    assert points[2] != points[5]


def test_there_is_a_panel_a_setting_and_equal_scores_can_be_drawn():
    rows = [trial(k, lr=rate, strategy=name) for k, (rate, name) in enumerate([(0.1, "joint"), (0.2, "sample")])]
    shown = [axis.get_xlabel() for axis in score_by_parameter(rows, "accuracy").axes if axis.axison]
    assert shown == ["method", "lr"]


def test_the_best_of_equal_means_is_the_first_whatever_the_order_of_their_seeds():
    """Sums of the same scores in another order differ by rounding, which the mean is free of."""
    scores = (0.1, 0.2, 0.3, 0.7)
    orders = list(permutations(scores))
    assert len({trial(0, order).score for order in orders}) == 1
    rows = [trial(number, order) for number, order in enumerate(orders)]
    assert [row.number for row in best_first(rows)] == list(range(len(rows)))
    assert best_of(reversed(rows)) is rows[0]
    assert best_of([trial(0, (1 / 3, 2 / 3)), trial(1, (1 / 2, 1 / 2 + 1e-7))]).number == 1


def test_trials_without_a_score_are_none_of_the_best():
    rows = [trial(0, ()), trial(1, (-3.0,)), trial(2, (0.0,), status="stopped"), trial(3, (0.0,), status="failed")]
    assert [row.number for row in best_first(rows)] == [1, 0, 2, 3]
    assert best_of(rows).number == 1
    assert best_of([rows[0], *rows[2:]]) is None
    assert sweep_lines(rows, "val/accuracy")


def test_equal_scores_and_equal_differences_have_no_interval():
    joint, other = (0.7, 0.7, 0.7), (0.7 + 1 / 24,) * 3
    found = {each.group: each for each in effects([trial(0, joint, strategy="joint"), trial(1, other, strategy="x")])}
    assert (found["joint"].margin, found["x"].margin) == (None, None)
    assert found["x"].p == 0.25
    assert sweep_table([trial(0, joint)])[0]["sd"] == 0


def test_intervals_are_drawn_around_the_differences():
    found = effects(ROWS)
    axis = families_plot(found, "accuracy").axes[0]
    assert [label.get_text() for label in axis.get_yticklabels()] == ["sample fs=linear", "sample fs=tanh"]
    assert "less that of joint" in axis.get_xlabel()
    assert "less that of joint" not in families_plot(effects(ROWS[1:]), "accuracy").axes[0].get_xlabel()
