"""Variances of the smooth and the rough part of a game, from residuals of known variance."""

import numpy as np
import pytest
import torch
from scipy.optimize import nnls

from raymm.valuation.sampling.designs import _permutations, design
from raymm.valuation.sampling.standard_errors import ResidualErrors, _least_squares, variance_components

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


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_residuals_that_do_not_tell_the_parts_apart_share_the_variance(share):
    alike = torch.full((5,), share, dtype=torch.float64)
    squares = torch.tensor([[1.0, 2.0, 3.0, 4.0, 5.0]], dtype=torch.float64)
    assert variance_components(squares, alike)[0].tolist() == pytest.approx([3.0, 3.0])
    assert variance_components(squares[:, :1], alike[:1])[0].tolist() == pytest.approx([1.0, 1.0])

    weights = torch.tensor([[5.0, 4.0, 3.0, 2.0, 1.0]], dtype=torch.float64)
    found = _least_squares(squares, torch.stack([alike, 1 - alike]), weights)
    assert found[0].tolist() == pytest.approx([35 / 15, 35 / 15])  # their weighted mean


@pytest.mark.parametrize(("apart", "told"), [(6e-6, False), (1e-5, True)])
@pytest.mark.parametrize("scale", [1e-8, 1.0, 3e8])
def test_parts_are_told_apart_from_a_bound_on_that_no_scale_of_the_weights_moves(apart, told, scale):
    """The sine of the angle between the shares of both parts has to be more than the root of 1e-9."""
    smooth = torch.tensor([0.5 + apart, 0.5 - apart], dtype=torch.float64)
    shares = torch.stack([smooth, 1 - smooth])
    squares = (shares.T @ torch.tensor([3.0, 1.0], dtype=torch.float64))[None]
    found = _least_squares(squares, shares, torch.full((1, 2), scale, dtype=torch.float64))
    assert found[0].tolist() == pytest.approx([3, 1] if told else [2, 2], rel=1e-4)


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


def uneven(smooth, rows):
    """Squares of residuals, of which some rows have next to nothing of one of the parts."""
    generator = np.random.default_rng(0)
    squares = generator.random((rows, len(smooth))) ** 3
    squares[: rows // 3] *= np.where(smooth > 0.5, 9, 0.01)
    squares[rows // 3 : 2 * rows // 3] *= np.where(smooth > 0.5, 0.01, 9)
    return squares


def fitted(squares, shares, weights):
    return np.array([nnls((shares * np.sqrt(w)).T, q * np.sqrt(w))[0] for q, w in zip(squares, weights, strict=True)])


def test_two_variances_are_fitted_by_least_squares_that_are_not_negative():
    smooth = np.random.default_rng(1).random(12)
    squares, weights = uneven(smooth, 40), np.random.default_rng(2).random((40, 12)) + 0.1
    shares = np.stack([smooth, 1 - smooth])
    found = _least_squares(*(torch.from_numpy(one) for one in (squares, shares, weights)))
    assert found.numpy() == pytest.approx(fitted(squares, shares, weights), abs=1e-9)
    assert (found == 0).any(dim=0).all()


def test_variances_are_those_of_six_rounds_with_weights_of_the_round_before():
    smooth = np.random.default_rng(1).random(15)
    shares = np.stack([smooth, 1 - smooth])
    squares = 7.0 * uneven(smooth, 30)
    relative = squares / squares.mean(axis=1, keepdims=True)
    found = np.ones((30, 2))
    for _ in range(6):
        found = fitted(relative, shares, 1 / np.maximum(found @ shares, 1e-4) ** 2)
    expected = found * squares.mean(axis=1, keepdims=True)
    assert variance_components(*map(torch.from_numpy, (squares, smooth))).numpy() == pytest.approx(expected, rel=1e-6)


def test_errors_of_a_regression_are_the_variances_times_their_effect_on_each_player():
    generator = torch.Generator().manual_seed(0)
    values, effects, errors = (
        torch.randn(*shape, generator=generator).double() for shape in ((5, 9), (9, 4), (2, 3))
    )
    smooth = torch.tensor([0.1, 0.4, 0.6, 0.9], dtype=torch.float64)
    model = ResidualErrors(effects, smooth, errors.abs(), 2.0)
    variances = variance_components((values @ effects) ** 2, smooth)
    expected = variances[:, :1] * errors[0].abs() + variances[:, 1:] * errors[1].abs()
    assert torch.allclose(model.variance(values), expected)


@pytest.mark.parametrize("budget", [12, 30])
def test_what_estimates_the_errors_of_a_design_stays_as_it_is(budget):
    errors = design(6, budget, 0).errors
    for name in vars(errors):
        with pytest.raises(AttributeError):
            setattr(errors, name, None)
