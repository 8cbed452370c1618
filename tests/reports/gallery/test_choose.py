"""Which samples a gallery shows, against the definitions computed row by row."""

from dataclasses import replace

import numpy as np
import pytest

from raymm.reports.gallery.choose import (
    FEWEST,
    LISTS,
    choose,
    expected_phi,
    lowest_rows,
    pattern_numbers,
    surprising_rows,
)
from raymm.valuation.patterns import PATTERNS
from tests.reports.gallery.samples import made
from tests.valuation.test_patterns import TABLE


def expected_by_hand(table, row, position):
    """The definition in the module's docstring, for one sample."""
    phi = table.phi
    if np.isnan(phi[row, position]):
        return np.nan
    others = [r for r in range(len(table)) if r != row and not np.isnan(phi[r, position])]
    same = lambda r: table.task.name == "regression" or np.array_equal(table.label[r], table.label[row])  # noqa: E731
    alike = lambda r: np.array_equal(np.isnan(phi[r]), np.isnan(phi[row]))  # noqa: E731
    of_class = [r for r in others if same(r)]
    group = [r for r in of_class if alike(r)]
    chosen = next((rows for rows in (group, of_class) if len(rows) >= FEWEST), others)
    return np.mean([phi[r, position] for r in chosen]) if chosen else np.nan


@pytest.mark.parametrize("task", ["classification", "multilabel", "regression"])
@pytest.mark.parametrize("n", [1, 2, 3])
def test_what_is_expected_is_the_mean_of_the_others_that_are_alike(task, n):
    table = made(60, n, 3, seed=n, task=task)
    found = expected_phi(table)
    for row in range(len(table)):
        for position in range(n):
            assert found[row, position] == pytest.approx(expected_by_hand(table, row, position), nan_ok=True)


def test_a_single_sample_has_no_expectation_and_is_not_surprising():
    table = made(1, 2, 2, missing=0)
    assert np.isnan(expected_phi(table)).all()
    assert {entry.listed for entries in choose(table, 5, 10).values() for entry in entries} == {"lowest"}


def test_of_more_modalities_than_a_number_has_bits_each_pattern_is_its_own():
    n, alike = 70, FEWEST + 1
    phi = np.where(np.arange(2 * alike)[:, None] < alike, 0.0, 1.0) * np.ones(n)
    phi[:alike, -1] = phi[alike:, -2] = np.nan  # patterns that differ in the last two modalities
    found = expected_phi(replace(made(2 * alike, 1, 1, missing=0), phi=phi))
    assert found[:, 0].tolist() == phi[:, 0].tolist()


@pytest.mark.parametrize("unit", [1e-12, 1.0, 1e12])
def test_what_is_surprising_does_not_depend_on_the_unit_of_the_utility(unit):
    phi, expected = np.array([0.0, 1.0, -1.0, 0.1 + 0.2]), np.array([0.5, 0.5, 0.5, 0.3])
    assert surprising_rows(unit * phi, unit * expected, 3).tolist() == [2, 0]


@pytest.mark.parametrize("value", [1 / 3, 0.1, 1e-3, 2.7, 1e9 / 3, 1e6 / 7, -1e12 / 3, 1e-13 / 3])
def test_of_equal_contributions_none_is_surprising(value):
    table = made(50, 1, 1, missing=0)
    table = replace(table, phi=np.full((50, 1), value))
    assert {entry.listed for entries in choose(table, 5, 10).values() for entry in entries} == {"lowest"}


@pytest.mark.parametrize("size", [1e-12, 1e-6, 1.0, 1e6])
def test_what_is_surprising_does_not_depend_on_the_unit_of_the_values(size):
    phi, expected = np.array([0.0, 1.0, -1.0, np.nan]) * size, np.full(4, 0.5) * size
    assert surprising_rows(phi, expected, 3).tolist() == [2, 0]
    assert surprising_rows(np.full(3, np.nan), np.zeros(3), 3).tolist() == []
    assert surprising_rows(np.empty(0), np.empty(0), 3).tolist() == []


def test_lists_are_sorted_and_lack_what_is_missing():
    table = made(200, 2, 4)
    for position in range(2):
        phi = table.phi[:, position]
        lowest = lowest_rows(phi, 24)
        assert phi[lowest].tolist() == sorted(phi[~np.isnan(phi)].tolist())[:24]
        surprise = expected_phi(table)[:, position] - phi
        rows = surprising_rows(phi, expected_phi(table)[:, position], 24)
        assert surprise[rows].tolist() == sorted(surprise[~np.isnan(surprise)].tolist(), reverse=True)[:24]
        assert len(surprising_rows(phi, np.full(200, -9.0), 24)) == 0
        assert len(lowest_rows(np.full(3, np.nan), 24)) == 0


def test_every_list_is_there_whole_and_rows_come_by_their_best_rank():
    table = made(300, 3, 4)
    chosen = choose(table, 10, 1000)
    means = expected_phi(table)
    for position in range(3):
        wanted = {
            "lowest": lowest_rows(table.phi[:, position], 10),
            "surprising": surprising_rows(table.phi[:, position], means[:, position], 10),
        }
        for listed in LISTS:
            entries = [e for found in chosen.values() for e in found if (e.modality, e.listed) == (position, listed)]
            entries.sort(key=lambda entry: entry.rank)
            assert [entry.row for entry in entries] == wanted[listed].tolist()
            assert [entry.rank for entry in entries] == list(range(1, 11))
            assert all(entry.phi == table.phi[entry.row, position] for entry in entries)
            assert all(entry.expected == means[entry.row, position] for entry in entries)
    best = [min(entry.rank for entry in entries) for entries in chosen.values()]
    assert best == sorted(best)
    few = choose(table, 10, 7)
    assert list(few) == list(chosen)[:7]
    assert sum(map(len, few.values())) > 7  # a row that is shown has its places in all lists


@pytest.mark.parametrize("n", [2, 3, 4])
def test_the_pattern_is_of_the_modality_against_all_others(n):
    table = made(80, n, 3, seed=n)
    correct, seen = table.correct(), set()
    for position in range(n):
        for row, number in enumerate(pattern_numbers(table, range(80), position)):
            present = ~np.isnan(table.phi[row])
            if not present[position] or present.sum() < 2:
                assert number is None
                continue
            everyone = sum(1 << i for i in range(n))
            codes = 1 << position, everyone - (1 << position), everyone
            assert (
                PATTERNS[number] == TABLE[tuple(int(correct[row, code]) for code in codes)]
            )  # alone, the others, all
            seen.add(number)
    assert len(seen) == len(PATTERNS)


def test_no_pattern_where_outcomes_are_not_known():
    table = made(10, 2, 2)
    assert pattern_numbers(replace(table, info=replace(table.info, method="sampled")), range(10), 0) == [None] * 10
    assert pattern_numbers(made(10, 1, 2), range(10), 0) == [None] * 10


def test_a_million_samples_are_chosen_from_in_seconds():
    table = made(1_000_000, 2, 50)
    assert len(choose(table, 96, 480)) > 96
