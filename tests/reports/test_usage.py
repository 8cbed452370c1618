"""What a verdict says of a modality, against loops over the samples of the table."""

import math
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from scipy import stats

from raymm.reports.chance import best_constant
from raymm.reports.pages.usage import usages
from raymm.reports.pages.verdict import above_chance, headline, verdict
from raymm.tasks import get_task
from raymm.tasks.registry import task_fields
from tests.reports.tables import NAMES, random_table, rows_of


def by_hand(table, at):
    """Figures of one modality, sample by sample."""
    n = len(table.info.modalities)
    phi, alone, labels, gaps, repairs, breaks, accompanied = [], [], [], [], 0, 0, 0
    correct = table.correct()
    for row in range(len(table)):
        has = [i for i in range(n) if not math.isnan(table.phi[row, i])]
        if at not in has:
            continue
        phi.append(table.phi[row, at])
        alone.append(bool(correct[row, 1 << at]))
        labels.append(table.label[row])
        others = [i for i in has if i != at]
        if others:
            accompanied += 1
            gaps.append(table.phi[row, at] - sum(table.phi[row, i] for i in others) / len(others))
            full = 2**n - 1
            with_it, without = correct[row, full], correct[row, full & ~(1 << at)]
            repairs += with_it and not without
            breaks += without and not with_it
    return phi, alone, labels, gaps, repairs, breaks, accompanied


def wilson(hits, count):
    """The score interval, from its formula."""
    z, p = stats.norm.ppf(0.975), hits / count
    middle = (p + z**2 / (2 * count)) / (1 + z**2 / count)
    half = z / (1 + z**2 / count) * math.sqrt(p * (1 - p) / count + z**2 / (4 * count**2))
    return middle - half, middle + half


@pytest.mark.parametrize("seed", range(4))
def test_the_figures_of_a_modality_are_those_of_its_samples(seed):
    table = random_table(80, seed=seed)
    for at, usage in enumerate(usages(table)):
        phi, alone, labels, gaps, repairs, breaks, accompanied = by_hand(table, at)
        assert usage.phi.count == len(phi)
        interval = stats.ttest_1samp(phi, 0.0).confidence_interval()
        assert usage.phi.mean == pytest.approx(np.mean(phi))
        assert usage.phi.margin == pytest.approx((interval.high - interval.low) / 2)
        assert usage.below.share == pytest.approx(np.mean([value < 1 for value in phi]))
        assert usage.negative.share == pytest.approx(np.mean([value < 0 for value in phi]))
        assert usage.alone.share == pytest.approx(np.mean(alone))
        assert (usage.alone.low, usage.alone.high) == pytest.approx(wilson(sum(alone), len(alone)))
        assert usage.chance == pytest.approx(max(labels.count(one) for one in labels) / len(labels))
        gap = stats.ttest_1samp(gaps, 0.0).confidence_interval(1 - 0.05 / 3)
        assert (usage.gap.mean, usage.gap.margin) == pytest.approx((np.mean(gaps), (gap.high - gap.low) / 2))
        assert (usage.repairs, usage.breaks) == pytest.approx((repairs / accompanied, breaks / accompanied))
        p = stats.binomtest(breaks, breaks + repairs, alternative="greater").pvalue if breaks + repairs else 1.0
        assert usage.harm == pytest.approx(min(1.0, 3 * p))


@pytest.mark.parametrize(
    ("samples", "role"), [(2, "even"), (5, "even"), (6, "even"), (7, "under-used"), (40, "under-used")]
)
def test_equal_gaps_of_a_handful_of_samples_show_nothing(samples, role):
    table = random_table(samples, ("audio", "rgb"), missing=0.0)
    table = replace(table, phi=np.tile([1.5, 0.5], (samples, 1)))
    assert samples < 7 or 2 ** (1 - samples) * 2 <= 0.05  # by chance all differ the same way; two modalities
    audio, rgb = usages(table)
    assert rgb.role == role
    assert audio.role == ("dominant" if role == "under-used" else "even")
    assert (rgb.gap.mean, rgb.gap.count) == (-1.0, samples)
    assert math.isnan(rgb.gap.margin) == (role == "even")
    level = replace(table, phi=np.ones((samples, 2)))
    assert [usage.not_low for usage in usages(level)] == [role != "even"] * 2


def test_a_starved_modality_is_under_used_and_the_other_dominates():
    table = random_table(400, ("audio", "rgb"), strength=(0.9, 0.45), missing=0.0)
    audio, rgb = usages(table)
    assert (audio.role, rgb.role) == ("dominant", "under-used")
    assert headline([audio, rgb]) == "rgb is under-used"
    said = verdict(table, [audio, rgb], "accuracy")
    assert [sentence.about for sentence in said] == ["", "rgb", "audio", ""]
    assert rgb.alone.low > rgb.chance
    assert said[1].text == (
        f"rgb is under-used: alone {rgb.alone.share:.2f} ({rgb.alone.low:.2f} to {rgb.alone.high:.2f}; chance "
        f"{rgb.chance:.2f}), phi {rgb.phi.mean:.2f} ± {rgb.phi.margin:.2f}, below its fair share of 1 on "
        f"{100 * rgb.below.share:.0f} % of them."
    )
    assert said[1].tone == "bad"


def test_modalities_alike_are_not_called_under_used():
    for seed in range(20):
        found = usages(random_table(300, seed=seed, strength=(0.6, 0.6, 0.6)))
        assert {usage.role for usage in found} == {"even"}
    assert headline(found) == "No modality is under-used"


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("names", [("audio", "rgb"), ("audio", "rgb", "flow", "text")])
def test_few_samples_do_not_show_that_modalities_are_used_alike(names, seed):
    """The same share of right answers: 2,000 samples show that none is under-used, and 14 do not."""
    for samples, shown in ((2000, True), (14, False)):
        table = random_table(samples, names, strength=[0.6] * len(names), missing=0.0, seed=seed)
        found = usages(table)
        assert {usage.role for usage in found} == {"even"}
        for at, usage in enumerate(found):
            gaps = by_hand(table, at)[3]
            gap = stats.ttest_1samp(gaps, 0.0).confidence_interval(1 - 0.05 / len(names))
            within = gap.low >= -0.25 * usage.others and gap.high <= 0.5 * usage.others
            assert (usage.not_low, usage.alike) == (gap.low >= -0.25 * usage.others, within)
        assert all(usage.alike for usage in found) is shown
        assert headline(found) == f"No modality is {'under-used' if shown else 'shown to be under-used'}"
        said = [each for each in verdict(table, found, "accuracy") if each.about]
        words = "used about as much as the others" if shown else "not shown to be used less or more than the others"
        assert any(words in sentence.text for sentence in said)
        assert shown or not all(sentence.tone == "good" for sentence in said)


def test_a_modality_that_breaks_answers_does_harm():
    table = random_table(300, ("audio", "rgb"), strength=(0.9, 0.9), missing=0.0)
    broken = table.outcomes.copy()
    broken[:150] &= 0b0111  # together they are wrong where each is right
    rgb = usages(replace(table, outcomes=broken))[1]
    assert rgb.role == "harmful"
    assert "does harm" in headline([rgb])


def test_unread_missing_and_only_modalities_are_said_so():
    table = random_table(60)
    found = usages(table, read=["audio"])
    assert [usage.role for usage in found] == ["only", "unread", "unread"]
    phi = table.phi.copy()
    phi[:, 2] = np.nan
    found = usages(replace(table, phi=phi))
    assert found[2].role == "missing"
    assert found[2].alone.count == 0
    texts = [sentence.text for sentence in verdict(replace(table, phi=phi), found, "accuracy")]
    assert "flow is missing from all test samples." in texts
    assert not any("nan" in text for text in texts)


def test_a_modality_that_no_training_sample_has_is_said_so_and_no_other_is_compared_with_it():
    table = random_table(300, ("audio", "rgb", "flow"), strength=(0.8, 0.8, 0.2), missing=0.0)
    assert usages(table)[2].role == "under-used"
    found = usages(table, untrained=["flow"])
    assert [usage.role for usage in found] == ["even", "even", "untrained"]
    assert found[0].gap.mean == pytest.approx((table.phi[:, 0] - table.phi[:, 1]).mean())
    assert headline(found) == "flow was never trained"
    (said,) = [each for each in verdict(table, found, "accuracy") if each.about == "flow"]
    assert said.text.startswith("No training sample has flow, so that its encoder was never trained: alone ")
    assert (said.tone, "not trained enough" in said.text) == ("bad", False)


@pytest.mark.parametrize("task", ["classification", "multilabel"])
def test_chance_is_that_of_the_best_constant_answer(task):
    table = random_table(70, classes=3, task=task)
    answers = list(np.unique(table.label, axis=0))
    found = max(np.mean([bool(np.array_equal(one, answer)) for one in table.label]) for answer in answers)
    assert best_constant(get_task(task), table.label) == pytest.approx(found)


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("match", [0.34, 0.5, 0.75, 1.0])
def test_chance_of_label_sets_is_nearly_that_of_the_best_of_all_sets(seed, match):
    generator = np.random.default_rng(seed)
    classes = 5 + seed % 3
    labels = generator.random((60, classes)) < generator.uniform(0.2, 0.8, classes)

    def share(answer):
        both, either = (labels & answer).sum(axis=1), (labels | answer).sum(axis=1)
        return np.mean(np.where(either == 0, 1.0, both / np.maximum(either, 1)) >= match)

    best = max(share(np.array(answer)) for answer in product([False, True], repeat=classes))
    found = best_constant(get_task("multilabel", {"match": match}), labels)
    assert best - (0.0 if match == 1.0 else 0.05) <= found <= best
    assert found >= share(labels.mean(axis=0) > 0.5) or match == 1.0


@pytest.mark.parametrize("classes", [12, 150])
def test_a_model_that_answers_what_most_samples_have_is_never_above_chance(classes):
    generator = np.random.default_rng(classes)
    shares = generator.uniform(0.3, 0.7, classes)
    table = random_table(400, ("m0", "m1"), classes=classes, task="multilabel")
    task = task_fields(get_task("multilabel", {"match": 0.5}))
    labels = generator.random((400, classes)) < shares
    answers = np.repeat((labels.mean(axis=0) > 0.5)[None], 400, axis=0)
    collapsed = replace(table, info=replace(table.info, task=task), label=labels, prediction=answers)
    assert above_chance(collapsed) is False


def test_no_number_is_said_of_no_sample():
    table = rows_of(random_table(1), slice(0))
    found = usages(table)
    assert headline(found) == "No test sample has a modality"
    assert [sentence.text for sentence in verdict(table, found, "accuracy")] == [
        f"{name} is missing from all test samples." for name in NAMES
    ]


@pytest.mark.parametrize("strength", [(0.9, 0.4), (0.1, 0.1), (0.0, 0.0)])
def test_a_model_that_is_not_above_chance_is_said_so_first(strength):
    table = random_table(120, ("m0", "m1"), classes=4, strength=strength, missing=0.0)
    right = int((table.prediction == table.label).sum())
    expected = bool(wilson(right, 120)[0] > np.bincount(table.label).max() / 120)
    assert above_chance(table) is expected
    said = headline(usages(table), above_chance(table))
    assert said.startswith("The model is not shown to be above chance") is not expected
    assert "No modality is under-used" not in said
    assert (
        "which is not shown to be above chance" in verdict(table, usages(table), "accuracy")[0].text
    ) is not expected


def test_of_samples_of_one_label_it_is_not_told_whether_a_model_is_above_chance():
    table = random_table(40, ("m0", "m1"), classes=4, strength=(0.9, 0.4))
    table = replace(table, label=np.zeros_like(table.label), prediction=np.zeros_like(table.prediction))
    assert above_chance(table) is None
    text = verdict(table, usages(table), "accuracy")[0].text
    assert "chance 1.00); they all have the same label, so that chance cannot be exceeded." in text
