"""Parity with the released code: thresholds, Z and rows with replacement, 2/3 of the gap."""

import numpy as np
import pytest

from raymm.methods.functions import FS, get_function
from raymm.methods.modality_reference import _mean_with_replacement
from tests.methods.test_methods import copies_by_modality, plan_of

REFERENCE = {"family": "reference"}


def function_of(given):
    return get_function(FS._read(given))


def test_the_thresholds_are_open_and_the_default_has_none():
    phi = np.array([0.99, 0.41, 24 / 60, 0.39, -0.09, -6 / 60, -0.11, -2.0])
    assert function_of(REFERENCE)(1 - phi).tolist() == [1, 1, 0, 2, 2, 0, 3, 3]
    assert (np.diff(function_of({})(1 - phi)) > 0).all()


@pytest.mark.parametrize(
    ("fm", "rows"),
    [
        ({"scale": 1.0}, 1_333),
        ({"scale": 2.0}, 2_666),
        ({"scale": 9.0}, 4_000),
        ({"family": "power", "scale": 1.0, "exponent": 1.5}, 769),
        ({"family": "tanh", "scale": 1.0}, 1_286),
    ],
)
def test_rows_are_a_whole_number_of_two_thirds_of_the_gap(fm, rows):
    phi = np.column_stack([np.full(4_000, 1.25), np.full(4_000, 0.75)])
    plan = plan_of(phi, strategy="modality_reference", fm=fm)
    assert copies_by_modality(plan, 2, 4_000) == [0, rows]


def test_rows_are_drawn_with_replacement_and_not_so_otherwise():
    phi = np.column_stack([np.full(4_000, 1.25), np.full(4_000, 0.75)])
    drawn = plan_of(phi, strategy="modality_reference").index[4_000:]
    assert len(set(drawn.tolist())) / 4_000 == pytest.approx(1 - np.exp(-1 / 3), abs=0.03)
    ours = plan_of(phi, strategy="modality").index[4_000:]
    assert len(set(ours.tolist())) == len(ours)


def test_plans_are_a_function_of_the_seed():
    phi = np.random.default_rng(0).uniform((-0.5, 0.5), (1.5, 2.5), (50, 2))
    one, again, other = (plan_of(phi, seed=seed, strategy="modality_reference") for seed in (1, 1, 2))
    assert one.index.tolist() == again.index.tolist()
    assert one.index.tolist() != other.index.tolist()


def means(phi, draws=2_000):
    generator = np.random.default_rng(0)
    return np.array([_mean_with_replacement(phi(generator), generator)[0] for _ in range(draws)])


def test_the_mean_over_z_varies_as_draws_with_replacement_do():
    values = np.random.default_rng(1).normal(size=40)

    def z(generator):
        phi = np.full((40, 1), np.nan)
        rows = generator.permutation(40)[:20]
        phi[rows, 0] = values[rows]
        return phi

    with_replacement = values.std() / np.sqrt(20)
    without = with_replacement * np.sqrt(20 / 39)
    drawn = means(z)
    assert drawn.mean() == pytest.approx(values.mean(), abs=5 * with_replacement / np.sqrt(2_000))
    assert drawn.std() == pytest.approx(with_replacement, rel=0.08)
    assert drawn.std() > 1.2 * without


def test_samples_that_were_not_valued_do_not_count():
    phi = np.full((30, 2), np.nan)
    phi[::3] = [1.25, 0.75]
    plan = plan_of(phi, present=np.ones((30, 2), bool), strategy="modality_reference")
    assert copies_by_modality(plan, 2, 30) == [0, 10]


def test_a_modality_that_no_valued_sample_has_gets_no_rows():
    phi = np.array([[1.2, np.nan], [0.8, np.nan]])
    plan = plan_of(phi, present=np.array([[1, 0], [1, 1]], bool), strategy="modality_reference")
    assert len(plan) == 2
