"""Real trainings: every signature fires where its failure was planted, and none on clean data."""

import pytest

from raymm.reports.diagnostics import SIGNATURES
from tests.reports.planted_failures import CLEAN, CLEAN_SEEDS, FAILURES


def test_every_signature_has_its_planted_data_set():
    assert set(FAILURES) == {signature.__name__ for signature in SIGNATURES}


@pytest.mark.parametrize("name", FAILURES)
def test_a_planted_failure_is_found(tmp_path, name):
    assert name in FAILURES[name].found(tmp_path, 0)


@pytest.mark.parametrize("name", CLEAN)
@pytest.mark.parametrize("seed", [0])
def test_nothing_is_found_in_a_clean_run(tmp_path, name, seed):
    assert CLEAN[name].found(tmp_path, seed) == set()


@pytest.mark.long
@pytest.mark.parametrize("name", CLEAN)
def test_false_alarms_in_at_most_one_of_twenty_runs(tmp_path, name):
    alarms = [CLEAN[name].found(tmp_path / str(seed), seed) for seed in range(CLEAN_SEEDS)]
    assert sum(map(bool, alarms)) <= CLEAN_SEEDS // 20, alarms


@pytest.mark.long
@pytest.mark.parametrize("name", FAILURES)
def test_a_planted_failure_is_found_by_other_seeds_as_well(tmp_path, name):
    missed = [seed for seed in range(1, 6) if name not in FAILURES[name].found(tmp_path / str(seed), seed)]
    assert missed == []
