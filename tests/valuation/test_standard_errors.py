"""Variances of the smooth and the rough part of a game, from residuals of known variance."""

import numpy as np
import pytest
import torch

from raymm.valuation.sampling.designs import _permutations, design
from raymm.valuation.sampling.standard_errors import variance_components

SMOOTH = torch.linspace(0.02, 0.9, 60, dtype=torch.float64)


def squares_of(smooth, rough, samples=4000):
    generator = torch.Generator().manual_seed(0)
    variance = smooth * SMOOTH + rough * (1 - SMOOTH)
    return torch.randn(samples, len(SMOOTH), generator=generator, dtype=torch.float64).square() * variance


@pytest.mark.parametrize(("smooth", "rough"), [(2.0, 1.0), (1.0, 2.0), (5.0, 0.5), (1.0, 1.0)])
def test_planted_variances_are_found_on_average(smooth, rough):
    found = variance_components(squares_of(smooth, rough), SMOOTH)
    assert (found >= 0).all()
    assert found.mean(dim=0).tolist() == pytest.approx([smooth, rough], rel=0.06, abs=0.08)


def test_of_a_smooth_game_next_to_nothing_is_taken_for_rough():
    found = variance_components(squares_of(1.0, 0.0), SMOOTH)
    assert found[:, 0].mean().item() == pytest.approx(1.0, rel=0.05)
    assert found[:, 1].mean() < 0.02


def test_units_do_not_matter_and_neither_do_other_samples():
    squares = squares_of(2.0, 1.0, 30)
    found = variance_components(squares, SMOOTH)
    assert torch.allclose(variance_components(squares * 1e-12, SMOOTH), found * 1e-12, rtol=1e-9)
    for rows in (slice(0, 1), slice(7, 20)):
        assert torch.equal(variance_components(squares[rows], SMOOTH), found[rows])


def test_where_nothing_is_left_over_there_is_no_variance():
    assert torch.equal(
        variance_components(torch.zeros(3, 60, dtype=torch.float64), SMOOTH), torch.zeros(3, 2).double()
    )


def test_residuals_that_do_not_tell_the_parts_apart_share_the_variance():
    alike = torch.full((5,), 0.3, dtype=torch.float64)
    squares = torch.tensor([[1.0, 2.0, 3.0, 4.0, 5.0]], dtype=torch.float64)
    assert variance_components(squares, alike)[0].tolist() == pytest.approx([3.0, 3.0])
    assert variance_components(squares[:, :1], alike[:1])[0].tolist() == pytest.approx([1.0, 1.0])


def test_the_error_of_orders_is_that_of_their_mean():
    n, budget = 6, 82
    plan = _permutations(n, budget, np.random.default_rng(0))
    values = torch.rand(50, len(plan.masks), generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    pairs = torch.einsum("bm,mkn->bkn", values, plan.errors.contributions)
    assert torch.allclose(values @ plan.weights, pairs.mean(dim=1))
    expected = (pairs - pairs.mean(dim=1, keepdim=True)).square().sum(dim=1) / (pairs.shape[1] * (pairs.shape[1] - 1))
    assert torch.allclose(plan.errors.variance(values), expected)
    assert plan.errors.dof == pairs.shape[1] - 1


def test_a_design_names_the_degrees_of_freedom_of_its_errors():
    assert design(14, 224, 0).errors.dof == (224 // 2 - 14) / 2
    assert design(14, 2 * 17, 0).errors.dof >= 1
