"""Figures by class and by pattern against a mask a group; a million samples in seconds."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support

from raymm.reports.pages.groups import by_class, by_pattern, class_counts
from raymm.reports.pages.tables import class_table, modality_table, pair_table, pattern_table, worst_classes
from raymm.reports.pages.usage import usages
from raymm.reports.pages.verdict import verdict
from raymm.reports.statistics import mean_interval
from raymm.valuation.patterns import PATTERNS, pattern_shares
from tests.reports.tables import random_table, rows_of


def check(groups, table, masks):
    for at, mask in enumerate(masks):
        assert groups.samples[at] == mask.sum()
        assert groups.right[at] == table.grand_correct[mask].sum()
        for modality in range(3):
            expected = mean_interval(table.phi[mask, modality])
            assert groups.present[at, modality] == expected.count
            assert groups.mean[at, modality] == pytest.approx(expected.mean, nan_ok=True)
            assert groups.margin[at, modality] == pytest.approx(expected.margin, nan_ok=True)


@pytest.mark.parametrize("task", ["classification", "multilabel"])
def test_classes_are_those_of_a_mask_each(task):
    table = random_table(150, classes=5, task=task, seed=3)
    member = table.membership(5)
    check(by_class(table, 5), table, member.T)
    counts, said = class_counts(table, 5), table.task.class_membership(table.prediction, 5)
    precision, recall, _, samples = precision_recall_fscore_support(member, said, zero_division=np.nan)
    assert counts.samples.tolist() == samples.tolist()
    assert counts.hits / counts.samples == pytest.approx(recall, nan_ok=True)
    assert counts.hits / counts.answered == pytest.approx(precision, nan_ok=True)


def test_far_from_zero_the_margins_lose_no_digits():
    table = random_table(150)
    far = replace(table, phi=table.phi + 1e7)
    near, moved = by_class(table, 4), by_class(far, 4)
    assert moved.margin == pytest.approx(near.margin, rel=1e-6)


def test_a_mean_of_zero_is_exactly_zero():
    table = random_table(60, missing=0.0)
    phi = np.where(np.arange(60)[:, None] % 2, 1.1, -1.1) + np.where(np.arange(60)[:, None] < 20, 0.0, 0.3)
    table = replace(table, phi=np.broadcast_to(phi, (60, 3)), label=np.where(np.arange(60) < 20, 0, 1))
    assert by_class(table, 2).mean[0].tolist() == [0.0, 0.0, 0.0]


def test_patterns_are_those_of_the_samples_the_most_frequent_first():
    table = random_table(200, missing=0.4, seed=5)
    present, groups = by_pattern(table)
    has = ~np.isnan(table.phi)
    check(groups, table, [(has == row).all(axis=1) for row in present])
    assert groups.samples.sum() == 200
    assert (np.diff(groups.samples) <= 0).all()
    assert pattern_table(random_table(20, missing=0.0)) is None
    assert pattern_table(table).rows[0][0].count("and") <= 1


def test_worst_classes_say_what_they_are_taken_for():
    table = random_table(40, classes=3)
    label = np.repeat([0, 1, 2, 2], 10)
    prediction = np.array([0] * 10 + [0] * 6 + [2] * 3 + [1] + [2] * 20)
    table = replace(table, label=label, prediction=prediction)
    said = worst_classes(table, ("zero", "one", "two"))
    assert said == ["one: 0.10 (0.02 to 0.40) of 10 samples found, most often taken for zero (6) and two (3)."]
    rows = class_table(table, ("zero", "one", "two")).rows
    assert [row[0] for row in rows] == ["one", "two", "zero"]


def test_pairs_are_those_of_the_patterns():
    table = random_table(120, missing=0.3)
    shares = pattern_shares(table.outcomes, ~np.isnan(table.phi))
    for record, found in zip(pair_table(table).records(), shares.values(), strict=True):
        expected = dict(zip(PATTERNS, found, strict=True))
        assert float(record["both needed"].removesuffix(" %")) == pytest.approx(100 * expected["synergy"], abs=0.5)
        assert float(record["hard"].removesuffix(" %")) == pytest.approx(100 * expected["hard"], abs=0.5)


def test_a_million_samples_take_little_memory_and_time():
    small = random_table(1000, classes=1000)
    table = rows_of(small, np.random.default_rng(0).integers(0, 1000, 10**6))
    tracemalloc.start()
    found = usages(table)
    verdict(table, found, "accuracy")
    tables = [modality_table(found, 1.0), class_table(table, small.info.class_names), pattern_table(table)]
    tables.append(pair_table(table))
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 400e6
    assert len(tables[1].rows) == 200
    assert "800 more classes" in tables[1].note
