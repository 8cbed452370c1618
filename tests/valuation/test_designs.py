"""Designs of sampled values: how many coalitions of which size, drawn from which; what is made of their values."""

from itertools import combinations
from math import comb

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_info, threadpool_limits

from raymm.errors import ConfigError
from raymm.seeds import derive
from raymm.valuation.bits import masks_of
from raymm.valuation.sampling import designs
from raymm.valuation.sampling.designs import (
    _draw,
    _of_size,
    _paired_differences,
    _permutations,
    _population,
    _shares,
    check_budget,
    design,
)
from raymm.valuation.sampling.exchange import exchange_search
from raymm.valuation.sampling.gls import fit
from raymm.valuation.sampling.standard_errors import ResidualErrors


def codes_of_size(n, size):
    """All of a size; of two halves of the players, the one without the last."""
    codes = [sum(2**i for i in members) for members in combinations(range(n), size)]
    return sorted(code for code in codes if 2 * size != n or code < 2 ** (n - 1))


@pytest.mark.parametrize("bits", [20, 2])
@pytest.mark.parametrize("n", [3, 4, 6, 7])
def test_coalitions_of_a_size_are_listed_in_order(n, bits, monkeypatch):
    monkeypatch.setattr(designs, "LISTED_BITS", bits)
    for size in range(1, n // 2 + 1):
        found = _of_size(n, size)
        assert found.tolist() == codes_of_size(n, size)
        assert found.dtype == np.int64


def test_pairs_of_a_size_are_counted_once():
    for n in range(3, 10):
        for size in range(1, n // 2 + 1):
            coalitions = [frozenset(members) for members in combinations(range(n), size)]
            pairs = {frozenset({one, frozenset(range(n)) - one}) for one in coalitions}
            found = _population(n, size)
            assert found == len(pairs)
            assert isinstance(found, int)


@pytest.mark.parametrize("listed", [200_000, 4])
@pytest.mark.parametrize(("n", "size"), [(6, 2), (6, 3), (8, 4), (9, 4)])
def test_drawn_coalitions_differ_and_each_is_as_likely(n, size, listed, monkeypatch):
    monkeypatch.setattr(designs, "ENUMERATED", listed)
    whole = codes_of_size(n, size)
    generator = np.random.default_rng(0)
    assert _draw(n, size, len(whole), generator).tolist() == whole
    assert _draw(n, size, 0, generator).tolist() == []
    count = len(whole) // 3
    drawn = [_draw(n, size, count, generator) for _ in range(600)]
    assert all(len(one) == count and (np.diff(one) > 0).all() for one in drawn)
    seen = np.array([np.mean([code in one for one in drawn]) for code in whole])
    share = count / len(whole)
    assert seen.sum() == pytest.approx(count)
    assert seen == pytest.approx(np.full(len(whole), share), abs=5 * np.sqrt(share * (1 - share) / 600))


@pytest.mark.parametrize(
    ("n", "size", "count"), [(9, 4, 1), (9, 4, 2), (9, 4, 7), (8, 4, 3), (8, 4, 30), (11, 5, 300)]
)
def test_the_seed_decides_which_coalitions_are_drawn(n, size, count, monkeypatch):
    """Twice as many are drawn at a time as are asked for, until enough differ; the first ones count.

    What is drawn next goes on from there.
    """
    monkeypatch.setattr(designs, "ENUMERATED", 4)
    generator, chosen = np.random.default_rng(5), []
    while len(chosen) < count:
        for ranks in generator.random((2 * count, n)).argsort(axis=1):
            code = sum(2**i for i in range(n) if ranks[i] < size)
            code = min(code, 2**n - 1 - code) if 2 * size == n else code
            chosen += [code] if code not in chosen else []
    again = np.random.default_rng(5)
    assert _draw(n, size, count, again).tolist() == sorted(chosen[:count])
    assert again.random() == generator.random()


@pytest.mark.parametrize("beyond", [0, 1])
@pytest.mark.parametrize(("n", "size"), [(7, 2), (8, 4)])
def test_up_to_a_number_of_coalitions_the_first_of_their_permutation_are_drawn(n, size, beyond, monkeypatch):
    whole = codes_of_size(n, size)
    monkeypatch.setattr(designs, "ENUMERATED", len(whole) + beyond)
    order = np.random.default_rng(5).permutation(len(whole))
    assert _draw(n, size, 9, np.random.default_rng(5)).tolist() == sorted(whole[place] for place in order[:9])


@pytest.mark.parametrize("n", [3, 4, 6, 9, 12, 20])
@pytest.mark.parametrize("beyond", [0, 1, 7, 30, 10**6])
def test_pairs_are_all_of_the_first_size_and_even_numbers_of_the_others(n, beyond):
    population = [
        len(codes_of_size(n, s)) if n < 12 else comb(n, s) // (1 + (2 * s == n)) for s in range(1, n // 2 + 1)
    ]
    shares = _shares(n, min(n + beyond, sum(population) + 2)) if beyond < 10**6 or n < 20 else _shares(n, n)
    assert shares[0] == n == population[0]
    asked = sum(shares)
    assert asked == (min(n + beyond, sum(population)) if beyond < 10**6 or n < 20 else n)
    assert all(0 <= share <= most for share, most in zip(shares, population, strict=True))
    part = [0.5 if 2 * s == n else 1.0 for s in range(1, n // 2 + 1)]  # pairs of halves count twice
    open_ones = [i for i in range(1, len(shares)) if shares[i] < population[i]]
    for i in open_ones:
        for j in range(1, len(shares)):  # none is ahead of an unfinished one by more than its last step
            assert shares[j] == 0 or (shares[j] - 0.5) / part[j] <= (shares[i] + 0.5) / part[i] + 1e-9


@pytest.mark.parametrize(("n", "size"), [(40, 1), (60, 2), (22, 4)])
def test_few_coalitions_of_many_players_are_listed_without_all_the_others(n, size):
    assert _of_size(n, size).tolist() == codes_of_size(n, size)


@pytest.mark.parametrize("budget", [13, 60])
def test_a_design_made_where_gradients_are_off_may_be_used_where_they_are_on(budget):
    design.cache_clear()
    designs._best.cache_clear()
    with torch.inference_mode():
        plan = design(6, budget, 11)
    values = torch.ones(1, len(plan.masks), dtype=torch.float64, requires_grad=True)
    (values @ plan.weights + plan.errors.variance(values)).sum().backward()
    assert values.grad is not None
    assert design(6, budget, 11) is plan
    with pytest.raises(AttributeError):
        plan.kind = "none"


def test_budgets_from_which_there_are_permutations_and_regressions():
    for n in (3, 5, 8):
        assert design(n, 2 * n, 0).kind == "permutations"
        assert design(n, 2 * n + 5, 0).kind == "permutations"
        assert design(n, 2 * n + 6, 0).kind == "least_squares"
        check_budget(n, 2 * n)
        for asked, shown in ((None, 2 * n - 1), ("1n", "1n")):
            with pytest.raises(ConfigError) as error:
                check_budget(n, 2 * n - 1, asked)
            assert str(error.value) == (
                f"valuation.budget={shown}: too few coalitions ({2 * n - 1}) to tell {n} modalities apart; "
                f"the smallest budget that works is {2 * n}"
            )
    assert design(62, 124, 0).masks.shape == (124, 62)
    for n in (2, 63):
        with pytest.raises(ConfigError, match=f"{n} modalities; sampling is for 3 to 62"):
            design(n, 400, 0)


@pytest.mark.parametrize(("n", "budget", "orders"), [(3, 6, 2), (4, 13, 2), (4, 14, 4), (5, 42, 10), (7, 60, 8)])
def test_estimates_of_permutations_are_means_of_marginal_contributions(n, budget, orders):
    plan = _permutations(n, budget, np.random.default_rng(3))
    assert plan.masks.shape == (2 + orders * (n - 1), n)
    game = torch.randn(2**n, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    value = {
        members: game[sum(2**i for i in members)].item()
        for s in range(n + 1)
        for members in combinations(range(n), s)
    }
    made = torch.zeros(orders, n, dtype=torch.float64)
    found_orders = []
    for order in range(orders):
        before, sequence = (), []
        prefixes = [*plan.masks[1 + order * (n - 1) : 1 + (order + 1) * (n - 1)], torch.ones(n, dtype=torch.bool)]
        for prefix in prefixes:
            now = tuple(prefix.nonzero()[:, 0].tolist())
            (player,) = set(now) - set(before)
            made[order, player] = value[now] - value[before]
            sequence.append(player)
            before = now
        found_orders.append(sequence)
    assert all(found_orders[k + 1] == found_orders[k][::-1] for k in range(0, orders, 2))
    assert len({tuple(one) for one in found_orders}) > orders // 2
    codes = (plan.masks.long() << torch.arange(n)).sum(dim=1)
    assert torch.allclose(game[codes] @ plan.weights, made.mean(dim=0))
    each = made if orders == 2 else made.unflatten(0, (-1, 2)).mean(dim=1)
    assert torch.allclose(plan.errors.variance(game[codes][None])[0], each.var(dim=0) / len(each))


@pytest.mark.parametrize("pairs", [1, 2, 5])
def test_paired_differences_are_half_of_a_coalition_less_its_complement(pairs):
    values = np.random.default_rng(0).normal(size=2 * pairs + 2)
    found = values @ _paired_differences(pairs).numpy()
    first, second = values[1 : 1 + pairs], values[1 + pairs : -1]
    assert found == pytest.approx([*((first - second) / 2), (values[-1] - values[0]) / 2])


@pytest.mark.parametrize(("n", "budget"), [(5, 16), (6, 30), (6, 36), (8, 64)])
def test_a_regression_has_pairs_their_shares_and_columns_dealt_by_the_seed(n, budget):
    plan, other = design(n, budget, 0), design(n, budget, 1)
    pairs = budget // 2 - 1
    first, second = plan.masks[1 : 1 + pairs], plan.masks[1 + pairs : -1]
    assert torch.equal(first, ~second)
    sizes = first.sum(dim=1).minimum(second.sum(dim=1))
    assert sizes.bincount(minlength=n // 2 + 1)[1:].tolist() == _shares(n, pairs)
    assert isinstance(plan.errors, ResidualErrors)
    assert plan.errors.dof == max(1.0, (pairs + 1 - n) / 2)
    assert plan.errors.errors.shape == (2, n)
    order = [
        next(
            j
            for j in range(n)
            if torch.equal(other.masks[:, j], plan.masks[:, i])
            and torch.equal(other.weights[:, j], plan.weights[:, i])
        )
        for i in range(n)
    ]
    assert sorted(order) == list(range(n)) != order
    assert torch.equal(other.errors.errors[:, order], plan.errors.errors)
    assert torch.equal(other.errors.effects, plan.errors.effects)


def test_degrees_of_freedom_are_half_of_the_residuals_and_one_at_least():
    """Of three players there are three pairs: with the grand coalition, one value more than contributions."""
    assert [design(3, 12, 0).errors.dof, design(4, 14, 0).errors.dof] == [1.0, 1.5]


@pytest.mark.parametrize(("n", "pairs"), [(6, 14), (7, 20)])
def test_the_best_design_is_searched_from_what_its_own_seed_draws(n, pairs):
    """Size by size, then the search, which leaves the coalitions of the first size."""
    generator, codes = np.random.default_rng(derive(0, "best design", n, pairs)), []
    for size, count in enumerate(_shares(n, pairs), start=1):
        whole = codes_of_size(n, size)
        codes += sorted(whole[place] for place in generator.permutation(len(whole))[:count])
    with threadpool_limits(1, "blas"):
        expected = exchange_search(masks_of(np.array(codes), n), n, generator)
    assert designs._best.__wrapped__(n, pairs)[0].tolist() == expected.tolist()


def test_the_search_and_the_fit_have_one_thread_in_a_process_of_any_number(monkeypatch):
    threads = []

    def seen(function):
        def counted(*arguments, **options):
            threads.append({pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"})
            return function(*arguments, **options)

        return counted

    monkeypatch.setattr(designs, "exchange_search", seen(exchange_search))
    monkeypatch.setattr(designs, "fit", seen(fit))
    with threadpool_limits(3, "blas"):
        designs._best.__wrapped__(5, 9)
    assert threads == [{1}, {1}]


@pytest.mark.parametrize(
    ("n", "pairs", "balanced"), [(5, 13, False), (5, 14, True), (5, 15, True), (8, 22, False), (8, 23, True)]
)
def test_estimates_are_balanced_from_six_coalitions_a_player_on(n, pairs, balanced, monkeypatch):
    """2 pairs + 2 coalitions, with the empty and the grand one."""
    asked = []
    monkeypatch.setattr(
        designs, "fit", lambda coalitions, balanced: asked.append(balanced) or fit(coalitions, balanced=True)
    )
    designs._best.__wrapped__(n, pairs)
    assert asked == [balanced] == [2 * pairs + 2 >= 6 * n]
