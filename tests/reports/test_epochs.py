"""Charts and tables over epochs: where a line goes is read off the marks of its own axes, as a reader does."""

import math

import numpy as np
import pytest

from raymm.reports.pages.charts import MOST_POINTS, Level, bar_chart
from raymm.reports.pages.epochs import MOST_ROWS, course_of
from raymm.tracking.metrics import TRAIN_LOSS, phi_metric, split_metric

NAMES = ("audio", "rgb")


def history(count, gaps=()):
    """Epochs from 0 with waves for numbers; of audio some are missing."""
    return [
        {
            "epoch": epoch,
            "metrics": {
                TRAIN_LOSS: 2 / (1 + epoch),
                split_metric("val", "accuracy"): 0.5 + 0.4 * math.sin(epoch / 7),
                **{split_metric("val", "accuracy", name): 0.3 + 0.01 * at for at, name in enumerate(NAMES)},
                **{
                    phi_metric("val", name): math.cos(epoch / 5) + at
                    for at, name in enumerate(NAMES)
                    if at or epoch not in gaps
                },
            },
        }
        for epoch in range(count)
    ]


def read(marks, at):
    """The number at a place of an axis, by a line through its first and last mark."""
    low, high = marks[0], marks[-1]
    return float(low.text) + (at - low.at) / (high.at - low.at) * (float(high.text) - float(low.text))


def points(line):
    return [tuple(map(float, pair.split(","))) for path in line.paths for pair in path.split()]


@pytest.mark.parametrize("count", [12, 400, 1234])
def test_the_lines_go_through_the_numbers_of_their_epochs(count):
    entries = history(count)
    phi, accuracy = course_of(entries, NAMES, 3).charts
    for at, name in enumerate(NAMES):
        found = points(phi.lines[at])
        assert len(found) == min(count, MOST_POINTS)
        epochs = [read(phi.x_marks, x) for x, _ in found]
        assert (epochs[0], epochs[-1]) == pytest.approx((1, count), abs=0.01 * count)
        expected = [entry["metrics"][phi_metric("val", name)] for entry in entries]
        by_hand = np.interp(epochs, range(1, count + 1), expected)
        assert [read(phi.y_marks, y) for _, y in found] == pytest.approx(by_hand.tolist(), abs=0.1)
    assert [line.name for line in accuracy.lines] == ["all together", "audio alone", "rgb alone"]


def test_a_line_has_a_gap_where_a_number_is_missing_and_a_dot_where_one_stands_alone():
    course = course_of(history(50, gaps={10, 12, *range(30, 35)}), NAMES, 3)
    line = course.charts[0].lines[0]
    assert [len(path.split()) for path in line.paths] == [10, 17, 15]
    assert len(line.dots) == 1
    assert read(course.charts[0].x_marks, line.dots[0][0]) == pytest.approx(12, abs=0.2)
    assert [row[4] for row in course.table.rows if row[4] == "-"] == ["-"] * 7


@pytest.mark.parametrize("count", [5, 100, 101, 250])
def test_the_table_has_the_first_and_the_last_epoch_and_says_how_many_are_left_out(count):
    entries = history(count)
    table = course_of(entries, NAMES, 3).table
    assert [head.text for head in table.heads] == [
        *("epoch", "all together", "audio alone", "rgb alone", "phi audio", "phi rgb", "training loss")
    ]
    epochs = [int(row[0]) for row in table.rows]
    assert (epochs[0], epochs[-1], len(epochs)) == (1, count, min(count, MOST_ROWS))
    for epoch, row in zip(epochs, table.rows, strict=True):
        metrics = entries[epoch - 1]["metrics"]
        assert float(row[1]) == pytest.approx(metrics["val/accuracy"], abs=6e-4)
        assert float(row[5]) == pytest.approx(metrics[phi_metric("val", "rgb")], abs=6e-4)
        assert float(row[6]) == pytest.approx(metrics[TRAIN_LOSS], abs=6e-4)
    assert table.note == ("" if count <= 100 else f"100 of {count} epochs, evenly spaced.")


def test_the_levels_are_at_the_picked_epoch_and_where_re_sampling_begins():
    chart = course_of(history(20), NAMES, 7, fair_share=0.5, acts_from=4).charts[0]
    places = {name: read(chart.x_marks if axis == "x" else chart.y_marks, at) for name, at, axis in chart.levels}
    assert places == pytest.approx({"picked": 7, "re-sampling begins": 5, "fair share": 0.5}, abs=0.05)


def test_one_epoch_is_a_dot_and_none_is_no_chart():
    (phi, _) = course_of(history(1), NAMES, 1).charts
    assert [(line.paths, len(line.dots)) for line in phi.lines] == [([], 1), ([], 1)]
    assert [mark.text for mark in phi.x_marks] == ["1"]
    assert course_of([], NAMES, 1).charts == []


def test_bars_begin_at_zero_and_end_at_their_numbers():
    rows = [("a", 0.5, 0.1, "a"), ("b", -0.3, math.nan, "b"), ("c", math.nan, math.nan, "-")]
    chart = bar_chart("t", "alt", rows, x_label="x", level=Level("fair share", 0.75))
    ends = [tuple(read(chart.x_marks, place) for place in (bar.start, bar.end)) for bar in chart.bars]
    assert ends[0] == pytest.approx((0, 0.5), abs=0.005)
    assert ends[1] == pytest.approx((-0.3, 0), abs=0.005)
    assert chart.bars[2].start == chart.bars[2].end == chart.zero
    assert [read(chart.x_marks, place) for place in chart.bars[0].whisker] == pytest.approx([0.4, 0.6], abs=0.005)
    assert (chart.bars[1].whisker, chart.level[0]) == (None, "fair share")
    assert read(chart.x_marks, chart.level[1]) == pytest.approx(0.75, abs=0.005)
    assert bar_chart("t", "alt", rows[2:], x_label="x") is None
