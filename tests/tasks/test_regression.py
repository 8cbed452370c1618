"""Labels that are numbers: formulas by hand, metrics by scipy and scikit-learn, and what is refused."""

import math
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import mean_absolute_error, mean_squared_error, r2_score

from raymm.data.groups import assign_grouped_splits
from raymm.data.labels import choose_task, parse_labels
from raymm.errors import ConfigError, DataError, Problems
from raymm.tasks import get_task, guess_task, read_task, task_fields
from raymm.tasks.regression_metrics import regression_metrics
from raymm.valuation.exact import shapley_values
from raymm.valuation.utilities import get_utility

TASK = get_task("regression")
MEAN, SD = (2.0, -1.0), (0.5, 4.0)


def scaled(targets, **more):
    return get_task("regression", {"mean": MEAN[:targets], "sd": SD[:targets], **more})


def batch(targets, samples=17, coalitions=4, dtype=torch.float32):
    generator = torch.Generator().manual_seed(targets)
    outputs = torch.randn(samples, coalitions, targets, generator=generator).to(dtype)
    labels = torch.randn(samples, targets, generator=generator, dtype=torch.float64) * 2
    return outputs, labels


def by_hand(outputs, labels, value):
    """`value(standardised errors)` of plain numbers, [B, s]."""
    return [
        [value([o - (y - m) / s for o, y, m, s in zip(row, own, MEAN, SD, strict=False)]) for row in of_sample]
        for of_sample, own in zip(outputs.double().tolist(), labels.tolist(), strict=True)
    ]


@pytest.mark.parametrize("targets", [1, 2])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_losses_and_utilities_by_hand(targets, dtype):
    task, (outputs, labels) = scaled(targets), batch(targets, dtype=dtype)
    expected = {
        "error": lambda e: -sum(map(abs, e)) / len(e),
        "squared_error": lambda e: -sum(x * x for x in e) / len(e),
        "score": lambda e: math.exp(-sum(map(abs, e)) / len(e)),
    }
    for name, value in expected.items():
        found = getattr(task, name)(outputs, labels)
        assert found.dtype == torch.float64
        np.testing.assert_allclose(found.numpy(), by_hand(outputs, labels, value), rtol=1e-6)
        assert not np.allclose(getattr(task, name)(outputs, labels + 1).numpy(), found.numpy()), name
    losses = task.losses(outputs[:, 0], labels)
    assert losses.dtype == dtype
    np.testing.assert_allclose(-losses.double().numpy(), task.squared_error(outputs, labels)[:, 0], rtol=1e-5)


def test_an_output_stands_for_a_number_in_the_labels_units():
    answers = scaled(2).predict(torch.tensor([[0.0, 0.0], [1.0, -2.0]]))
    assert answers.tolist() == [[2.0, -1.0], [2.5, -9.0]]
    assert TASK.predict(torch.tensor([[3.0]])).tolist() == [[3.0]]  # not fitted: the numbers themselves
    assert float(scaled(1).losses(torch.tensor([[1.0]]), torch.tensor([[2.5]], dtype=torch.float64))) == 0.0


def test_a_task_is_fitted_to_the_training_labels():
    labels = np.random.default_rng(0).normal(3.0, 7.0, (50, 2))
    fitted = TASK.fitted(labels)
    np.testing.assert_allclose(fitted.settings.mean, labels.mean(axis=0))
    np.testing.assert_allclose(fitted.settings.sd, labels.std(axis=0))
    assert fitted.losses(torch.zeros(50, 2), torch.tensor(labels)).mean().item() == pytest.approx(1.0, abs=1e-5)
    assert fitted == fitted.fitted(labels) != TASK
    assert read_task(task_fields(fitted)) == fitted
    other = scaled(2, within=0.5).fitted_as(fitted)
    assert (other.settings.mean, other.settings.within) == (fitted.settings.mean, 0.5)
    with pytest.raises(DataError, match="target 2 is the same number in all 3 training samples"):
        TASK.fitted(np.array([[1.0, 5.0], [2.0, 5.0], [3.0, 5.0]]))


@pytest.mark.parametrize("within", [0.05, 0.1, 0.2, 0.25, 0.3, 0.5, 1.0, 7.0])
@pytest.mark.parametrize("offset", [0, -5, 1000, 10**6, 1_700_000_000])
def test_answers_that_are_off_by_within_are_right_as_people_count(within, offset):
    """0.3 within 0.1 of 0.4: floats that stand for them are apart by a little more, or less; of tensors the same."""
    task = get_task("regression", {"within": within})
    step = Fraction(str(within))
    at = [offset + step * number for number in range(-20, 20)]
    for apart, right in ((step, True), (step * Fraction("1.000001"), False), (step * Fraction("0.999"), True)):
        if apart != step and offset > 10**6:
            continue  # which floats cannot tell apart there
        labels = np.array([[float(each)] for each in at])
        answers = np.array([[float(each + sign * apart)] for each, sign in zip(at, (1, -1) * 20, strict=True)])
        assert (task.is_right(answers, labels) == right).all()
        found = task.correct(torch.from_numpy(answers)[:, None], torch.from_numpy(labels))
        assert (found == right).all()


def test_answers_are_right_where_the_task_says_so():
    outputs = torch.tensor([[[0.0], [0.4], [-9.0]]])
    labels = torch.tensor([[0.1]], dtype=torch.float64)
    within, sign = get_task("regression", {"within": 0.25}), get_task("regression", {"sign": True})
    assert within.correct(outputs, labels).tolist() == [[True, False, False]]
    assert sign.correct(outputs, labels).tolist() == [[True, True, False]]
    assert sign.correct(outputs, -labels).tolist() == [[False, False, True]]
    for task in (within, sign):
        assert task.hard
        assert task.utilities[:2] == ("count", "correct")
        found = [bool(task.is_right(task.predict(outputs[:, c]).numpy(), labels.numpy())[0]) for c in range(3)]
        assert found == task.correct(outputs, labels)[0].tolist()
        assert "accuracy" in task.selection
        metrics = task.metrics(np.array([[0.0], [9.0]]), np.array([[0.1], [-1.0]]), np.ones(2), 1)
        assert metrics["accuracy"] == 0.5
    two = get_task("regression", {"within": 0.25}).correct(
        torch.tensor([[[0.0, 0.0], [0.0, 1.0]]]), torch.zeros(1, 2, dtype=torch.float64)
    )
    assert two.tolist() == [[True, False]]  # all targets must be right
    assert not TASK.hard
    assert "accuracy" not in TASK.selection
    for ask in (lambda: TASK.correct(outputs, labels), lambda: TASK.is_right(labels.numpy(), labels.numpy())):
        with pytest.raises(ConfigError, match="task regression does not say which answers are right"):
            ask()


@pytest.mark.parametrize("targets", [1, 3])
def test_metrics_are_those_of_scipy_and_scikit_learn(targets):
    generator = np.random.default_rng(targets)
    labels = generator.normal(size=(40, targets)) * [1.0, 9.0, 0.1][:targets]
    answers = labels + generator.normal(size=labels.shape)
    found = TASK.metrics(answers, labels, np.arange(40.0), targets)
    expected = {
        "mae": mean_absolute_error(labels, answers),
        "rmse": np.mean([mean_squared_error(labels[:, k], answers[:, k]) ** 0.5 for k in range(targets)]),
        "r2": r2_score(labels, answers),
        "pearson": np.mean([stats.pearsonr(labels[:, k], answers[:, k]).statistic for k in range(targets)]),
        "loss": 19.5,
    }
    assert set(found) == set(expected) == set(TASK.selection)
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, rel=1e-9), name
    np.testing.assert_allclose(TASK.of_samples("mae", answers, labels).mean(), expected["mae"])
    task = TASK.fitted(labels)
    outputs = torch.tensor((answers - labels.mean(axis=0)) / labels.std(axis=0))
    np.testing.assert_allclose(task.of_samples("loss", answers, labels), task.losses(outputs, torch.tensor(labels)))
    assert TASK.of_samples("r2", answers, labels) is None


def test_metrics_that_are_not_defined_are_no_numbers():
    same = np.ones((5, 1))
    found = TASK.metrics(same, same, np.zeros(5), 1)
    assert (found["mae"], found["rmse"]) == (0.0, 0.0)
    assert math.isnan(found["r2"])
    assert math.isnan(found["pearson"])
    assert math.isnan(TASK.metrics(same, np.arange(5.0)[:, None], np.zeros(5), 1)["pearson"])


def test_soft_count_is_count_where_scores_are_0_or_1_and_shares_its_bounds():
    soft, hard = get_utility("soft_count"), get_utility("count")
    assert (soft.fair_share, soft.by_size) == (1.0, None)
    assert [soft.largest_gap(n) for n in (2, 5)] == [hard.largest_gap(n) for n in (2, 5)]
    task, (outputs, labels) = scaled(1), batch(1)
    sizes = torch.tensor([0, 1, 1, 2]).expand(len(labels), 4)
    values = get_utility("soft_count", task).values(outputs, labels, sizes)
    np.testing.assert_allclose(values.numpy(), sizes.numpy() * task.score(outputs, labels).numpy())
    exact = outputs.clone()
    exact[:, 3] = ((labels - MEAN[0]) / SD[0]).float()
    exact[:, 1:3] = 1e4  # neither modality alone says anything, both together the label
    phi = shapley_values(get_utility("soft_count", task).values(exact, labels, sizes))
    np.testing.assert_allclose(phi.numpy(), 1.0, rtol=1e-5)
    sets = get_task("multilabel")
    own = torch.rand(9, 5) < 0.5
    guesses = torch.randn(9, 4, 5)
    found = get_utility("soft_count", sets).values(guesses, own, sizes[:9])
    np.testing.assert_allclose(found.numpy(), (sizes[:9] * sets.score(guesses, own)).numpy())


@pytest.mark.parametrize("name", ["count", "correct", "probability", "log_probability", "logit", "margin"])
def test_utilities_of_classes_are_refused(name):
    with pytest.raises(ConfigError) as caught:
        get_utility(name, TASK)
    assert f"valuation.utility: '{name}' is not defined for the task regression" in str(caught.value)
    for other in ("classification", "multilabel"):
        with pytest.raises(ConfigError, match=f"'error' is not defined for the task {other}"):
            get_utility("error", get_task(other))


@given(st.lists(st.floats(-1e12, 1e12), min_size=1, max_size=4), st.sampled_from(["|", ";"]))
def test_labels_are_read_stored_and_written(numbers, separator):
    task = get_task("regression", {"separator": separator})
    names = [f"t{k}" for k in range(len(numbers))]
    for cell in (separator.join(map(repr, numbers)), numbers, tuple(numbers), np.array(numbers)):
        assert task.parse(cell, names) == tuple(numbers)
    labels = task.array([tuple(numbers)] * 3, len(numbers))
    assert (labels.dtype, labels.shape) == (np.float64, (3, len(numbers)))
    column = task.to_arrow(labels)
    assert column.type == task.arrow_type(len(numbers))
    np.testing.assert_array_equal(task.from_arrow(pa.chunked_array([column[:1], column[1:]])), labels)
    again = task.parse(task.text(labels[0], names), names)
    assert all(one == other or np.float32(one) == other for one, other in zip(again, numbers, strict=True))


@pytest.mark.parametrize(
    ("number", "text", "brief"),
    [
        (0.1, "0.1", "0.1"),
        (-2.0, "-2", "-2"),
        (1700000123.5, "1700000123.5", "1700000123.5"),
        (1700000123.0, "1700000123.0", "1700000123.0"),
        (1 / 3, "0.3333333333333333", "0.333333333"),
        (float(np.float32(0.1)), "0.100000001", "0.100000001"),
        (5e-324, "4.94065646e-324", "4.94065646e-324"),
        (1700000128.0, "1700000128.0", "1700000128.0"),
    ],
)
def test_the_text_of_a_number_is_read_as_the_same_number(number, text, brief):
    assert TASK.text([number], ["target"]) == text
    assert TASK.brief([number], ["target"]) == brief
    (again,) = TASK.parse(text, ["target"])
    assert again == number or np.float32(again) == number


@pytest.mark.parametrize(
    ("numbers", "shown"),
    [
        ([0.31713929, -2], "0.31713929|-2"),
        (range(6), "0|1|2|3|4|5"),
        ([1 / 3] * 6 + [5] * 494, "|".join(["0.3333"] * 6) + " ... 494 more"),
    ],
)
def test_of_many_numbers_a_page_shows_the_first(numbers, shown):
    assert TASK.brief(np.array(numbers, np.float64), ()) == shown


@pytest.mark.parametrize(
    ("cell", "targets", "words"),
    [
        (None, 1, "the label is missing"),
        ("", 1, "the label is missing"),
        (float("nan"), 1, "the label is missing"),
        ("high", 1, "label 'high' is no number; the task regression reads numbers"),
        (True, 1, "label 'True' is no number"),
        ("0,5", 1, "label '0,5' is no number"),
        ("inf", 1, "label inf is not finite"),
        ("1|2", 1, "the label has 2 numbers for 1 targets"),
        ("1", 2, "the label has 1 numbers for 2 targets"),
        ("1|", 2, "the label is missing"),
    ],
)
def test_cells_that_are_no_labels_are_refused(cell, targets, words):
    problems = Problems("m.csv")
    parse_labels([cell], lambda row: f"row {row + 1}", TASK, ["a", "b"][:targets], problems)
    assert len(problems.items) == 1
    assert problems.items[0].startswith(f"row 1: {words}")


@pytest.mark.parametrize(
    ("cells", "name"),
    [
        ([0.5, 1.0, -2.0], "regression"),
        (["0.5", "1", ""], "regression"),
        ([1.0, 2.0], "classification"),
        (["-3", "0", "3"], "classification"),
        (["0.5", "b"], "classification"),
        ([[0.5, 1.0], [2.0, 3.0]], "regression"),
        ([np.array([0.5, 1.5])], "regression"),
        ([[1, 2], [2]], "multilabel"),
        (["1.5|2"], "multilabel"),
        ([True, False], "classification"),
        ([None, float("nan")], "classification"),
    ],
)
def test_what_labels_look_like(cells, name):
    assert guess_task(cells) == name


def test_targets_have_names():
    assert TASK.classes_of(["1.5", "2"]) == ("target",)
    assert TASK.classes_of([[1.0, 2.0], [3.0, 4.0]]) == ("target_1", "target_2")
    assert TASK.classes_of([]) == ("target",)


def test_a_guess_is_said_and_the_other_choice_named():
    task, said = choose_task(["0.5", "-1.25", "3"])
    assert task.name == "regression"
    assert said == (
        "labels look continuous (-1.25, 0.5, 3): taken as regression; --task classification takes each "
        "number as a class"
    )
    assert choose_task([[0.5, 1.0]])[1].startswith("labels look continuous ([0.5, 1.0]): taken as regression")
    assert choose_task(["-3", "3"])[1].endswith("(-3, 3); --task regression reads numbers")


@pytest.mark.parametrize("count", [1, 2, 3, 7, 30, 401])
def test_strata_are_even_ranges_of_the_first_target(count):
    labels = np.random.default_rng(count).normal(size=(count, 2))
    strata = TASK.strata(labels, 2)
    sizes = np.bincount(strata)
    assert sizes.max() - sizes.min() <= 1
    assert sizes.min() >= min(3, count)
    order = np.argsort(labels[:, 0])
    assert (np.diff(strata[order]) >= 0).all()
    assert strata.max() < len(TASK.stratum_names(("a", "b")))


def test_settings_that_contradict_each_other_are_refused():
    with pytest.raises(ConfigError, match="within and sign are two rules of which answers are right"):
        get_task("regression", {"within": 1, "sign": True})
    with pytest.raises(ConfigError, match="mean and sd have a number a target each"):
        get_task("regression", {"mean": [1.0], "sd": [0.0]})


def test_groups_stay_whole_and_splits_cover_the_range():
    generator = np.random.default_rng(0)
    labels, units = generator.normal(size=(300, 1)), np.arange(300) // 3
    problems = Problems("m.csv")
    names = [f"s{row}" for row in range(300)]
    splits = np.array(assign_grouped_splits(labels, units, names, TASK, ("target",), 0, problems))
    assert not problems.items
    assert all(len(set(splits[units == unit])) == 1 for unit in range(100))
    means = [labels[splits == split].mean() for split in ("train", "val", "test")]
    assert np.ptp(means) < 0.3
    assert [(splits == split).sum() for split in ("train", "val", "test")] == pytest.approx([210, 45, 45], abs=6)


SCALES = (1e-200, 1e-9, 1e-3, 1.0, 1e3, 1e9, 1e150)


@pytest.mark.parametrize("count", [2, 3, 16, 500])
@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("offset", [0.0, 1.0, -85.0, 1e6, 1e9])
def test_metrics_follow_the_unit_of_the_labels_and_not_where_its_0_lies(count, scale, offset):
    """Against exact fractions of the same numbers: no tolerance, and no difference of large sums, has a say."""
    generator = np.random.default_rng(count)
    labels = scale * (generator.normal(size=count) + offset)
    answers = scale * (2 * generator.normal(size=count) + offset)
    y, p = ([Fraction(float(number)) for number in numbers] for numbers in (labels, answers))
    my, mp = sum(y) / count, sum(p) / count
    rss, tss = sum((a - b) ** 2 for a, b in zip(y, p, strict=True)), sum((a - my) ** 2 for a in y)
    both = sum((a - my) * (b - mp) for a, b in zip(y, p, strict=True))
    root = Fraction(scale) ** 2 * count
    found = regression_metrics(answers[:, None], labels[:, None])
    assert found["r2"] == pytest.approx(float(1 - rss / tss), rel=1e-9)
    assert found["pearson"] ** 2 == pytest.approx(float(both**2 / (tss * sum((b - mp) ** 2 for b in p))), rel=1e-9)
    assert found["rmse"] / scale == pytest.approx(math.sqrt(rss / root), rel=1e-9)
    assert found["mae"] == pytest.approx(float(sum(abs(a - b) for a, b in zip(y, p, strict=True)) / count), rel=1e-9)


def test_errors_beyond_all_numbers_are_no_traceback():
    labels, wild = np.array([[1.0], [2.0], [3.0]]), np.array([[1.0], [np.inf], [3.0]])
    found = regression_metrics(wild, labels)
    assert (found["mae"], found["rmse"], found["r2"]) == (math.inf, math.inf, -math.inf)
    assert math.isnan(found["pearson"])
