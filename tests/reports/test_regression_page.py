"""What a page says of a regression: units, directions and references, against the definitions."""

import re
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from scipy import stats

from raymm.api.values_result import Values
from raymm.reports.chance import best_constant
from raymm.reports.pages.epochs import course_of
from raymm.reports.pages.reference import reference_of
from raymm.reports.pages.run_tables import metric_table
from raymm.reports.pages.usage import usages
from raymm.reports.pages.verdict import MEAN, above_chance, headline, verdict
from raymm.reports.valuation_page import write_valuation_page
from raymm.reports.valuation_summary import summarise
from raymm.study.figures import Figure, figures_of
from raymm.study.words import unit_of
from raymm.sweep.columns import score_legend
from raymm.tasks import get_task, task_fields
from raymm.tasks.regression import Regression, RegressionSettings
from raymm.tracking.units import unit_among
from raymm.valuation.table import TableInfo, ValuationTable
from tests.studies import record, results_of

TRAIN = np.random.default_rng(1).normal(40.0, 8.0, (300, 1))
METRICS = ("loss", "mae", "rmse", "r2", "pearson")


def table_of(noise, seed=0, count=200, targets=1):
    """A test table of answers that are off by `noise` standard deviations."""
    generator = np.random.default_rng(seed)
    train = np.repeat(TRAIN, targets, axis=1) * np.arange(1, targets + 1)
    task = get_task("regression").fitted(train)
    label = generator.normal(train.mean(axis=0) + 1, train.std(axis=0), (count, targets))
    answers = label + noise * train.std(axis=0) * generator.normal(size=label.shape)
    return ValuationTable(
        info=TableInfo(("a", "b"), "soft_count", "zeros", "0" * 16, task=task_fields(task), classes=targets),
        sample_id=np.array([f"s{row}" for row in range(count)]),
        split=np.full(count, "test"),
        label=label,
        prediction=answers,
        phi=generator.normal(0.5, 0.1, (count, 2)),
        outcomes=np.zeros((count, 1), np.uint8),
        loss=np.zeros(count),
        stderr=np.zeros((count, 2)),
        unimodal_correct=np.zeros((count, 2), bool),
    )


def figure_of(metric, answers, label, sd):
    """The definitions, target by target."""
    errors = answers - label
    return {
        "loss": np.mean((errors / sd) ** 2),
        "mae": np.mean(np.abs(errors)),
        "rmse": np.mean([np.sqrt(np.mean(column**2)) for column in errors.T]),
        "r2": np.mean(1 - (errors**2).sum(axis=0) / ((label - label.mean(axis=0)) ** 2).sum(axis=0)),
        "pearson": np.mean([np.corrcoef(*pair)[0, 1] for pair in zip(answers.T, label.T, strict=True)]),
    }[metric]


@pytest.mark.parametrize("targets", [1, 2])
@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.filterwarnings("ignore:invalid value")
def test_the_sentence_has_the_figure_its_unit_the_direction_and_the_reference(metric, targets):
    table = table_of(0.5, targets=targets)
    settings = table.task.settings
    mean, sd = np.array(settings.mean), np.array(settings.sd)
    constant = np.broadcast_to(mean, table.label.shape)
    own, other = (figure_of(metric, each, table.label, sd) for each in (table.prediction, constant))
    text = verdict(table, usages(table), metric)[0].text
    found = float(re.search(r" of (-?[0-9.]+)", text)[1])
    assert found == pytest.approx(own, abs=0.0051)
    reference = re.search(r"the mean of the training labels has (-?[0-9.]+)", text)
    if metric == "pearson":  # a constant has no correlation
        assert reference is None
    else:
        assert float(reference[1]) == pytest.approx(other, abs=0.0051)
    assert ("higher is better" in text) == (metric in {"r2", "pearson"})
    unit = {"loss": "label variances", "mae": "the label's units", "rmse": "the label's units"}.get(metric, "")
    assert unit in text
    assert "nats" not in text
    if metric in {"loss", "mae"}:
        errors = np.abs((table.prediction - table.label) / sd) ** 2 if metric == "loss" else None
        errors = np.abs(table.prediction - table.label) if errors is None else errors
        low, high = stats.ttest_1samp(errors.mean(axis=1), 0).confidence_interval(0.95)
        assert float(re.search(r"± ([0-9.]+)", text)[1]) == pytest.approx((high - low) / 2, abs=0.0051)


@pytest.mark.parametrize("metric", METRICS)
def test_a_model_that_is_no_better_than_the_mean_is_said_to_be_so(metric):
    bad, good = table_of(3.0), table_of(0.2)
    assert above_chance(bad, metric) is False
    assert above_chance(good, metric) is True
    sentence = verdict(bad, usages(bad), metric)[0]
    assert sentence.tone == "bad"
    assert f"is not shown to be {MEAN}" in sentence.text
    assert verdict(good, usages(good), metric)[0].tone == "plain"
    assert headline(usages(bad), False, MEAN).startswith(f"The model is not shown to be {MEAN}")


def test_of_many_targets_pages_show_the_first_and_tables_have_all(tmp_path):
    table = table_of(0.5, targets=40)
    table = replace(table, phi=-np.ones_like(table.phi))
    texts = [row["label"] for row in summarise(table)["modalities"][table.info.modalities[0]]["lowest"]]
    first = "|".join(f"{number:.4g}" for number in table.label[0, :6])
    assert texts[0] == f"{first} ... 34 more"
    write_valuation_page(tmp_path / "v.html", table, [])
    page = (tmp_path / "v.html").read_text()
    assert page.count(" ... 34 more") >= 2 * len(table)
    assert f"{table.label[0, 39]:.9g}" not in page
    assert Values(table).to_pandas()["label"][0] == "|".join(map(repr, table.label[0].tolist()))


def test_whether_it_is_better_is_told_by_a_paired_interval():
    table = table_of(1.0, count=60)
    sd, mean = table.task.settings.sd[0], table.task.settings.mean[0]
    gain = ((mean - table.label) ** 2 - (table.prediction - table.label) ** 2)[:, 0] / sd**2
    low, _ = stats.ttest_1samp(gain, 0).confidence_interval(0.95)
    assert reference_of(table, "loss").better == (low > 0)
    assert reference_of(replace(table, prediction=table.label), "loss").better


@pytest.mark.parametrize(("count", "better"), [(1, False), (2, False), (5, False), (6, True)])
def test_equal_differences_of_few_samples_show_nothing(count, better):
    table = table_of(1.0, count=count)
    mean = table.task.settings.mean[0]
    apart = np.linspace(1.1, 1.3, count)[:, None]  # errors of 0.1 less, in no sample more
    table = replace(table, label=mean + apart, prediction=mean + 0.1 * np.ones_like(apart))
    assert reference_of(table, "mae").better == better


def test_a_task_without_a_reference_has_none():
    table = table_of(0.5)
    unknown = replace(table, info=replace(table.info, task=task_fields(get_task("regression"))))
    assert reference_of(unknown, "loss") is None
    assert reference_of(table, "accuracy") is None
    assert above_chance(unknown, "loss") is None


@pytest.mark.parametrize("count", [5, 40, 500])
def test_chance_within_a_tolerance_is_that_of_the_best_number(count):
    """Every number halfway between two labels is tried by hand; with 500 labels the frequent ones say nothing."""
    labels = np.sort(np.random.default_rng(count).gamma(2.0, 3.0, count))[:, None]
    task = Regression(RegressionSettings(within=1.5))
    pairs = (labels + labels.T).ravel() / 2
    by_hand = max(np.mean(np.abs(labels[:, 0] - answer) <= 1.5) for answer in pairs)
    assert best_constant(task, labels) == pytest.approx(by_hand)


@pytest.mark.parametrize(("step", "within"), [(0.1, 0.05), (1 / 3, 1 / 6), (0.05, 0.05), (0.2, 0.3)])
def test_chance_of_labels_in_steps_is_what_rounding_lets_a_number_reach(step, within):
    """Labels lie at the ends of windows, where a middle reaches some pairs of labels and others not."""
    task = Regression(RegressionSettings(within=within))
    for seed in range(20):
        labels = np.round(np.random.default_rng(seed).normal(0.0, 4.0, (150, 1))) * step
        different = np.unique(labels)
        answers = np.unique((different[:, None] + different) / 2)
        by_hand = max(task.is_right(np.full_like(labels, answer), labels).mean() for answer in answers)
        assert best_constant(task, labels) == pytest.approx(by_hand)


@pytest.mark.parametrize("offset", [0, -5, 100, 10**6, 10**9])
@pytest.mark.parametrize("within", ["0.1", "0.2", "0.25", "0.3", "0.5", "1"])
def test_no_constant_answer_is_right_more_often_than_chance(offset, within):
    """By fractions: of labels in steps of a tenth many are apart by twice `within`."""
    task = Regression(RegressionSettings(within=float(within)))
    for seed in range(10):
        tenths = np.random.default_rng(seed).integers(0, 12, 33)
        labels = np.array([[float(offset + Fraction(int(each), 10))] for each in tenths])
        width = 20 * Fraction(within)
        by_hand = max(np.mean((tenths >= low) & (tenths <= float(low + width))) for low in tenths)
        assert best_constant(task, labels) == pytest.approx(by_hand)
        several = np.tile(labels, 2)  # two targets, right where both are
        assert best_constant(task, several) == pytest.approx(by_hand)


def test_chance_of_a_sign_is_that_of_the_more_frequent_one():
    labels = np.concatenate([np.linspace(-9, -1, 300), np.linspace(0, 5, 500)])[:, None]
    assert best_constant(Regression(RegressionSettings(sign=True)), labels) == 500 / 800
    two = np.concatenate([labels, -labels], axis=1)
    by_hand = max(np.mean(((two < 0) == pattern).all(axis=1)) for pattern in ([0, 0], [0, 1], [1, 0], [1, 1]))
    assert best_constant(Regression(RegressionSettings(sign=True)), two) == by_hand


REGRESSION = {"test/loss": 0.4, "test/mae": 3.0, "train/loss": 0.5, "test/rmse": 4.0, "phi/test_a": 0.5}
OTHERS = {"test/loss": 0.4, "test/accuracy": 0.9, "train/loss": 0.5}


def test_the_table_of_metrics_says_the_unit_of_the_task():
    rows = {row["metric"]: row for row in metric_table(REGRESSION).records()}
    assert (rows["test/loss"]["unit"], rows["train/loss"]["unit"]) == ("label variances", "label variances")
    assert (rows["test/mae"]["unit"], rows["test/mae"]["better"]) == ("label", "lower")
    rows = {row["metric"]: row for row in metric_table(REGRESSION, "mae").records()}
    assert (rows["test/loss"]["unit"], rows["train/loss"]["unit"]) == ("label variances", "label standard deviations")
    rows = {row["metric"]: row for row in metric_table(OTHERS).records()}
    assert (rows["test/loss"]["unit"], rows["test/accuracy"]["better"]) == ("nats", "higher")


@pytest.mark.parametrize(("others", "unit"), [(("val/mae",), "label variances"), (("val/accuracy",), "nats")])
def test_epochs_studies_and_sweeps_say_the_same_unit(others, unit):
    metrics = {"val/loss": 0.5, "train/loss": 0.6, "phi/val_a": 0.5, "phi/val_b": 0.4, others[0]: 0.9}
    course = course_of([{"epoch": 0, "metrics": metrics}], ["a", "b"], 1, metric="loss")
    means = {head.text: head.means for head in course.table.heads}
    assert f"in {unit}" in means["training loss"]
    assert f"in {unit}" in score_legend("val/loss", others)
    assert unit_among("best/loss", others) == unit
    runs = [record("d", "joint", 0, 0.5, {"test/loss": 1.0, others[0].replace("val", "test"): 1.0})]
    (figure, *_) = figures_of(results_of(runs, metric="loss", higher=False))
    assert unit_of(figure) == unit
    assert unit_of(Figure("accuracy", "accuracy", higher=True, share=True)) == "points"
