"""Comparisons put the statistics of the right runs together: pairs of a data set and seed, in families."""

from dataclasses import replace
from math import isnan

import numpy as np
import pytest
from scipy import stats

from raymm.errors import DataError
from raymm.reports.paired_statistics import holm, p_of_equal
from raymm.study.comparison import compare_all, compare_arms, controls_of
from raymm.study.figures import Figure, figures_of, macro_mean, paired, values_of
from raymm.study.samples import Samples, read_samples
from raymm.study.verdict import outcome
from raymm.tasks import get_task
from tests.studies import record, results_of, write_test_table

VALUES = {  # by data set, arm and seed; the coalition of seed 2 is missing on `b`, `extra` is on one data set only
    ("a", "joint"): {0: 0.70, 1: 0.72, 2: 0.71},
    ("a", "coalition"): {0: 0.75, 1: 0.74, 2: 0.76},
    ("b", "joint"): {0: 0.50, 1: 0.52, 2: 0.49},
    ("b", "coalition"): {0: 0.49, 1: 0.57},
    ("a", "random"): {0: 0.71, 1: 0.70, 2: 0.74},
    ("b", "random"): {0: 0.51, 1: 0.50, 2: 0.53},
    ("a", "extra"): {2: 0.80, 1: 0.79},
}
RESULTS = results_of(
    [
        record(data, arm, seed, value, {"uncalibrated_test/accuracy": value - 0.01 * (1 + seed)})
        for (data, arm), of_seeds in VALUES.items()
        for seed, value in of_seeds.items()
    ]
)
FIGURE = figures_of(RESULTS)[0]
ON_VALUES = values_of(RESULTS.runs, FIGURE)


def found(first, second="joint", samples=None, results=RESULTS):
    tables = compare_all(results, {figures_of(results)[0]: samples or Samples()})
    table = next(table for table in tables if table.second == second)
    return next(comparison for comparison in table.comparisons if comparison.first == first)


def test_pairs_are_of_the_same_data_set_and_seed():
    pairing = paired(ON_VALUES, "coalition", "joint")
    assert pairing.seeds == {"a": (0, 1, 2), "b": (0, 1)}
    assert pairing.by_data["a"] == pytest.approx([0.05, 0.02, 0.05])
    assert pairing.by_data["b"] == pytest.approx([-0.01, 0.05])
    assert pairing.by_seed() == pytest.approx([0.02, 0.035])
    assert paired(ON_VALUES, "extra", "joint").seeds == {"a": (1, 2)}


def test_every_statistic_is_that_of_its_values():
    comparison = found("coalition")
    pairs = [0.05, 0.02, 0.05, -0.01, 0.05]
    assert comparison.over_pairs.mean == pytest.approx(np.mean(pairs))
    assert comparison.p_t == pytest.approx(stats.ttest_1samp(pairs, 0).pvalue)
    assert comparison.over_seeds.mean == pytest.approx((0.02 + 0.035) / 2)
    assert comparison.over_data.mean == pytest.approx((0.04 + 0.02) / 2)
    assert comparison.over_data.count == 2
    assert comparison.by_data["b"].mean == pytest.approx(0.02)
    assert comparison.effect == pytest.approx(np.mean(pairs) / np.std(pairs, ddof=1))
    assert (comparison.won, comparison.tied, comparison.lost) == (4, 0, 1)
    assert comparison.p_flips == 4 / 32  # the sum is 16; -1 taken as +1 is 18; so 4 of 32 are as far
    assert not comparison.balanced
    assert comparison.by_samples is comparison.by_all is None
    low, high = comparison.by_seeds
    assert low < comparison.over_data.mean < high


def test_an_arm_without_all_data_sets_has_no_macro_mean():
    assert macro_mean(ON_VALUES, "joint", ["a", "b"]) == pytest.approx((0.71 + 0.50333333) / 2)
    assert isnan(macro_mean(ON_VALUES, "extra", ["a", "b"]))
    assert isnan(macro_mean(ON_VALUES, "nobody", ["a", "b"]))


def test_controls_are_compared_once_and_a_family_is_a_control():
    tables = compare_all(RESULTS, {FIGURE: Samples()})
    assert [(table.second, [each.first for each in table.comparisons]) for table in tables] == [
        ("joint", ["coalition", "random", "extra"]),
        ("random", ["coalition", "extra"]),
    ]
    for table in tables:
        expected = holm([comparison.p for comparison in table.comparisons])
        assert [comparison.p_holm for comparison in table.comparisons] == pytest.approx(expected, nan_ok=True)


def test_without_a_control_the_reference_is_compared_with():
    runs = [record("a", arm, seed, 0.7) for arm in ("new", "old") for seed in range(2)]
    assert controls_of(results_of(runs, reference="old")) == ["old"]
    assert controls_of(results_of(runs, reference="gone")) == []
    assert controls_of(RESULTS) == ["joint", "random"]


def test_the_model_as_trained_is_a_figure_of_its_own():
    calibrated, trained = figures_of(RESULTS)
    assert (calibrated.name, trained.name) == ("accuracy", "accuracy as trained")
    assert values_of(RESULTS.runs, trained)["joint"]["a", 2] == pytest.approx(0.68)
    runs = [record("a", "joint", 0, 0.7), record("a", "sample", 0, 0.8, {"uncalibrated_test/accuracy": 0.75})]
    mixed = values_of(runs, figures_of(results_of(runs))[1])
    assert mixed == {
        "joint": {("a", 0): 0.7},
        "sample": {("a", 0): 0.75},
    }  # one that was not calibrated is as trained
    assert len(figures_of(results_of(runs[:1]))) == 1


def test_runs_without_a_finite_figure_are_in_no_pair():
    runs = [record("a", "joint", s, 0.7) for s in range(2)]
    runs += [record("a", "sample", 0, float("nan")), record("a", "sample", 1, 0.9)]
    comparison = found("sample", results=results_of(runs))
    assert comparison.over_pairs.count == 1
    assert comparison.over_pairs.mean == pytest.approx(0.2)


@pytest.fixture
def tested(tmp_path):
    """Three seeds of two arms on 60 samples, with their tables; ids of the second arm come in another order."""
    generator = np.random.default_rng(0)
    runs = []
    for arm, chance in (("joint", 0.6), ("coalition", 0.8)):
        for seed in range(3):
            right, ids = generator.random(60) < chance, np.array([f"s{number}" for number in range(60)])
            order = generator.permutation(60) if arm == "coalition" else np.arange(60)
            path = tmp_path / f"{arm}{seed}"
            write_test_table(path, right[order], ids[order])
            runs.append((record("a", arm, seed, float(right.mean()), path=path), right[np.argsort(ids)]))
    return [run for run, _ in runs], [right for _, right in runs]


def test_samples_are_paired_by_their_ids(tested):
    runs, rights = tested
    samples = read_samples(results_of(runs), FIGURE)
    for run, right in zip(runs, rights, strict=True):
        assert np.array_equal(samples.values[run.data, run.arm, run.seed], right)
    comparison = found("coalition", samples=samples, results=results_of(runs))
    only_first = sum(int((rights[3 + seed] & ~rights[seed]).sum()) for seed in range(3))
    only_second = sum(int((~rights[3 + seed] & rights[seed]).sum()) for seed in range(3))
    test = comparison.mcnemar["a"]
    assert (test.only_first, test.only_second) == (only_first, only_second)
    assert test.p == pytest.approx(stats.binomtest(only_first, only_first + only_second).pvalue)
    assert comparison.over_pairs.mean == pytest.approx((only_first - only_second) / 180)


def test_the_interval_over_samples_is_that_of_the_mean_over_seeds_of_each_sample(tested):
    runs, rights = tested
    comparison = found("coalition", samples=read_samples(results_of(runs), FIGURE), results=results_of(runs))
    of_sample = np.mean([rights[3 + seed].astype(float) - rights[seed] for seed in range(3)], axis=0)
    deviation = of_sample.std() / np.sqrt(60)
    low, high = comparison.by_samples
    assert (high - low) / (2 * 1.96) == pytest.approx(deviation, rel=0.08)
    assert (high + low) / 2 == pytest.approx(of_sample.mean(), abs=0.3 * deviation)
    wide = comparison.by_all
    assert wide[1] - wide[0] > high - low


def test_a_table_of_another_accuracy_is_left_out_and_said(tested):
    runs, _ = tested
    runs[0] = record("a", "joint", 0, 0.123456, path=runs[0].path)
    samples = read_samples(results_of(runs), FIGURE)
    assert len(samples.left_out) == 1
    assert samples.left_out[0].startswith(
        f"{runs[0].path}: accuracy 0.123456 is reported, and its test table gives 0."
    )
    comparison = found("coalition", samples=samples, results=results_of(runs))
    assert comparison.by_samples is None
    assert comparison.over_pairs.count == 3


def test_runs_that_were_tested_on_other_samples_are_refused(tested, tmp_path):
    runs, rights = tested
    write_test_table(tmp_path / "fewer", rights[0][:50], [f"s{number}" for number in range(50)])
    write_test_table(tmp_path / "others", rights[0], [f"t{number}" for number in range(60)])
    for name in ("fewer", "others"):
        runs.append(record("a", name, 0, 0.5, path=tmp_path / name))
    with pytest.raises(DataError) as said:
        read_samples(results_of(runs), FIGURE)
    assert "runs that were tested on other samples cannot be compared: 2 problems" in str(said.value)
    assert f"{tmp_path / 'fewer'} was tested on 50 samples and {runs[0].path} on 60 of 'a', 50 of them" in str(
        said.value
    )
    assert f"{tmp_path / 'others'} was tested on 60 samples and {runs[0].path} on 60 of 'a', 0 of them" in str(
        said.value
    )


def test_samples_of_another_metric_are_not_read():
    assert read_samples(RESULTS, replace(FIGURE, metric="macro_f1")) == Samples()


def compared(first, second, figure=FIGURE):
    """The comparison of two arms whose figures are by data set and seed, the only one of its family."""
    comparison = compare_arms({"new": first, "old": second}, figure, "new", "old", Samples())
    return replace(comparison, p_holm=comparison.p)


MAE = Figure("mae", "mae", higher=False, share=False)
PRICES = {("prices", 0): 1.0e6, ("prices", 1): 1.1e6, ("prices", 2): 0.9e6}
MICRONS = {("microns", 0): 1.0e-4, ("microns", 1): 1.1e-4}


@pytest.mark.parametrize(("prices", "counts"), [(2e5, (5, 0, 0)), (0.0, (2, 3, 0)), (1e-8, (2, 3, 0))])
@pytest.mark.parametrize("microns", [1e-4, 1e-7, 1e-9])
def test_small_figures_beside_large_ones_keep_their_differences(prices, counts, microns):
    """Of one that is lost among the figures of prices: 1e-8 of 1e6 is rounding there."""
    old = {pair: value + prices for pair, value in PRICES.items()} | {p: v + microns for p, v in MICRONS.items()}
    comparison = compared(PRICES | MICRONS, old, MAE)
    assert comparison.by_data["microns"].mean == pytest.approx(-microns, rel=1e-4)
    assert comparison.by_data["prices"].mean == (0.0 if prices < 1 else -prices)
    assert (comparison.won, comparison.tied, comparison.lost) == counts
    means = paired({"new": PRICES | MICRONS, "old": old}, "new", "old").by_mean()
    assert means == pytest.approx([-microns, comparison.by_data["prices"].mean], rel=1e-4)


TRUTH = np.array([0, 0, 0, 1, 1, 1, 2, 2, 2, 2])
ANSWERS = {  # whose macro-F1 is 83/210 and 16/45, 5/7 and 85/126: both pairs are 5/126 apart
    "new": ([2, 2, 0, 0, 1, 0, 2, 1, 0, 2], [0, 0, 2, 1, 1, 1, 0, 2, 2, 0]),
    "old": ([1, 2, 2, 2, 1, 2, 2, 2, 2, 2], [0, 1, 1, 1, 1, 1, 1, 2, 2, 2]),
}


def macro_f1(answers):
    return get_task().metrics(np.array(answers), TRUTH, np.zeros(10), 3)["macro_f1"]


def of_one_label(metric, said, own, scores):
    task = get_task("multilabel")
    columns = (each[:, None] for each in (said, own, scores))
    said, own, scores = columns
    return (task.metrics(said, own, np.zeros(len(own)), 1, scores) | task.final_metrics(own, scores))[metric]


def micro_f1(hits):
    """hits / 9."""
    at = np.arange(18)
    return of_one_label("micro_f1", (at >= 9 - hits) & (at < 18 - hits), at < 9, at / 18)


def ranked(metric, below):
    """Of one sample that has the label, and nine others, so many of which come after it."""
    scores = np.array([below - 0.5, *range(9)]) / 10
    return of_one_label(metric, scores > 0.5, np.arange(10) == 0, scores)


@pytest.mark.parametrize(
    ("metric", "value", "new", "old", "apart"),
    [
        ("macro_f1", macro_f1, ANSWERS["new"], ANSWERS["old"], 5 / 126),
        ("micro_f1", micro_f1, (5, 8), (4, 7), 1 / 9),
        ("mAP", lambda below: ranked("mAP", below), (8, 7), (7, 4), 1 / 6),  # 1/2 - 1/3, and 1/3 - 1/6
        ("auc", lambda below: ranked("auc", below), (5, 8), (4, 7), 1 / 9),
    ],
)
def test_equal_differences_of_two_seeds_are_not_shown(metric, value, new, old, apart):
    """A t test of rounding would say p 1e-7."""
    arms = [{("d", seed): value(given) for seed, given in enumerate(of_arm)} for of_arm in (new, old)]
    comparison = compared(*arms, Figure(metric, metric, higher=True, share=True))
    assert comparison.over_pairs.mean == pytest.approx(apart, rel=1e-12)
    assert (comparison.p, outcome(comparison)) == (p_of_equal(2), "not shown")
