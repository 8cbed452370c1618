"""The regression of sampled values and its covariances, against sums over all coalitions and block systems."""

from itertools import combinations, product
from math import factorial

import numpy as np
import pytest

from raymm.valuation.sampling import exchange, gls
from raymm.valuation.sampling.covariance import (
    NUGGET,
    differences,
    kernel_of,
    of_contributions,
    third_order_of,
    with_contributions,
    with_grand,
)
from raymm.valuation.sampling.exchange import (
    _diffuse_covariance,
    _diffuse_inverse,
    _options,
    _replace,
    exchange_search,
)
from raymm.valuation.sampling.gls import VARIANCE_INFLATION, fit

PLAYERS = [3, 4, 5, 6]


def everyone(n):
    """All coalitions, bool [2**n, n], in the order of product."""
    return np.array(list(product((False, True), repeat=n)))


def shapley_of(n):
    """The weights of the definition, [2**n, n]."""
    weights = np.zeros((2**n, n))
    for row, members in enumerate(everyone(n)):
        s = members.sum()
        for i in range(n):
            if members[i]:
                weights[row, i] = factorial(s - 1) * factorial(n - s) / factorial(n)
            else:
                weights[row, i] = -factorial(s) * factorial(n - s - 1) / factorial(n)
    return weights


def distance_of(first, second):
    return np.array([[sum(a != b for a, b in zip(one, other, strict=True)) for other in second] for one in first])


def some_pairs(n, count, seed=0):
    """Coalitions of at most half of the players, no two complementary, those of one member first."""
    generator = np.random.default_rng(seed)
    half = [m for m in everyone(n) if 1 < m.sum() < n / 2 or (2 * m.sum() == n and not m[-1])]
    chosen = [half[row] for row in generator.permutation(len(half))[: count - n]]
    return np.array([*np.eye(n, dtype=bool), *chosen])


@pytest.mark.parametrize("n", PLAYERS)
def test_distances_count_the_members_of_one_of_two(n):
    all_of_them = everyone(n)
    found = differences(all_of_them.astype(float), all_of_them[::3].astype(float))
    assert found.dtype == np.int64
    assert (found == distance_of(all_of_them, all_of_them[::3])).all()
    assert with_grand(all_of_them[:2]).tolist() == [[0.0] * n, [0.0] * (n - 1) + [1.0], [1.0] * n]


@pytest.mark.parametrize("n", [*PLAYERS, 11])
def test_the_kernel_is_that_of_signs_of_normal_sums(n):
    angle = np.arccos((n - 2 * np.arange(n + 1)) / n)  # between the two coalitions, as vectors of 1 and -1
    alike = 1 - 2 * angle / np.pi  # P(same sign) - P(other sign)
    alike[[0, n]] += [NUGGET, -NUGGET]
    assert kernel_of(n) == pytest.approx(alike, abs=1e-12)
    assert NUGGET == 0.3


@pytest.mark.parametrize("n", PLAYERS)
def test_the_part_of_third_order_is_the_projection_on_products_of_three(n):
    signs = 2.0 * everyone(n) - 1
    triples = np.stack([signs[:, list(three)].prod(axis=1) for three in combinations(range(n), 3)], axis=1)
    projector = triples @ triples.T / 2**n
    kernel = kernel_of(n)[distance_of(everyone(n), everyone(n))]
    part = projector @ kernel @ projector
    assert third_order_of(n)[distance_of(everyone(n)[:1], everyone(n))[0]] == pytest.approx(part[0], abs=1e-12)


@pytest.mark.parametrize("third", [False, True])
@pytest.mark.parametrize("n", PLAYERS)
def test_covariances_with_contributions_are_sums_over_all_coalitions(n, third):
    kernel = third_order_of(n) if third else kernel_of(n)
    whole = kernel[distance_of(everyone(n), everyone(n))] @ shapley_of(n)
    assert with_contributions(everyone(n).astype(float), kernel) == pytest.approx(whole, abs=1e-12)
    for t in range(n):
        row = next(i for i, members in enumerate(everyone(n)) if members[0] and members.sum() == t + 1)
        assert of_contributions(kernel)[t] == pytest.approx(whole[row, 0], abs=1e-12)


def kriging(coalitions):
    """Weights of the best linear unbiased prediction by its block system, and the matrices that it is made of."""
    n = coalitions.shape[1]
    rows = np.concatenate([coalitions, np.ones((1, n), bool)])
    covariance = kernel_of(n)[distance_of(rows, rows)]
    with_phi = kernel_of(n)[distance_of(rows, everyone(n))] @ shapley_of(n)
    additive = np.where(rows, 0.5, -0.5)
    block = np.block([[covariance, additive], [additive.T, np.zeros((n, n))]])
    solved = np.linalg.solve(block, np.concatenate([with_phi, np.eye(n)]))
    return solved[: len(rows)], rows, additive, covariance


def errors_of(rows, weights, kernel):
    """Mean squares of (contribution - estimate) under a covariance of all coalitions."""
    n = rows.shape[1]
    error = shapley_of(n).copy()
    for row, weight in zip(rows, weights, strict=True):
        error[(everyone(n) == row).all(axis=1)] -= weight
    return np.einsum("ci,cd,di->i", error, kernel[distance_of(everyone(n), everyone(n))], error)


@pytest.mark.parametrize(("n", "pairs"), [(4, 6), (5, 9), (5, 13), (6, 14), (6, 25)])
@pytest.mark.parametrize("balanced", [False, True])
def test_the_fit_is_that_of_the_block_system(n, pairs, balanced):
    coalitions = some_pairs(n, pairs)
    found = fit(coalitions, balanced=balanced)
    weights, rows, additive, covariance = kriging(coalitions)
    if not balanced:
        assert found.weights == pytest.approx(weights, abs=1e-9)
    assert found.weights.T @ additive == pytest.approx(np.eye(n), abs=1e-9)  # additive games are found
    free = len(rows) - n
    assert found.contrasts.shape == (len(rows), free)
    assert found.contrasts.T @ additive == pytest.approx(np.zeros((free, n)), abs=1e-9)
    assert found.contrasts.T @ covariance @ found.contrasts == pytest.approx(np.eye(free), abs=1e-8)
    triples = third_order_of(n)[distance_of(rows, rows)]
    smooth = found.contrasts.T @ triples @ found.contrasts
    assert smooth == pytest.approx(np.diag(found.smooth), abs=1e-8)
    whole, third = (errors_of(rows, found.weights, kernel(n)) for kernel in (kernel_of, third_order_of))
    assert found.errors == pytest.approx(1.25 * np.stack([third, whole - third]), abs=1e-8)
    assert VARIANCE_INFLATION == 1.25


@pytest.mark.parametrize("amount", [0.0, 30.0])
def test_contrasts_have_the_variance_one_however_large_those_of_residuals_are(amount, monkeypatch):
    """As of the pairs of many players, of which interactions of three members have much."""
    kernel = kernel_of(5) + amount * third_order_of(5)
    monkeypatch.setattr(gls, "kernel_of", lambda n: kernel)
    coalitions = some_pairs(5, 15)
    found = fit(coalitions, balanced=False)
    rows = np.concatenate([coalitions, np.ones((1, 5), bool)])
    covariance = kernel[distance_of(rows, rows)]
    assert found.contrasts.T @ covariance @ found.contrasts == pytest.approx(np.eye(11), abs=1e-8)
    free = np.linalg.svd(np.where(rows, 0.5, -0.5).T)[2][5:]  # a basis of what is orthogonal to additive games
    largest = np.linalg.eigvalsh(free @ covariance @ free.T).max()
    assert (largest > 1) == (amount > 0)


@pytest.mark.parametrize("balanced", [False, True])
@pytest.mark.parametrize("n", PLAYERS)
def test_shares_and_errors_stay_in_their_bounds_where_nothing_is_left_to_err(n, balanced):
    """Of all coalitions, contributions are exact and some contrasts are of three members alone, but for rounding."""
    found = fit(some_pairs(n, 2 ** (n - 1) - 1), balanced=balanced)
    assert found.errors == pytest.approx(np.zeros((2, n)), abs=1e-12)
    assert (found.errors >= 0).all()
    assert found.smooth[-1] == pytest.approx(1)
    assert ((found.smooth >= 0) & (found.smooth <= 1)).all()


def test_a_fit_is_not_changed_and_is_balanced_by_name_alone():
    coalitions = some_pairs(4, 6)
    with pytest.raises(TypeError, match="positional"):
        fit(coalitions, True)
    with pytest.raises(AttributeError):
        fit(coalitions, balanced=False).weights = np.zeros((7, 4))


@pytest.mark.parametrize(("n", "pairs"), [(4, 6), (5, 13), (6, 25), (7, 40), (10, 70), (11, 90)])
def test_balanced_weights_are_the_nearest_that_are_unbiased_for_every_size(n, pairs):
    coalitions = some_pairs(n, pairs)
    plain, balanced = (fit(coalitions, balanced=value).weights for value in (False, True))
    rows = np.concatenate([coalitions, np.ones((1, n), bool)])
    sizes = rows.sum(axis=1)
    for s in range(1, (n + 1) // 2):  # of a random assignment: 2/n times the sum over sizes of mean differences
        same = sizes == s
        assert balanced[same][rows[same]].sum() == pytest.approx(2, abs=1e-8)
        assert balanced[same][~rows[same]].sum() == pytest.approx(-2, abs=1e-8)
    if n % 2 == 0:
        same = sizes == n // 2
        assert balanced[same][rows[same]].sum() - balanced[same][~rows[same]].sum() == pytest.approx(2, abs=1e-8)
    # nearest: the change has the least error, so it is orthogonal to every further change that keeps the equations
    equations = []
    for s in range(1, n // 2 + 1):
        inside, outside = (sizes == s)[:, None] & rows, (sizes == s)[:, None] & ~rows
        equations += [1.0 * inside - outside] if 2 * s == n else [1.0 * inside, 1.0 * outside]
    additive = np.where(rows, 0.5, -0.5)
    covariance = kernel_of(n)[distance_of(rows, rows)]
    generator = np.random.default_rng(0)
    conditions = [one.ravel() for one in equations]
    conditions += [np.outer(additive[:, i], np.eye(n)[j]).ravel() for i in range(n) for j in range(n)]
    conditions = np.stack(conditions)
    for _ in range(3):
        move = generator.normal(size=rows.size)
        move -= conditions.T @ np.linalg.lstsq(conditions.T, move, rcond=None)[0]
        assert np.sum(move.reshape(rows.shape) * (covariance @ (balanced - plain))) == pytest.approx(0, abs=1e-7)


@pytest.mark.parametrize("n", PLAYERS)
def test_the_covariance_of_the_search_has_a_diffuse_additive_part(n):
    signs = 2.0 * everyone(n) - 1
    expected = kernel_of(n)[distance_of(everyone(n), everyone(n))] + 1000 * signs @ signs.T / n
    assert _diffuse_covariance(everyone(n).astype(float), everyone(n).astype(float)) == pytest.approx(expected)
    found = exchange._diffuse_with_contributions(everyone(n).astype(float))
    assert found == pytest.approx(expected @ shapley_of(n))


def explained(coalitions):
    """Variance of the contributions that the values of coalitions explain, with the diffuse prior of the search."""
    n = coalitions.shape[1]
    rows = np.concatenate([coalitions, np.ones((1, n), bool)])
    signs = 2.0 * everyone(n) - 1
    whole = kernel_of(n)[distance_of(everyone(n), everyone(n))] + 1000 * signs @ signs.T / n
    place = [int(np.flatnonzero((everyone(n) == row).all(axis=1))[0]) for row in rows]
    shared = (whole @ shapley_of(n))[place]
    return float(np.trace(shared.T @ np.linalg.solve(whole[np.ix_(place, place)], shared)))


@pytest.mark.parametrize("row", range(7, 12))
@pytest.mark.parametrize("seed", range(3))
def test_a_step_takes_the_option_that_explains_most(seed, row):
    coalitions = some_pairs(6, 12, seed)
    taken = {one.tobytes() for one in np.concatenate([coalitions, ~coalitions])}
    options = _options(coalitions[row], taken, np.random.default_rng(seed))
    inverse, best = _replace(_diffuse_inverse(coalitions), coalitions, row, options)
    gains = []
    for option in options:
        tried = coalitions.copy()
        tried[row] = option
        gains.append(explained(tried))
    assert gains[best] == pytest.approx(max(gains), rel=1e-7)
    assert best == 0 or gains[best] > gains[0]
    after = coalitions.copy()
    after[row] = options[best]
    assert inverse == pytest.approx(_diffuse_inverse(after), abs=1e-6)


@pytest.mark.parametrize("n", range(5, 13))
def test_a_step_changes_nothing_where_all_options_are_as_good(n):
    """Beside all coalitions of one member, one of two tells as much as any other, but for rounding."""
    coalitions = np.array([*np.eye(n, dtype=bool), np.arange(n) < 2])
    options = _options(coalitions[n], set(), np.random.default_rng(0))
    assert _replace(_diffuse_inverse(coalitions), coalitions, n, options)[1] == 0


def test_some_steps_change_the_design_and_options_differ_by_one_member():
    coalitions = some_pairs(7, 20)
    assert explained(exchange_search(coalitions, 7, np.random.default_rng(0))) > explained(coalitions)
    current = np.array([True, True, False, False, False])
    options = _options(current, set(), np.random.default_rng(0))
    assert len(options) == 9
    assert (options[0] == current).all()
    assert (options.sum(axis=1) == 2).all()
    assert ((options[1:] != current).sum(axis=1) == 2).all()
    taken = {one.tobytes() for one in options[1:4]}
    left = _options(current, taken, np.random.default_rng(0))
    assert {one.tobytes() for one in left} == {one.tobytes() for one in options} - taken


@pytest.mark.parametrize(
    ("pairs", "fixed", "steps"),
    [(10, 7, 24), (7, 7, 0), (20, 7, 104), (200, 12, 800), (500, 12, 400), (700, 12, 204)],
)
def test_the_search_ends_after_the_steps_that_are_stated(pairs, fixed, steps, monkeypatch):
    """Eight sweeps, 800 steps, or 10**8 / pairs**2 of them; every coalition but the fixed ones in turn."""
    seen, anew = [], []
    monkeypatch.setattr(exchange, "_options", lambda current, taken, generator: current[None])
    monkeypatch.setattr(
        exchange, "_replace", lambda inverse, coalitions, row, options: seen.append(row) or (inverse, 0)
    )
    monkeypatch.setattr(exchange, "_diffuse_inverse", lambda coalitions: anew.append(len(seen)) or np.empty(0))
    coalitions = np.random.default_rng(0).random((pairs, 24)) < 0.5
    assert (exchange_search(coalitions, fixed, np.random.default_rng(0)) == coalitions).all()
    assert seen == [fixed + step % (pairs - fixed) for step in range(steps)]
    assert anew == ([0, *range(99, steps, 100)] if steps else [])


def test_what_is_exchanged_is_free_again_and_its_place_taken(monkeypatch):
    coalitions, given = some_pairs(6, 9), []
    monkeypatch.setattr(exchange, "_options", lambda current, taken, generator: given.append(set(taken)) or options)
    monkeypatch.setattr(exchange, "_replace", lambda inverse, coalitions, row, options: (inverse, len(given) % 2))
    options = np.array([[False] * 6, [True, False, True, False, True, False]])
    exchange_search(coalitions, 8, np.random.default_rng(0))
    before = {row.tobytes() for row in np.concatenate([coalitions, ~coalitions])}
    after = before - {coalitions[8].tobytes(), (~coalitions[8]).tobytes()}
    after |= {options[1].tobytes(), (~options[1]).tobytes()}
    assert given[0] == before
    assert given[1:] == [after] * 7
