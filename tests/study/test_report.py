"""A report says what was found: the sentences, numbers that agree with the runs, and all that is missing."""

import csv
from dataclasses import replace
from io import StringIO

import numpy as np
import pytest

from raymm.storage import layout
from raymm.study.columns import difference_columns, interval_columns, score_columns
from raymm.study.comparison import compare_all
from raymm.study.cost_ratios import cost_ratio, mean_cost
from raymm.study.figures import figures_of
from raymm.study.plots import COLOURS, cost_plot, differences_plot, epochs_plot, pareto_front
from raymm.study.raw import comparisons_csv, runs_csv
from raymm.study.report import verdict_lines, write_study_report
from raymm.study.samples import Samples, read_samples
from raymm.study.sections import sections_of
from raymm.study.tables import (
    arms_by_score,
    by_data_table,
    cost_table,
    difference_table,
    interval_table,
    mcnemar_table,
    score_table,
)
from tests.reports.test_pages import EVIL, Page
from tests.studies import plausible, record, results_of

ARMS = {"joint": (0.0, 1.0), "random": (0.03, 1.5), "coalition|all": (0.05, 1.6)}
DATA = {"grid/digits": ("audio", "rgb"), "imu": ("acc", "gyro", "mag")}


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    made = plausible(tmp_path_factory.mktemp("runs"), ARMS, DATA, seeds=3, count=80)
    failed = (f"failed: imu, random, all seeds: {EVIL}", "failed: imu, joint, trial 2: no space left")
    return replace(made, pending=2, failed=failed, failed_runs=3, facts={"command": EVIL})


@pytest.fixture(scope="module")
def tables(results):
    return compare_all(results, {figure: read_samples(results, figure) for figure in figures_of(results)})


@pytest.fixture(scope="module")
def written(results, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    return write_study_report(results, folder)


def of(results, arm, data=None):
    return [run for run in results.runs if run.arm == arm and data in {None, run.data}]


def cells(table, first):
    header, body = table
    return dict(zip(header, next(row for row in body if row[0] == first), strict=True))


def test_the_files_of_a_report(written):
    names = [file.name for file in written]
    assert names == [
        layout.REPORT_MD,
        layout.PAGE,
        layout.RUNS_CSV,
        layout.COMPARISONS_CSV,
        "differences.png",
        "cost.png",
        "epochs-1-grid-digits.png",
        "epochs-2-imu.png",
    ]
    assert all(file.stat().st_size for file in written)


def test_markdown_has_the_verdicts_and_what_is_missing(results, written):
    text = written[0].read_text()
    for line in verdict_lines(results):
        assert f"- {line}\n" in text
    assert "3 arms on 2 data sets with 3 seeds: 18 finished runs, compared by accuracy on test" in text
    assert "2 runs not finished and 3 runs failed: what follows is of the others." in text
    assert "coalition\\|all" in text  # a cell of a table
    assert text.count("](epochs-1-grid-digits.png)") == 1


def test_the_page_escapes_and_loads_nothing(results, written):
    page = Page(written[1])
    assert "script" not in page.tags
    assert page.texts.count(EVIL) == 1
    assert f"failed: imu, random, all seeds: {EVIL}" in page.texts
    images = [address for address in page.addresses if not address.startswith("#")]
    assert len(images) == page.tags.count("img") == 4
    assert all(address.startswith("data:image/png;base64,") for address in images)
    for line in verdict_lines(results):
        assert line in page.texts
    jumps = [address for address in page.addresses if address.startswith("#")]
    assert len(jumps) == page.tags.count("h2") >= 6
    assert all(f'id="{jump[1:]}"' in written[1].read_text() for jump in jumps)


def test_scores_are_means_and_deviations_over_seeds(results):
    figure, trained = figures_of(results)
    row = cells(score_table(results, figure), "random")
    means = []
    for data in DATA:
        found = [100 * run.metrics["test/accuracy"] for run in of(results, "random", data)]
        shown = [float(part) for part in row[data].split(" ± ")]
        assert shown == pytest.approx([np.mean(found), np.std(found, ddof=1)], abs=0.0501)
        means.append(np.mean(found))
    assert float(row["macro"]) == pytest.approx(np.mean(means), abs=0.0501)
    assert cells(score_table(results, trained), "random")["macro"] != row["macro"]


def test_fewer_seeds_are_said_and_a_missing_data_set_has_no_macro_mean():
    runs = [record(data, "joint", seed, 0.7) for data in ("a", "b") for seed in range(3)]
    runs += [record("a", "sample", seed, 0.8 + 0.01 * seed) for seed in range(2)]
    results = results_of(runs, about={"sample": "0.98 of the budget"})
    row = cells(score_table(results, figures_of(results)[0]), "sample")
    assert (row["a"], row["b"], row["macro"]) == ("80.5 ± 0.7 (2)", "-", "-")
    assert row["note"] == "0.98 of the budget"
    assert arms_by_score(results) == ["joint", "sample"]


def test_arms_are_ordered_by_their_macro_mean_whichever_way_is_better():
    scores = {("a", "x"): 0.5, ("b", "x"): 0.5, ("a", "y"): 0.9, ("b", "y"): 0.3, ("a", "z"): 0.4, ("b", "z"): 0.5}
    assert arms_by_score(results_of([record(*key, 0, value) for key, value in scores.items()])) == ["y", "x", "z"]
    runs = [record("a", arm, 0, 0.5, {"test/loss": loss}) for arm, loss in (("high", 2.0), ("low", 1.0))]
    assert arms_by_score(results_of(runs, metric="loss", higher=False)) == ["low", "high"]


def test_differences_are_those_of_the_comparison(results, tables):
    joint, trained = tables[0], next(table for table in tables if table.figure != tables[0].figure)
    each = next(one for one in joint.comparisons if one.first == "random")
    row = cells(difference_table(joint, trained), "random")
    assert row["difference"] == f"{100 * each.over_pairs.mean:+.1f} ± {100 * each.over_pairs.margin:.1f}"
    assert row["won-tied-lost"] == f"{each.won}-{each.tied}-{each.lost}"
    assert row["d_z"] == f"{each.effect:.2f}"
    before = next(one for one in trained.comparisons if one.first == "random")
    assert row["as trained"] == f"{100 * before.over_pairs.mean:+.1f} ± {100 * before.over_pairs.margin:.1f}"
    intervals = cells(interval_table(joint), "random")
    assert intervals["samples (bootstrap)"] == f"{100 * each.by_samples[0]:.1f} to {100 * each.by_samples[1]:.1f}"
    low, high = (100 * (each.over_data.mean + side * each.over_data.margin) for side in (-1, 1))
    assert intervals["data sets (t)"] == f"{low:.1f} to {high:.1f}"
    assert "as trained" not in difference_table(joint, None)[0]


def test_what_is_left_without_the_best_data_set():
    gains = {"a": 0.10, "b": 0.01, "c": 0.03}
    runs = [record(data, "joint", seed, 0.5 + 0.01 * seed) for data in gains for seed in range(2)]
    runs += [record(data, "new", s, 0.5 + 0.01 * s + gain) for data, gain in gains.items() for s in range(2)]
    for higher, left in ((True, "+2.0 (a left out)"), (False, "+6.5 (b left out)")):
        results = results_of(runs, higher=higher)
        table = by_data_table(compare_all(results, {figure: Samples() for figure in figures_of(results)})[0])
        assert cells(table, "new")["without its best data set"] == left
        assert cells(table, "new")["a"] == "+10.0"


def test_mcnemar_is_shown_by_data_set(results, tables):
    each = next(one for one in tables[0].comparisons if one.first == "random")
    test = each.mcnemar["imu"]
    assert cells(mcnemar_table(tables[0]), "random")["imu"].startswith(f"{test.only_first}:{test.only_second}, p ")
    trained = next(one for one in tables[-1].comparisons).mcnemar["imu"]  # of the predictions before calibration
    assert (trained.only_first, trained.only_second) != (test.only_first, test.only_second)
    figure = tables[0].figure
    assert mcnemar_table(compare_all(results, {figure: Samples()})[0]) is None


def test_costs_are_geometric_means_of_ratios_of_pairs():
    spent = {("a", "joint"): (10.0, 20.0), ("a", "new"): (20.0, 80.0), ("b", "joint"): (4.0,), ("b", "new"): (2.0,)}
    runs = [
        record(data, arm, seed, 0.5, cost=cost)
        for (data, arm), costs in spent.items()
        for seed, cost in enumerate(costs)
    ]
    expected = (((2 * 4) ** 0.5) * 0.5) ** 0.5
    assert cost_ratio(runs, "new", "joint", "seconds") == pytest.approx(expected)
    assert cost_ratio(runs, "joint", "new", "seconds") == pytest.approx(1 / expected)
    assert mean_cost(runs, "new", "seconds") == pytest.approx((50 + 2) / 2)
    row = cells(cost_table(results_of(runs)), "new")
    assert row["seconds"] == f"{expected:.2f}"
    assert cells(cost_table(results_of(runs)), "joint, a run")["rows"] == "9.5"


@pytest.mark.parametrize("hidden", [("a", "new"), ("a", "joint")])
def test_a_cost_that_is_not_known_is_a_dash(hidden):
    runs = [record("a", arm, 0, 0.5, cost=0.0 if ("a", arm) == hidden else 3.0) for arm in ("joint", "new")]
    assert np.isnan(cost_ratio(runs, "new", "joint", "rows"))
    assert cells(cost_table(results_of(runs)), "new")["rows"] == "-"
    alone = [record("a", "joint", 0, 0.5), record("b", "new", 0, 0.5)]
    assert np.isnan(cost_ratio(alone, "new", "joint", "rows"))


def test_the_pareto_front_is_what_nothing_dominates():
    generator = np.random.default_rng(0)
    for _ in range(50):
        costs, scores = generator.integers(0, 5, 8).tolist(), generator.integers(0, 5, 8).tolist()
        points = list(zip(costs, scores, strict=True))
        expected = {
            place
            for place, (cost, score) in enumerate(points)
            if not any(c <= cost and s >= score and (c, s) != (cost, score) for c, s in points)
        }
        front = pareto_front(costs, scores)
        assert set(front) == expected
        assert [costs[place] for place in front] == sorted(costs[place] for place in front)


def test_the_plot_of_costs_fills_the_front(results):
    figure = figures_of(results)[0]
    plot = cost_plot(results, figure, arms_by_score(results))
    seconds = plot.axes[0]
    points = [line for line in seconds.lines if line.get_marker() != "None" and len(line.get_xdata())]
    drawn = {(round(line.get_xdata()[0], 6), round(line.get_ydata()[0], 6)) for line in points}
    expected = {
        (
            round(cost_ratio(results.runs, arm, "joint", "seconds"), 6),
            round(
                np.mean([100 * np.mean([r.metrics["test/accuracy"] for r in of(results, arm, d)]) for d in DATA]), 6
            ),
        )
        for arm in ARMS
    }
    assert drawn == expected
    free = results_of([record("a", arm, 0, 0.5, cost=0.0) for arm in ("joint", "new")])
    assert cost_plot(free, figures_of(free)[0], ["joint", "new"]) is None


def test_the_plot_of_a_loss_has_its_front_below():
    runs = [
        record("a", arm, 0, 0.5, {"test/loss": loss}, cost)
        for arm, loss, cost in (("joint", 1.0, 1.0), ("good", 0.5, 2.0), ("bad", 2.0, 2.0))
    ]
    results = results_of(runs, metric="loss", higher=False)
    plot = cost_plot(results, figures_of(results)[0], ["good", "joint", "bad"])
    faces = {
        line.get_ydata()[0]: line.get_markerfacecolor() for line in plot.axes[0].lines[1:] if len(line.get_ydata())
    }
    assert faces[2.0] == "white"
    assert "white" not in {faces[1.0], faces[0.5]}


def test_the_plot_of_differences_has_the_intervals(results, tables):
    plot = differences_plot(tables[:2], arms_by_score(results))
    axis, joint = plot.axes[0], tables[0]
    labels = [text.get_text() for text in axis.get_yticklabels()]
    for each in joint.comparisons:
        line = next(
            found
            for found in axis.lines
            if len(found.get_ydata()) == 1 and labels[int(found.get_ydata()[0])] == each.first
        )
        assert line.get_xdata()[0] == pytest.approx(100 * each.over_pairs.mean)
    assert axis.get_xlabel() == "accuracy less that of joint (points)"


def test_the_plot_of_epochs_is_of_all_arms_and_modalities(results):
    arms = arms_by_score(results)
    plot = epochs_plot(of_data(results, "imu"), arms)
    assert len(plot.axes) == 2 * 3
    assert [axis.get_ylabel() for axis in plot.axes[:2]] == ["phi acc", "acc alone (%)"]
    line = plot.axes[0].lines[arms.index("random")]
    runs = of(results, "random", "imu")
    expected = np.mean([[entry["metrics"]["phi/val_acc"] for entry in run.history] for run in runs], axis=0)
    assert line.get_ydata() == pytest.approx(expected)
    assert line.get_color() == COLOURS[arms.index("random")]
    assert epochs_plot([record("a", "joint", 0, 0.5)], ["joint"]) is None


def test_the_plot_of_epochs_of_a_regression_has_no_accuracy():
    history = [{"epoch": epoch, "metrics": {"phi/val_audio": 0.1 * epoch, "val/mae": 0.5}} for epoch in range(3)]
    plot = epochs_plot([record("a", "joint", 0, 0.5, history=history)], ["joint"])
    assert [axis.get_ylabel() for axis in plot.axes] == ["phi audio"]


@pytest.mark.parametrize(
    ("seeds", "gains", "said"),
    [
        (1, (0.04, 0.05, 0.06), ["+5.0", "-", "2.5 to 7.5"]),
        (2, (0.05, 0.05, 0.05), ["+5.0", "-", "-"]),
        (2, (0.04, 0.05, 0.06), ["+5.0 ± 0.9", "4.1 to 5.9", "2.5 to 7.5"]),
    ],
)
def test_tables_have_no_interval_where_the_verdict_has_none(seeds, gains, said):
    runs = [record(data, "joint", seed, 0.5 + 0.1 * seed) for data in "abc" for seed in range(seeds)]
    runs += [
        record(d, "x", s, 0.5 + 0.1 * s + gain) for d, gain in zip("abc", gains, strict=True) for s in range(seeds)
    ]
    table = compare_all(found := results_of(runs), {figure: Samples() for figure in figures_of(found)})[0]
    intervals = cells(interval_table(table), "x")
    row = [
        cells(difference_table(table, None), "x")["difference"],
        intervals["pairs (t)"],
        intervals["data sets (t)"],
    ]
    assert row == said


@pytest.mark.parametrize("base", [0.5, 0.1, 1 / 24])
def test_equal_differences_have_no_interval_in_any_column(base):
    """The raw table's margins are empty, as its p is; they were of rounding, such as 2.1e-17."""
    runs = [record(data, "joint", seed, base + 0.07 * seed) for data in "ab" for seed in range(3)]
    runs += [record(data, "new", seed, base + 0.07 * seed + 1 / 24) for data in "ab" for seed in range(3)]
    tables = compare_all(found := results_of(runs), {figure: Samples() for figure in figures_of(found)})
    row = next(csv.DictReader(StringIO(comparisons_csv(tables))))
    without = ["p_t", "effect_dz", *(f"{name}_margin" for name in ("pairs", "seeds", "data", "data:a", "data:b"))]
    without += ["bootstrap_seeds_low", "bootstrap_seeds_high"]
    assert {name: row[name] for name in without} == dict.fromkeys(without, "")
    assert float(row["pairs_mean"]) == pytest.approx(1 / 24)
    assert set(cells(by_data_table(tables[0]), "new").values()) >= {"+4.2", "+4.2 (a left out)"}
    assert set(cells(interval_table(tables[0]), "new").values()) == {"new", "-"}


def of_data(results, name):
    return [run for run in results.runs if run.data == name]


def test_the_raw_table_of_runs_is_complete(results):
    rows = list(csv.DictReader(StringIO(runs_csv(results))))
    assert len(rows) == len(results.runs)
    for row, run in zip(rows, results.runs, strict=True):
        assert (row["data"], row["arm"], int(row["seed"]), row["path"]) == (
            run.data,
            run.arm,
            run.seed,
            str(run.path),
        )
        assert float(row["cost_seconds"]) == run.cost["seconds"]
        assert {name: float(row[name]) for name in run.metrics} == dict(run.metrics)
    assert rows[0]["phi/test_mag"] == ""  # a modality of another data set


def test_the_raw_table_of_comparisons_is_complete(tables):
    rows = list(csv.DictReader(StringIO(comparisons_csv(tables))))
    flat = [each for table in tables for each in table.comparisons]
    assert len(rows) == len(flat) == 2 * 3
    for row, each in zip(rows, flat, strict=True):
        assert (row["first"], row["second"], row["figure"]) == (each.first, each.second, each.figure.name)
        assert float(row["p_holm"]) == each.p_holm
        assert float(row["pairs_mean"]) == each.over_pairs.mean
        assert (row["bootstrap_all_low"] == "") == (each.by_all is None)
        assert float(row["data:imu_mean"]) == each.by_data["imu"].mean
    assert comparisons_csv([]) == "first,second\n"


def test_a_report_of_nothing_yet(tmp_path):
    files = write_study_report(results_of([], pending=4), tmp_path)
    assert "4 runs not finished" in files[0].read_text()
    assert verdict_lines(results_of([])) == []


def test_a_report_is_the_same_each_time(results, written, tmp_path):
    again = write_study_report(results, tmp_path)
    for first, second in zip(written[:4], again[:4], strict=True):
        assert first.read_bytes() == second.read_bytes()


def test_every_column_of_every_table_is_said_what_it_is(results, written, tables):
    samples = {figure: read_samples(results, figure) for figure in figures_of(results)}
    found = [section for section in sections_of(results, samples, tables, {}) if section.table]
    explained = [section for section in found if section.columns]
    assert {section.title for section in found} - {section.title for section in explained} == {
        "What failed",
        "What was run",
    }  # whose columns are words
    for section in explained:
        assert list(section.columns) == section.table[0], section.title
        assert all(section.columns.values())
    assert len(explained) >= 9
    score = next(section for section in explained if section.title == "Test accuracy").columns
    assert "in percent; higher is better" in score["macro"]
    assert written[1].read_text().count("What the columns say") == len(explained)
    text = written[0].read_text()
    for section in explained:
        for head, means in section.columns.items():
            assert f"- **{head}**: {means}\n" in text


def test_of_a_loss_less_is_better_in_every_column():
    runs = [record("a", arm, seed, 0.5, {"test/loss": 1.0 + seed}) for arm in ("joint", "x") for seed in range(2)]
    found = results_of(runs, metric="loss", higher=False)
    (figure,) = figures_of(found)
    table = compare_all(found, {figure: Samples()})[0]
    assert "lower is better" in score_columns(figure, ["a"], said=False)["a"]
    assert "below 0 the arm is better" in difference_columns(table, trained=False)["difference"]
    assert "in nats" in difference_columns(table, trained=False)["difference"]
    assert "wholly below 0" in interval_columns(table)["arm"]
